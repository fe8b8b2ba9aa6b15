"""Which columns look like the members of a contact: a suggestion for the data matching."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from exporter.source.names import MEMBER_NAMES, plain_name
from exporter.source.rows import Column

LEAST_ADDRESS_SHARE = 0.5
"""From this share of valid addresses on, a column without a usual name is taken for the one of addresses."""


def suggest_matching(columns: Sequence[Column], shares: Mapping[str, float] = {}) -> dict[str, str]:
    """Return the columns that look like the members of a contact: `email`, `firstName`, `lastName`, `phone`.

    `shares` is, by name of a column, the share of valid addresses among its values, 0 to 1, where that is known. The
    column of addresses is the one with the likeliest name, unless not one of its values is an address; where there is
    none, the one with the most addresses. No names are prescribed anywhere, so a person has to confirm this.
    """
    suggested: dict[str, str] = {}
    plain_names = [(plain_name(column.name), column.name) for column in columns]
    for member, names in MEMBER_NAMES.items():
        likely = _usually_named(plain_names, names)
        if member == "email":
            match = next((name for name in likely if shares.get(name) != 0), None) or _most_addresses(shares)
        else:
            match = next(likely, None)
        if match is not None:
            suggested[member] = match
    return suggested


def _usually_named(columns: Sequence[tuple[str, str]], names: Sequence[str]) -> Iterator[str]:
    """Yield the columns, given as (plain name, name), that have one of these names, the likeliest name first."""
    return (column for name in names for plain, column in columns if plain == name)


def _most_addresses(shares: Mapping[str, float]) -> str | None:
    most = max(shares, key=shares.__getitem__, default=None)
    return most if most is not None and shares[most] >= LEAST_ADDRESS_SHARE else None
