"""Every expected failure of the service, named by what to do next.

ExporterError
├── Wait                  the same call may work later; waiting loses nothing
│   ├── Throttled         ActiveCampaign asks for fewer requests
│   │   └── OthersFirst   it asks for nothing: the next turns are taken
│   ├── Unavailable       ActiveCampaign, storage or Key Vault gives no useful answer
│   ├── CredentialsRefused   the API key does not work, or no longer works; a new one may
│   └── NotReady          the segment is being written right now
└── Stop                  no retry helps; a person has to change something first

A bad row is not an error but a value (`reasons.Reason`). Messages say what was expected, what was found (never
personal data, never a secret) and what to do; `sentences` makes them. `code` is stable and listed in
docs/reference/problem-codes.md.
"""

from __future__ import annotations

from enum import StrEnum
from math import ceil
from typing import Self

from exporter.sentences import Parameter, Parameters, Situation, sentence

DEFAULT_RETRY_S = 30
"""When a caller may come back, in seconds, where nobody said."""


class Culprit(StrEnum):
    """Who has to act; the words are those of the Customer Insights API (`exceptionCulprit`)."""

    SYSTEM = "system"  # this service
    USER = "user"  # the configuration
    EXTERNAL = "external"  # ActiveCampaign, storage, Key Vault


class ExporterError(Exception):
    """A failure with a stable `code`, what its sentence is made from, and the culprit."""

    hint = ""
    """What only the answer to a call adds to the message, since it may be more than records and logs should hold."""

    def __init__(self, code: str, message: str, culprit: Culprit = Culprit.SYSTEM) -> None:
        """Keep the parts; `str()` returns `message`."""
        super().__init__(message)
        self.code = code
        self.message = message
        """For logs and for whoever knows no situation; `sentences` says it for people, as their situation is."""
        self.culprit = culprit
        self.parameters: Parameters | None = None
        """What the sentence is made from; None where `message` was written out, as former releases did."""


class Wait(ExporterError):
    """The same call may work later."""

    def __init__(
        self, code: str, message: str, culprit: Culprit = Culprit.EXTERNAL, retry_after_s: float | None = None
    ) -> None:
        """`retry_after_s`: how long the other side asked to wait, in seconds; None when it did not say."""
        super().__init__(code, message, culprit)
        self.retry_after_s = retry_after_s

    @classmethod
    def of(
        cls,
        code: str,
        culprit: Culprit = Culprit.EXTERNAL,
        retry_after_s: float | None = None,
        /,
        **parameters: Parameter,
    ) -> Self:
        """Return the failure whose sentence `sentences` makes from the code and these parameters."""
        told: Parameters = {**parameters, "retryAfterS": ceil(retry_after_s or DEFAULT_RETRY_S)}
        error = cls(code, sentence(code, told, Situation.WAITING), culprit, retry_after_s)
        error.parameters = told
        return error


class Throttled(Wait):
    """ActiveCampaign asks for fewer requests."""


class OthersFirst(Throttled):
    """ActiveCampaign asks for nothing: the next turns are taken, by other lanes, runs or callers."""


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
    def of(cls, code: str, culprit: Culprit = Culprit.USER, hint: str = "", /, **parameters: Parameter) -> Self:
        """Return the failure whose sentence `sentences` makes from the code and these parameters."""
        error = cls(code, sentence(code, parameters, Situation.ENDED), culprit, hint=hint)
        error.parameters = parameters
        return error
