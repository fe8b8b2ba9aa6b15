"""The partitions of a table as a `model.json` lists them (Common Data Model)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Listed:
    """A partition as model.json lists it: https://learn.microsoft.com/common-data-model/model-json.

    `location` is None where only the schema is described; `encoding` is as stated, whether or not it is known.
    """

    location: str | None
    refreshed_at: float | None
    delimiter: str
    has_header: bool
    quoted: bool
    encoding: str

    @classmethod
    def from_model(cls, partition: dict[str, Any]) -> Self:
        """Read a partition; raises `ValueError`, `TypeError` or `KeyError` when it is not as specified."""
        settings = partition.get("fileFormatSettings") or {}
        refreshed = partition.get("refreshTime")
        delimiter = settings.get("delimiter", ",")
        if delimiter in ("\n", "\r", '"') or len(delimiter) != 1 or not delimiter.isascii():
            raise ValueError
        location = partition.get("location")
        return cls(
            location=None if location is None else str(location),
            refreshed_at=None if refreshed is None else _epoch_s(refreshed),
            delimiter=delimiter,
            has_header=_FLAGS[str(settings.get("columnHeaders")).lower()],
            quoted=settings.get("quoteStyle") != "QuoteStyle.None",
            encoding=str(settings.get("encoding") or "UTF-8"),
        )


_FLAGS = {"true": True, "false": False, "none": False}  # booleans also occur as strings; absent: False


def _epoch_s(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
