"""The bytes of Arrow's columns of text, for numpy: https://arrow.apache.org/docs/format/Columnar.html."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def bounds(column: pa.StringArray) -> npt.NDArray[np.int32]:
    """Return where each text begins in the bytes of the column and, last, where they end."""
    return np.frombuffer(column.buffers()[1], np.int32, len(column) + 1, column.offset * 4)


def content(column: pa.StringArray) -> npt.NDArray[np.uint8]:
    """Return the bytes that `bounds` refers to."""
    return np.frombuffer(column.buffers()[2] or b"", np.uint8)


def lengths(column: pa.StringArray) -> npt.NDArray[np.int32]:
    """Return the length of each text in bytes; 0 for a null."""
    ends = bounds(column)
    return ends[1:] - ends[:-1]


def without_empty(column: pa.StringArray) -> pa.StringArray:
    """Return the column with nulls in place of empty texts. The bytes are shared, not copied.

    In columns from Arrow's readers, a null has no bytes either.
    """
    filled = lengths(column) > 0
    nulls = len(column) - int(np.count_nonzero(filled))
    if nulls == column.null_count:
        return column
    valid = np.packbits(np.concatenate([np.zeros(column.offset, np.bool_), filled]), bitorder="little")
    _, offsets, data = column.buffers()
    return pa.StringArray.from_buffers(len(column), offsets, data, pa.py_buffer(valid), nulls, column.offset)
