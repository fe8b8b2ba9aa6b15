"""Rows become contacts block by block. Where a block comes as columns, Arrow does the work for all plain rows at once.

The rules are those of `contacts.contact_of`. A row is plain when a few tests of its bytes leave no doubt what that
function would say: a contact, no notice, no character to escape. Every other row is handed to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from exporter.contacts import SEPARATOR, Contact, Matched, Notice, contact_of
from exporter.readers import Rows, rows_at
from exporter.reasons import Reason

type Positions = npt.NDArray[np.int64]
type Flags = npt.NDArray[np.bool_]
type Piece = str | pa.StringArray

_LOCAL = r"[A-Za-z0-9!#$%&*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_PLAIN_ADDRESS = rf"^{_LOCAL}(?:\.{_LOCAL})*@(?:{_LABEL}\.)+[A-Za-z]{{2,}}$"
_PLAIN_ADDRESS_CHARACTERS = 63  # so that none of its parts can be too long


@dataclass(frozen=True, slots=True)
class Contacts:
    """Contacts as columns: the address in the form in which two are equal, text and row reference with a comma each."""

    addresses: pa.StringArray
    texts: pa.StringArray
    references: pa.StringArray

    def take(self, places: Positions) -> Contacts:
        """Return some of them, in the order of their places."""
        chosen = pa.array(places)
        return Contacts(self.addresses.take(chosen), self.texts.take(chosen), self.references.take(chosen))


@dataclass(frozen=True, slots=True)
class Checked:
    """A block of rows, checked: the contacts in their order, and why the other rows are none.

    `positions` are those of the contacts in the block; `refused` and `notices` are by position.
    """

    positions: Positions
    contacts: Contacts
    refused: dict[int, Reason]
    notices: dict[int, tuple[Notice, ...]]


def check(rows: Rows, matched: Matched, contact_tail: bytes, max_text_bytes: int, first_row: int) -> Checked:
    """Check the rows of a block, of which the first has the running number `first_row`.

    `contact_tail` ends each contact; one with more than `max_text_bytes` is refused.
    """
    if isinstance(rows, list):
        plain, columns = np.zeros(len(rows), np.bool_), _contacts([], [], [])
    else:
        plain, columns = _plain_contacts(rows, matched, contact_tail.decode(), max_text_bytes, first_row)
    found: dict[int, Contact] = {}
    refused: dict[int, Reason] = {}
    references = []
    doubtful = np.flatnonzero(~plain).tolist()
    for position, row in zip(doubtful, rows_at(rows, doubtful), strict=True):
        if isinstance(row, Reason):
            refused[position] = row
            continue
        contact = contact_of(row, matched)
        if isinstance(contact, Reason):
            refused[position] = contact
        elif len(contact.text) + len(contact_tail) > max_text_bytes:
            refused[position] = Reason.CONTACT_TOO_LARGE
        else:
            found[position] = contact
            references.append(_reference(first_row + position, row, matched))
    others = _contacts(
        [contact.key for contact in found.values()],
        [contact.text + contact_tail + b"," for contact in found.values()],
        references,
    )
    places = np.where(plain, np.arange(len(plain)), -1)
    places[list(found)] = len(columns.texts) + np.arange(len(found))
    positions = np.flatnonzero(places >= 0)
    return Checked(
        positions=positions,
        contacts=_concatenated(columns, others).take(places[positions]),
        refused=refused,
        notices={position: contact.notices for position, contact in found.items() if contact.notices},
    )


def _contacts(addresses: Sequence[str], texts: Sequence[bytes], references: Sequence[bytes]) -> Contacts:
    return Contacts(*(pa.array(values, pa.string()) for values in (addresses, texts, references)))


def _concatenated(one: Contacts, other: Contacts) -> Contacts:
    return Contacts(
        pa.concat_arrays([one.addresses, other.addresses]),
        pa.concat_arrays([one.texts, other.texts]),
        pa.concat_arrays([one.references, other.references]),
    )


def _reference(number: int, row: Sequence[str], matched: Matched) -> bytes:
    """Return the running number of a row with its customer id and, where there are any, its previous ones."""
    current, previous = (
        None if position is None else row[position] or None
        for position in (matched.customer_id, matched.previous_customer_id)
    )
    return orjson.dumps([number, current, *([previous] if previous else [])]) + b","


def _plain_contacts(
    rows: pa.RecordBatch, matched: Matched, contact_tail: str, max_text_bytes: int, first_row: int
) -> tuple[Flags, Contacts]:
    """Return which rows are plain, and for every row what its contact is if it is."""
    email = rows.column(matched.email)
    plain = _flags(pc.match_substring_regex(email, _PLAIN_ADDRESS)) & _flags(
        pc.less_equal(pc.binary_length(email), _PLAIN_ADDRESS_CHARACTERS)
    )
    if matched.consent is not None:
        position, value = matched.consent
        plain &= _flags(pc.equal(pc.ascii_lower(rows.column(position)), value))
    multiple = {position for position, _, multiple in matched.fields if multiple}
    labels = [place for place in (matched.customer_id, matched.previous_customer_id) if place is not None]
    for position in {*matched.sent, *labels}:
        text = _Bytes(rows.column(position))
        plain &= ~text.odd()
        if position == matched.phone:
            plain &= ~(text.holding(b"eE") | text.beginning_with(b"-"))
        if position in multiple:
            plain &= ~(text.holding(b";|") | text.ending_with(b" "))
    texts = _text_column(rows, matched, contact_tail)
    plain &= _flags(pc.less_equal(pc.binary_length(texts), max_text_bytes + 1))  # with its comma
    return plain, Contacts(pc.ascii_lower(email), texts, _reference_column(rows, matched, first_row))


def _flags(values: pa.BooleanArray) -> Flags:
    flags: Flags = values.fill_null(False).to_numpy(zero_copy_only=False)
    return flags


class _Bytes:
    """The bytes of a column of text; the tests say which rows have some byte."""

    def __init__(self, values: pa.StringArray) -> None:
        _, offsets, data = values.buffers()
        ends = np.frombuffer(offsets, np.int32, len(values) + 1, values.offset * 4)
        self._text = np.frombuffer(data or b"", np.uint8)[ends[0] : ends[-1]]
        self._starts, self._ends = ends[:-1] - ends[0], ends[1:] - ends[0]
        self._filled = np.flatnonzero(self._ends > self._starts)

    def _rows_of(self, marks: Flags) -> Flags:
        rows = np.zeros(len(self._ends), np.bool_)
        rows[np.searchsorted(self._ends, np.flatnonzero(marks), side="right")] = True
        return rows

    def holding(self, values: bytes) -> Flags:
        """Rows in which one of these bytes is."""
        return self._rows_of(_one_of(self._text, values))

    def beginning_with(self, values: bytes) -> Flags:
        """Rows whose first byte is one of these."""
        return self._having(self._text[self._starts[self._filled]], values)

    def ending_with(self, values: bytes) -> Flags:
        """Rows whose last byte is one of these."""
        return self._having(self._text[self._ends[self._filled] - 1], values)

    def _having(self, found: npt.NDArray[np.uint8], values: bytes) -> Flags:
        rows = np.zeros(len(self._ends), np.bool_)
        rows[self._filled] = _one_of(found, values)
        return rows

    def odd(self) -> Flags:
        """Rows that need a closer look: what JSON escapes, control characters, what may be blank, or the name of a null.

        0xC2 begins the control characters beyond ASCII and the no-break space.
        """
        text, starts, lengths = self._text, self._starts, self._ends - self._starts
        marks = (text < 0x20) | (text == 0x22) | (text == 0x5C) | (text == 0x7F) | (text == 0xC2)
        rows = self._rows_of(marks) | self.beginning_with(b" ")
        short = np.flatnonzero((lengths == len("nan")) | (lengths == len("null")))
        first, second = (text[starts[short] + place] | 0x20 for place in (0, 1))  # in lower case
        rows[short[_one_of(first, b"n#") & _one_of(second, b"ua/n")]] = True
        return rows


def _one_of(found: npt.NDArray[np.uint8], values: bytes) -> Flags:
    flags: Flags = np.logical_or.reduce([found == value for value in values])
    return flags


def _text_column(rows: pa.RecordBatch, matched: Matched, contact_tail: str) -> pa.StringArray:
    """Return the text of each contact, as `contact_of` makes it of a plain row."""
    pieces: list[Piece] = ['{"email":"', rows.column(matched.email), '"']
    for member, position in matched.members:
        pieces += _optional(f',"{member}":"', rows.column(position), '"')
    fields = []
    for position, field_id, multiple in matched.fields:
        edge = SEPARATOR if multiple else ""
        fields.append(_optional(f',{{"id":{field_id},"value":"{edge}', rows.column(position), f'{edge}"}}'))
    return _joined([*pieces, *_field_list(fields), contact_tail + ","])


def _optional(before: str, values: pa.StringArray, after: str) -> list[Piece]:
    """Return the pieces of a member of a contact: nothing where the value is null."""
    if values.null_count == 0:
        return [before, values, after]
    return [pc.binary_join_element_wise(before, values, after, "")]


def _field_list(fields: list[list[Piece]]) -> list[Piece]:
    """Return the pieces of the list of custom fields, each of which begins with a comma; nothing when all are null."""
    pieces = [piece for field in fields for piece in field]
    if not pieces:
        return []
    if isinstance(pieces[0], str):  # every row has the first field
        return [',"fields":[' + pieces[0].removeprefix(","), *pieces[1:], "]"]
    listed = pc.binary_slice(_joined(pieces).view(pa.binary()), len(",")).view(pa.string())
    return _optional(',"fields":[', pc.if_else(pc.equal(pc.binary_length(listed), 0), None, listed), "]")


def _joined(pieces: list[Piece]) -> pa.StringArray:
    """Join pieces row by row; a null is nothing."""
    return pc.binary_join_element_wise(*pieces, "", null_handling="replace", null_replacement="")


def _reference_column(rows: pa.RecordBatch, matched: Matched, first_row: int) -> pa.StringArray:
    numbers = pa.array(np.arange(first_row, first_row + rows.num_rows)).cast(pa.string())
    pieces: list[Piece] = ["[", numbers]
    if matched.customer_id is None:
        pieces += [",null"]
    else:
        ids = pc.binary_join_element_wise(',"', rows.column(matched.customer_id), '"', "")
        pieces.append(pc.fill_null(ids, ",null"))
    if matched.previous_customer_id is not None:
        pieces += _optional(',"', rows.column(matched.previous_customer_id), '"')
    return _joined([*pieces, "],"])
