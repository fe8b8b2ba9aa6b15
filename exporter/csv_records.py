"""CSV text becomes rows: RFC 4180 (https://www.rfc-editor.org/rfc/rfc4180), and exactly what to do where it is not kept.

- A line ends with LF, CRLF or CR; a line without any character is no row.
- A quote inside an unquoted field is text, as long as the row ends on the same line.
- A row whose quotes do not come out right costs its first line only: reading goes on at the next line, so that a
  forgotten quote cannot swallow the rows that follow.

There are two ways to read a block, with the same result: `Syntax.record_at`, one row at a time, and `Syntax.columns_of`,
which leaves the work to Arrow and declines a block in which anything is unusual.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

from exporter.reasons import Reason

CHUNK_BYTES = 1 << 19  # measured: larger blocks cost memory, smaller ones time
MAX_ROW_BYTES = 1 << 20  # a contact has at most 399,999 bytes; the rest is room for columns that are not sent
WINDOW_BYTES = MAX_ROW_BYTES + 2  # a row and the first bytes of what follows it
_QUOTE, _NEWLINE, _RETURN = b'"\n\r'
_LINE_END = re.compile(rb"[\r\n]")

Record = list[bytes] | Reason  # the fields of a row as bytes, or why it is none; a line without any character has none


class Syntax:
    """How the records and fields of a CSV file are told apart."""

    def __init__(self, delimiter: str, *, quoted: bool) -> None:
        """`quoted`: whether a quote at the beginning of a field has a meaning."""
        self.delimiter = delimiter.encode()
        self.quoted = quoted
        self._quoted_field = re.compile(rb'"([^"]*+(?:""[^"]*+)*+)"')
        self._plain_field = re.compile(rb"[^\r\n" + re.escape(self.delimiter) + rb"]*+")

    def record_at(self, data: bytes, start: int, *, final: bool) -> tuple[Record, int] | None:
        """Return the record that begins at `start`, or why it is none, and where the next one begins.

        None: `data` ends before the record does, and more may follow (`final` is False).
        """
        newline = data.find(b"\n", start, start + WINDOW_BYTES)
        if newline >= 0:
            line = data[start:newline].removesuffix(b"\r")
            if b"\r" not in line and len(line) <= MAX_ROW_BYTES and not (self.quoted and b'"' in line):
                return line.split(self.delimiter) if line else [], newline + 1
        elif len(data) >= start + WINDOW_BYTES and data.find(b"\r", start, start + WINDOW_BYTES) < 0:
            return _first_line(data, start, Reason.ROW_TOO_LARGE, final=final)
        limit = min(len(data), start + WINDOW_BYTES)
        record, end = self._parse(data, start, limit)
        if end == limit < start + WINDOW_BYTES and not final:
            return None
        if end - start > MAX_ROW_BYTES:
            record = Reason.ROW_TOO_LARGE
        if isinstance(record, Reason):
            return _first_line(data, start, record, final=final)
        return record, min(end + 1, len(data))

    def _parse(self, data: bytes, start: int, limit: int) -> tuple[Record, int]:
        """Return the record that begins at `start` and where its last field ends; `limit` when that came first."""
        fields: list[bytes] = []
        position = start
        quote_in_text = False
        while True:
            quoted = self.quoted and position < limit and data[position] == _QUOTE
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
        return fields if position > start else [], position


    def columns_of(self, data: bytes, column_count: int, wanted: Sequence[int]) -> tuple[pa.RecordBatch, int] | None:
        """Return the wanted columns of the rows at the beginning of `data` and where they end; an empty field is null.

        None: something in them is unusual, or there is no complete row. Then it takes `record_at`.
        """
        end = self._plain_rows_end(data)
        if not 0 < end <= MAX_ROW_BYTES or data.count(b"\r", 0, end) != data.count(b"\r\n", 0, end):
            return None
        block = pa.py_buffer(data).slice(0, end)
        names = [str(position) for position in range(column_count)]
        try:
            # All of the block has to be UTF-8, not only what is wanted. As one text, the check is the fastest.
            pa.StringArray.from_buffers(1, pa.py_buffer(np.array([0, end], np.int32)), block).validate(full=True)
            table = arrow_csv.read_csv(
                pa.BufferReader(block),
                arrow_csv.ReadOptions(use_threads=False, block_size=2 * MAX_ROW_BYTES, column_names=names),
                arrow_csv.ParseOptions(self.delimiter.decode(), '"' if self.quoted else False, newlines_in_values=True),
                arrow_csv.ConvertOptions(
                    check_utf8=False,
                    include_columns=[names[position] for position in wanted],
                    column_types=dict.fromkeys(names, pa.string()),
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
        except pa.ArrowInvalid:
            return None
        return table.combine_chunks().to_batches()[0], end

    def _plain_rows_end(self, data: bytes) -> int:
        """Return where the last complete row of `data` ends; 0 when there is none or a quote is where none may be."""
        end = data.rfind(b"\n") + 1
        if not self.quoted or b'"' not in data:
            return end
        text = np.frombuffer(data, np.uint8)
        quotes = np.flatnonzero(text == _QUOTE)
        # A line end is the end of a row when the number of quotes before it is even, if all quotes are in order.
        while end and (before := int(np.searchsorted(quotes, end))) % 2:
            end = data.rfind(b"\n", 0, int(quotes[before - 1])) + 1
        opening, closing = quotes[:before:2], quotes[1:before:2]
        ahead, behind = text[opening - 1], text[closing + 1]
        # Second halves of a doubled quote are counted as opening ones, first halves as closing ones.
        in_order = (opening == 0) | (ahead == self.delimiter[0]) | (ahead == _NEWLINE) | (ahead == _QUOTE)
        in_order &= (behind == self.delimiter[0]) | (behind == _NEWLINE) | (behind == _RETURN) | (behind == _QUOTE)
        return end if in_order.all() else 0


def _first_line(data: bytes, start: int, reason: Reason, *, final: bool) -> tuple[Record, int] | None:
    """Return `reason` for the line that begins at `start`, and where the next line begins; None as for `record_at`."""
    line_end = _LINE_END.search(data, start, start + WINDOW_BYTES)
    if line_end is None and len(data) >= start + WINDOW_BYTES:
        reason = Reason.ROW_TOO_LARGE
        line_end = _LINE_END.search(data, start + WINDOW_BYTES)
    if line_end is None:
        return (reason, len(data)) if final else None
    return reason, line_end.end()
