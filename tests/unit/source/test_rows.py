"""Some rows of a block, and of them some columns, in whichever form the block comes."""

from __future__ import annotations

import pyarrow as pa
import pytest

from exporter.reasons import Reason
from exporter.source.rows import Row, Rows, rows_at

ROWS: list[Row] = [("a", "b", "c"), ("d", "", "f"), ("g", "h", "i")]
COLUMNS = pa.record_batch([["a", "d", "g"], ["b", None, "h"], ["c", "f", "i"]], names=["1", "2", "3"])


@pytest.mark.parametrize("rows", [ROWS, COLUMNS], ids=["rows", "columns"])
def test_chosen_rows_and_columns_come_in_the_order_of_the_choice(rows: Rows) -> None:
    assert rows_at(rows, [2, 1], [1, 0]) == [("h", "g"), ("", "d")]
    assert rows_at(rows, [], [0]) == []


def test_a_row_that_could_not_be_read_stays_the_reason_why() -> None:
    assert rows_at([Reason.NOT_UTF8, *ROWS], [0, 1], [0]) == [Reason.NOT_UTF8, ("a",)]
