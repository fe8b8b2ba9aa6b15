"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table. A bar in a cell is escaped: it would begin the next cell, and the rest would not be shown."""
    return "\n".join([_line(header), f"|{'---|' * len(header)}", *map(_line, rows)])


def _line(cells: Sequence[str]) -> str:
    return " ".join(["|", *(f"{cell} |".replace("|", "\\|", cell.count("|")) if cell else "|" for cell in cells)])
