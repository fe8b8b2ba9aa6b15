"""What connections and exports have in common: an id, a name, a history."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from exporter.model import Record, Time

ID_PATTERN = r"^[a-z0-9](-?[a-z0-9]){0,62}$"
"""Ids of connections and exports, which are in blob names: lower-case letters, digits, single hyphens; at most 63."""
DisplayName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^\S([^\x00-\x1f\x7f]*\S)?$")]
"""A name for people: one line, no surrounding blanks."""


class Versioned(Record):
    """What every resource records about its own history."""

    version: int = 1
    created_by: str
    created_utc: Time
    updated_by: str
    updated_utc: Time
