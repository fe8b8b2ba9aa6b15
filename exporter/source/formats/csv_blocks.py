"""Turn blocks of CSV text into columns with Arrow: the fast way, for blocks in which nothing is unusual.

The result is the same as that of csv_records, row by row, or there is none.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

from exporter.reasons import Reason
from exporter.source.formats.csv_records import MAX_ROW_BYTES, Syntax
from exporter.source.formats.text_columns import without_empty
from exporter.source.rows import Rows

PARSED_BYTES = 1 << 19  # what is parsed, or searched for quotes, at a time stays in the processor's cache
MOST_FLAWED_ROWS = 16  # per block; with more, reading row by row is faster
_QUOTE, _NEWLINE, _RETURN = b'"\n\r'


def rows_of(data: bytes, syntax: Syntax, column_count: int, wanted: Sequence[int]) -> tuple[list[Rows], int] | None:
    """Return the wanted columns of the rows at the beginning of `data`, and where the last complete one ends.

    An empty field is null. None: something is unusual, such as a row that may be too large, or no row is complete.
    """
    if len(data) > MAX_ROW_BYTES or data.startswith(codecs.BOM_UTF8):  # a mark that Arrow would drop
        return None
    end = _rows_end(data, syntax)
    if not end:
        return None
    if b"\r" in data and data.count(b"\r", 0, end) != data.count(b"\r\n", 0, end):  # a CR alone ends a line
        return None
    block = pa.py_buffer(data).slice(0, end)
    names = [str(position) for position in range(column_count)]
    flawed: list[int] = []

    def set_aside(row: arrow_csv.InvalidRow) -> str:
        flawed.append(row.number)
        return "skip" if len(flawed) <= MOST_FLAWED_ROWS else "error"

    try:
        # The whole row has to be UTF-8, not just its wanted columns. Checking all rows as one text is fastest.
        pa.StringArray.from_buffers(1, pa.py_buffer(np.array([0, end], np.int32)), block).validate(full=True)
        table = arrow_csv.read_csv(
            pa.BufferReader(block),
            arrow_csv.ReadOptions(use_threads=False, block_size=PARSED_BYTES, column_names=names),
            arrow_csv.ParseOptions(
                delimiter=syntax.delimiter.decode(),
                quote_char='"' if syntax.quoted else False,
                newlines_in_values=True,
                invalid_row_handler=set_aside,
            ),
            arrow_csv.ConvertOptions(
                check_utf8=False,
                include_columns=[names[position] for position in wanted],
                column_types=dict.fromkeys(names, pa.string()),
            ),
        )
    except pa.ArrowInvalid:
        return None
    columns = [without_empty(column.combine_chunks()) for column in table.columns]
    return list(_with_flawed(pa.RecordBatch.from_arrays(columns, table.column_names), flawed)), end


def _with_flawed(batch: pa.RecordBatch, flawed: list[int]) -> Iterator[Rows]:
    """Yield the rows of a block in their order; `flawed` are the numbers of those that are not in the batch."""
    start = 0
    for before, number in enumerate(flawed):
        end = number - 1 - before
        if start < end:
            yield batch.slice(start, end - start)
        yield [Reason.WRONG_FIELD_COUNT]
        start = end
    if start < batch.num_rows:
        yield batch.slice(start)


def _rows_end(data: bytes, syntax: Syntax) -> int:
    """Return where the last complete row ends; 0 when there is none, or when a quote is in the wrong place."""
    end = data.rfind(b"\n") + 1
    if not syntax.quoted or data.find(b'"', 0, end) < 0:
        return end
    text = np.frombuffer(data, np.uint8, end)
    quotes = np.concatenate(
        [
            (np.flatnonzero(text[start : start + PARSED_BYTES] == _QUOTE) + start).astype(np.int32)
            for start in range(0, len(text), PARSED_BYTES)
        ]
    )
    before = int(np.searchsorted(quotes, end))
    while before % 2:  # within a quoted field, if all quotes are in order
        end = data.rfind(b"\n", 0, int(quotes[before - 1])) + 1
        before = int(np.searchsorted(quotes, end))
    delimiter = syntax.delimiter[0]
    # The first half of a doubled quote counts as a closing one, the second half as an opening one.
    opening, closing = quotes[:before:2], quotes[1:before:2]
    ahead, behind = text[opening - 1], text[closing + 1]
    opens = (opening == 0) | (ahead == delimiter) | (ahead == _NEWLINE) | (ahead == _QUOTE)
    closes = (behind == delimiter) | (behind == _NEWLINE) | (behind == _RETURN) | (behind == _QUOTE)
    return end if opens.all() and closes.all() else 0
