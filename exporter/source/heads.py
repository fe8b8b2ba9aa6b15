"""What the beginning of a file tells: how it is to be read, and the names of its columns."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from exporter.reasons import Reason
from exporter.source.files import SegmentFile, SegmentFiles
from exporter.source.formats.csv_records import WINDOW_BYTES, CsvRecord, Syntax
from exporter.source.text import text_of

DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class Head:
    """The first row of a CSV file and the delimiter that it was read with."""

    names: tuple[str, ...]
    delimiter: str


def read_head(
    files: SegmentFiles, file: SegmentFile, delimiter: str | None = None, *, quoted: bool = True
) -> Head | None:
    """Return the first row of a CSV file, or None when there is none or it cannot be read as text.

    Without a `delimiter`, the one of `,` `;` tab `|` that splits the first row into the most fields is used.
    """
    data = b""
    with contextlib.closing(files.open(file)) as stream:
        for chunk in text_of(stream, file):
            data = (data + chunk).lstrip(b"\r\n")
            results = [
                (first_record(data, Syntax(candidate, quoted=quoted), final=not chunk), candidate)
                for candidate in delimiter or DELIMITERS
            ]
            if all(first for first, _ in results):
                break
    heads = [Head(names, candidate) for first, candidate in results if first and (names := _names(first[0]))]
    return max(heads, key=lambda head: len(head.names), default=None)


def first_record(data: bytes, syntax: Syntax, *, final: bool) -> tuple[CsvRecord, int] | None:
    """Return the first row and where the next one begins; None when `data` ends earlier, and more may follow."""
    # Only one window is examined, so that a first row without an end cannot fill the memory.
    return syntax.record_at(data, 0, final=final or len(data) > WINDOW_BYTES) if data else None


def _names(record: CsvRecord) -> tuple[str, ...]:
    """Return the fields of a row as column names; none when it cannot be read as text."""
    try:
        return () if isinstance(record, Reason) else tuple(field.decode().strip() for field in record)
    except UnicodeDecodeError:
        return ()
