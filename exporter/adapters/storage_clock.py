"""The clock of the storage service, which differs from those of the app's instances."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

MAX_ASKED = 4
"""How often a call is made for the service's time. The SDK drops a call's `raw_response_hook` if its first try raises,
and there is no other access to the answer's headers."""


class ServiceTime:
    """A call's `raw_response_hook`. `at`: when the service gave its first answer, in epoch seconds; None: not seen."""

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self.at: float | None = None

    def __call__(self, response: Any) -> None:  # noqa: ANN401 - the SDK's, which has no type of its own
        """Note the time of an answer; a refusal may be somebody else's, such as a proxy's."""
        answer = response.http_response
        if self.at is None and answer.status_code < 300:  # noqa: PLR2004 - the statuses of success
            self.at = parsedate_to_datetime(answer.headers["date"]).timestamp()
