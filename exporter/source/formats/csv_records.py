"""Turn CSV text into rows: RFC 4180 (https://www.rfc-editor.org/rfc/rfc4180), and how to treat deviations from it.

- A line ends with LF, CRLF or CR; an empty line is not a row, nor is what is between CR and LF.
- Blanks before a quoted field are dropped; if something else than a delimiter follows the quote, all of it is text.
- A quote inside an unquoted field is text, as long as the row ends on the same line.
- A row with misplaced quotes costs only its first line: reading continues at the next line, so that a forgotten quote
  cannot swallow the rows that follow.

This way is always right, one row at a time; csv_blocks is the fast way for blocks without surprises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from exporter.reasons import Reason

MAX_ROW_BYTES = 4 << 20  # a contact has at most 399,999 bytes; the rest is room for columns that are not sent
WINDOW_BYTES = MAX_ROW_BYTES + 2  # a row and the first bytes of what follows it
_NEAR_BYTES = 4_096
_LINE_END = re.compile(rb"[\r\n]")
_LINE_ENDS = re.compile(rb"[\r\n]+")
CsvRecord = list[bytes] | Reason
"""The fields of a row as bytes, or why it cannot be read; empty lines have no fields."""


class Syntax:
    """How the records and fields of a CSV file are separated."""

    def __init__(self, delimiter: str, *, quoted: bool) -> None:
        """`quoted`: whether a quote at the beginning of a field, or after blanks there, has a meaning."""
        self.delimiter = delimiter.encode()
        self.quoted = quoted
        ends = b"[\r\n" + re.escape(self.delimiter) + b"]"
        after_blanks = b"" if delimiter == " " else rb'| ++"[^"]*+(?:""[^"]*+)*+(?:\Z|"(?=\Z|' + ends + b"))"
        self._opening = re.compile(b'"' + after_blanks)
        self._quoted_field = re.compile(rb' *+"([^"]*+(?:""[^"]*+)*+)"')
        self._plain_field = re.compile(rb"[^\r\n" + re.escape(self.delimiter) + rb"]*+")

    def records(self, data: bytes, *, final: bool) -> Iterator[tuple[CsvRecord, int, int]]:
        """Yield each complete record of `data` with where it begins and where the next one does.

        `final`: nothing follows, so that the end of `data` ends a record.
        """
        start = 0
        while start < len(data) and (found := self.record_at(data, start, final=final)) is not None:
            record, end = found
            yield record, start, end
            start = end

    def record_at(self, data: bytes, start: int, *, final: bool) -> tuple[CsvRecord, int] | None:
        """Return the record that begins at `start`, or why it cannot be read, and where the next one begins.

        None: `data` ends before the record does, and more may follow (`final` is False).
        """
        if blank := _LINE_ENDS.match(data, start):
            return [], blank.end()
        line_end = _line_end(data, start, WINDOW_BYTES)
        if line_end < 0:
            if len(data) >= start + WINDOW_BYTES:
                return _first_line(data, start, Reason.ROW_TOO_LARGE, final=final)
            if not final:
                return None
            line_end = len(data)
        line = data[start:line_end]
        if len(line) <= MAX_ROW_BYTES and not (self.quoted and b'"' in line):
            return line.split(self.delimiter), min(line_end + 1, len(data))
        limit = min(len(data), start + WINDOW_BYTES)
        record, end = self._parse(data, start, limit)
        if end == limit < start + WINDOW_BYTES and not final:
            return None
        if end - start > MAX_ROW_BYTES:
            record = Reason.ROW_TOO_LARGE
        if isinstance(record, Reason):
            return _first_line(data, start, record, final=final)
        return record, min(end + 1, len(data))

    def _parse(self, data: bytes, start: int, limit: int) -> tuple[CsvRecord, int]:
        """Return the record that begins at `start` and where its last field ends; `limit` if that comes first."""
        fields: list[bytes] = []
        position = start
        quote_in_text = False
        while True:
            quoted = self.quoted and self._opening.match(data, position, limit) is not None
            field = (self._quoted_field if quoted else self._plain_field).match(data, position, limit)
            if field is None:
                return Reason.UNCLOSED_QUOTE, limit
            fields.append(field[1].replace(b'""', b'"') if quoted else field[0])
            quote_in_text |= self.quoted and not quoted and b'"' in field[0]
            position = field.end()
            following = data[position : min(position + 1, limit)]
            if following != self.delimiter:
                break
            position += 1
        if following not in (b"", b"\r", b"\n") or (quote_in_text and _LINE_END.search(data, start, position)):
            return Reason.MALFORMED_QUOTES, position
        return fields, position


def _first_line(data: bytes, start: int, reason: Reason, *, final: bool) -> tuple[CsvRecord, int] | None:
    """Return `reason` for the line that begins at `start`, and where the next line begins; None as for `record_at`."""
    line_end = _line_end(data, start, WINDOW_BYTES)
    if line_end < 0 and len(data) >= start + WINDOW_BYTES:
        reason = Reason.ROW_TOO_LARGE
        line_end = _line_end(data, start + WINDOW_BYTES, len(data))
    if line_end < 0:
        return (reason, len(data)) if final else None
    return reason, line_end + 1


def _line_end(data: bytes, start: int, max_bytes: int) -> int:
    """Return where the line that begins at `start` ends; -1 when it has more than `max_bytes`."""
    # In growing steps: most files have only LF or only CR, so a search for the other would go to the end at each line.
    size_bytes = _NEAR_BYTES
    while True:
        limit = start + min(size_bytes, max_bytes)
        newline = data.find(b"\n", start, limit)
        carriage_return = data.find(b"\r", start, limit if newline < 0 else newline)
        end = newline if carriage_return < 0 else carriage_return
        if end >= 0 or size_bytes >= max_bytes:
            return end
        size_bytes *= 16
