"""A block of columns is checked as its rows are, one by one."""

from __future__ import annotations

import numpy as np
import orjson
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from exporter.contacts.blocks import Checked, check
from exporter.contacts.rules import Contact
from exporter.reasons import Reason
from exporter.source.rows import Rows
from tests.unit.contacts.columns import COLUMNS, contact, matched

TAIL = b',"subscribe":[{"listid":1}]}'
PLAIN = {
    "Id": "1",
    "EMail": "a@example.com",
    "First": "Ada",
    "Phone": "+49 30 1",
    "Tier": "gold",
    "Tags": "a",
    "Consent": "Yes",
}
OTHERS = {
    "EMail": ["", "A@Example.COM", " a@example.com", "a@b", "Yes", "x" * 60 + "@example.com"],
    "First": [
        *("", " ", " Ada", "Ada ", "\u00e9", 'A"da', "NULL", "n/a", "Nan", "Nana", "#REF!", "\\N", "a\x01"),
        *("\u200bAda", "O\u2019Brien", "\ufeffAda", "undefined", "<NA>", "Nu", "(null)", "A\u2028B", "a\nb"),
    ],
    "Phone": ["", "-6854", "1E+10", "31612345678.0", "12.0", ".0", "+3.0", "30", "1.50", " 1 ", "1\u202a"],
    "Tier": ["", "nan", "\x7f", "a|b", " gold ", "#DIV/0!"],
    "Tags": ["", "a;b", "|", "a ", 'x"y', "||a||b||", "NULL", "\\", "a;NULL"],
    "Consent": ["yes", " Yes", "No", ""],
}
CHANGES = [(name, value) for name, values in OTHERS.items() for value in values]
ROWS = st.lists(st.lists(st.sampled_from(CHANGES), max_size=2).map(lambda changes: PLAIN | dict(changes)), max_size=9)
NAMES = [column.name for column in COLUMNS]


def texts(rows: list[dict[str, str]]) -> list[tuple[str, ...]]:
    return [tuple(row.get(name, "") for name in matched().wanted) for row in rows]


def told(rows: Rows, max_text_bytes: int = 400_000) -> tuple[object, ...]:
    """Return everything that a check tells."""
    found: Checked = check(rows, matched(), TAIL, max_text_bytes, 7)
    contacts = found.contacts(np.ones(len(found.positions), np.bool_))
    return (
        found.positions.tolist(),
        found.addresses.to_pylist(),
        found.refused,
        found.notices,
        found.unfit,
        found.filled.tolist(),
        contacts.texts.to_pylist(),
        contacts.references.to_pylist(),
    )


def block(rows: list[dict[str, str]]) -> pa.RecordBatch:
    columns = list(zip(*texts(rows), strict=True)) or [()] * len(matched().wanted)
    arrays = [pa.array([text or None for text in column], pa.string()) for column in columns]
    return pa.record_batch(arrays, names=[str(number) for number in range(len(arrays))])


@given(ROWS, st.sampled_from([60, 120, 400_000]))
def test_columns_become_what_their_rows_become(rows: list[dict[str, str]], max_text_bytes: int) -> None:
    assert told(block(rows), max_text_bytes) == told(list(texts(rows)), max_text_bytes)


@given(ROWS)
def test_a_row_becomes_what_the_rules_make_of_it(rows: list[dict[str, str]]) -> None:
    expected = [contact(**row) for row in rows]
    positions, addresses, refused, notices, unfit, filled, sent, references = told(list(texts(rows)))
    assert refused == {place: one for place, one in enumerate(expected) if isinstance(one, Reason)}
    contacts = {place: one for place, one in enumerate(expected) if isinstance(one, Contact)}
    assert positions == list(contacts)
    assert addresses == [one.key for one in contacts.values()]
    assert notices == {place: one.notices for place, one in contacts.items() if one.notices}
    assert unfit == {place: one.unfit for place, one in contacts.items() if one.unfit}
    assert filled == [[one.filled[number] for one in contacts.values()] for number in range(len(matched().targets))]
    assert sent == [(one.text + TAIL + b",").decode() for one in contacts.values()]
    assert references == [(orjson.dumps([7 + place, None]) + b",").decode() for place in contacts]
