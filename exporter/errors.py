"""Every expected failure of the service, named by what to do next.

ExporterError
├── Wait                  the same call may work later; waiting loses nothing
│   ├── Throttled         ActiveCampaign asks for fewer requests
│   ├── Unavailable       ActiveCampaign, storage or Key Vault gives no useful answer
│   ├── CredentialsRefused   the API key does not work, or no longer works; a new one may
│   └── NotReady          the segment is being written right now
└── Stop                  no retry helps; a person has to change something first

A bad row is not an error but a value (`reasons.Reason`). Messages say what was expected, what was found (never
personal data, never a secret) and what to do. `code` is stable and listed in docs/reference/problem-codes.md.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from exporter.sentences import Parameter, Parameters, sentence


class Culprit(StrEnum):
    """Who has to act; the words are those of the Customer Insights API (`exceptionCulprit`)."""

    SYSTEM = "system"  # this service
    USER = "user"  # the configuration
    EXTERNAL = "external"  # ActiveCampaign, storage, Key Vault


class ExporterError(Exception):
    """A failure with a stable `code`, a sentence for people and the culprit."""

    hint = ""
    """What only the answer to a call adds to the message, since it may be more than records and logs should hold."""

    def __init__(self, code: str, message: str, culprit: Culprit = Culprit.SYSTEM) -> None:
        """Keep the parts; `str()` returns `message`."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.culprit = culprit
        self.parameters: Parameters = {}
        """What the sentence is made from; empty where `message` was written out."""


class Wait(ExporterError):
    """The same call may work later."""

    def __init__(
        self, code: str, message: str, culprit: Culprit = Culprit.EXTERNAL, retry_after_s: float | None = None
    ) -> None:
        """`retry_after_s`: how long the other side asked to wait, in seconds; None when it did not say."""
        super().__init__(code, message, culprit)
        self.retry_after_s = retry_after_s


class Throttled(Wait):
    """ActiveCampaign asks for fewer requests."""


class Unavailable(Wait):
    """A service that is needed gives no useful answer."""


class CredentialsRefused(Wait):
    """The API key does not work; a new one in Key Vault may."""


class NotReady(Wait):
    """The segment is being written right now."""


class Stop(ExporterError):
    """No retry helps: a person has to change something first."""

    def __init__(self, code: str, message: str, culprit: Culprit = Culprit.USER, *, hint: str = "") -> None:
        """Blame the user by default: most often the configuration has to change."""
        super().__init__(code, message, culprit)
        self.hint = hint

    @classmethod
    def of(cls, code: str, **parameters: Parameter) -> Self:
        """Return the failure whose sentence `sentences` makes from the code and these parameters."""
        error = cls(code, sentence(code, parameters))
        error.parameters = parameters
        return error
