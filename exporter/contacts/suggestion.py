"""Which columns look like the members of a contact: a suggestion for the data matching."""

from __future__ import annotations

from collections.abc import Sequence

from exporter.source.names import MEMBER_NAMES, plain_name
from exporter.source.rows import Column


def suggest_matching(columns: Sequence[Column]) -> dict[str, str]:
    """Return the columns that look like the members of a contact: `email`, `firstName`, `lastName`, `phone`.

    Customer Insights prescribes no names, so a person has to confirm this.
    """
    suggested: dict[str, str] = {}
    for member, names in MEMBER_NAMES.items():
        by_plain_name = {plain_name(column.name): column.name for column in reversed(columns)}
        match = next((by_plain_name[name] for name in names if name in by_plain_name), None)
        if match is not None:
            suggested[member] = match
    return suggested
