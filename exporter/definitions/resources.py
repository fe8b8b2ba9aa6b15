"""What connections and exports have in common: an id, a name, a history, a pause."""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, StringConstraints, ValidationInfo

from exporter.model import Record, Time, Value

ID_PATTERN = r"^[a-z0-9](-?[a-z0-9]){0,62}$"
"""Ids of connections and exports, which are in blob names: lower-case letters, digits, single hyphens; at most 63."""
SENT = "sent"
"""The validation context of what a caller sends. A rule for that alone leaves what is stored readable."""
_BREAKS_OR_TURNS = re.compile(r"[\x00-\x1f\x7f\x85\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters, line and paragraph separators, and what changes the direction of the text around it."""


def _one_line(text: str, info: ValidationInfo) -> str:
    if info.context == SENT and _BREAKS_OR_TURNS.search(text):
        raise ValueError("must be one line without characters that change the direction of text")
    return text


def _without_nul(text: str, info: ValidationInfo) -> str:
    if info.context == SENT and "\0" in text:
        raise ValueError("must not hold the character NUL")
    return text


DisplayName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=r"^\S([^\x00-\x1f\x7f]*\S)?$"),
    AfterValidator(_one_line),
]
"""A name for people: one line, no surrounding blanks."""
CellText = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(_without_nul)]
"""The name of a column, or a value in one."""


@cache
def _time_zones() -> frozenset[str]:
    """Return the names of all time zones: to look for them takes 20 ms, and a definition is read with every run."""
    return frozenset(available_timezones())


def _time_zone(name: str) -> str:
    if name != "UTC" and name not in _time_zones():
        raise ValueError("expected the name of a time zone, such as Europe/Amsterdam, Asia/Jakarta or UTC")
    return name


TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_time_zone)]
"""The name of a time zone in the IANA time zone database."""


class Paused(Value):
    """Nothing starts by itself until somebody ends the pause; a person may still start runs."""

    by: str
    """Who paused it."""
    since_utc: Time
    """When."""


class Versioned(Record):
    """What every resource records about its own history."""

    version: int = 1
    created_by: str
    created_utc: Time
    updated_by: str
    updated_utc: Time
    updated_by_role: str | None = None
    """Their role, in lower case; None in what earlier releases stored."""
    paused: Paused | None = None
    """While it is, nothing starts by itself: this export, or the exports of this connection."""
