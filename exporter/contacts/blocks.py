"""Turn rows into contacts block by block. Where a block holds columns, Arrow handles all plain rows at once.

The rules are those of `rules.contact_of`. A row is plain when a few tests of its bytes leave no doubt what that
function would return: a contact without notices or characters to escape. Every other row is passed to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from exporter.contacts.fitting import fit_column
from exporter.contacts.matching import Matched
from exporter.contacts.rules import Contact, Unfit, agrees, contact_of
from exporter.contacts.texts import NO_VALUE_TEXTS, Notice
from exporter.contacts.values import Kind
from exporter.reasons import Reason
from exporter.source.formats.text_columns import bounds, content, lengths
from exporter.source.rows import Rows, rows_at

type Positions = npt.NDArray[np.int64]
type Flags = npt.NDArray[np.bool_]
type Piece = str | pa.StringArray
_LOCAL = r"[A-Za-z0-9!#$%&*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_PLAIN_ADDRESS = rf"^{_LOCAL}(?:\.{_LOCAL})*@(?:{_LABEL}\.)+[A-Za-z]{{2,}}$"
_PLAIN_ADDRESS_CHARACTERS = 63  # so that none of its parts can be too long


@dataclass(frozen=True, slots=True)
class Contacts:
    """Contacts as columns: their texts and their row references, each followed by a comma."""

    texts: pa.StringArray
    references: pa.StringArray


@dataclass(frozen=True, slots=True)
class Checked:
    """A checked block of rows: which are contacts, and why the other rows are not.

    `positions` are those of the contacts in the block, `addresses` are their addresses in lower case; `refused`,
    `notices` and `unfit` are by position. `filled` tells for each target of the mapping which of the contacts have a
    value for it.
    """

    positions: Positions
    addresses: pa.StringArray
    refused: dict[int, Reason]
    notices: dict[int, tuple[Notice, ...]]
    unfit: dict[int, tuple[Unfit, ...]]
    filled: Flags
    _contacts: Contacts
    _places: Positions
    passed_over: int = 0
    """Rows of the block that nobody asked for: they are neither contacts nor refused."""

    def contacts(self, chosen: Flags) -> Contacts:
        """Return the chosen ones of the contacts at `positions`, in order."""
        places = pa.array(self._places[chosen])
        return Contacts(self._contacts.texts.take(places), self._contacts.references.take(places))

    def among(self, wanted: Flags) -> Checked:
        """Return the same of the wanted rows of the block only."""
        kept = wanted[self.positions]
        return replace(
            self,
            positions=self.positions[kept],
            addresses=self.addresses.filter(pa.array(kept)),
            refused={position: reason for position, reason in self.refused.items() if wanted[position]},
            notices={position: notices for position, notices in self.notices.items() if wanted[position]},
            unfit={position: unfit for position, unfit in self.unfit.items() if wanted[position]},
            filled=self.filled[:, kept],
            _places=self._places[kept],
            passed_over=int(np.count_nonzero(~wanted)),
        )


def check(rows: Rows, matched: Matched, contact_tail: bytes, max_text_bytes: int, first_row: int) -> Checked:
    """Check the rows of a block whose first row has the running number `first_row`.

    `contact_tail` ends each contact; a contact of more than `max_text_bytes` is refused.
    """
    if isinstance(rows, list):
        plain, columns = np.zeros(len(rows), np.bool_), _columns([], [], [])
        filled = np.zeros((len(matched.targets), len(rows)), np.bool_)
    else:
        plain, filled, columns = _plain_contacts(rows, matched, contact_tail.decode(), max_text_bytes, first_row)
    contacts: dict[int, Contact] = {}
    refused: dict[int, Reason] = {}
    unfit: dict[int, tuple[Unfit, ...]] = {}
    references = []
    doubtful = np.flatnonzero(~plain).tolist()
    for position, row in zip(doubtful, rows_at(rows, doubtful, range(len(matched.wanted))), strict=True):
        if isinstance(row, Reason):
            refused[position] = row
            continue
        contact = contact_of(row, matched)
        if isinstance(contact, Reason):
            refused[position] = contact
            continue
        if contact.unfit:
            unfit[position] = contact.unfit
        if contact.rejected:
            refused[position] = Reason.VALUE_DOES_NOT_FIT
        elif len(contact.text) + len(contact_tail) > max_text_bytes:
            refused[position] = Reason.CONTACT_TOO_LARGE
        else:
            contacts[position] = contact
            references.append(_reference(first_row + position, row, matched))
    unplain = _columns(
        [contact.key for contact in contacts.values()],
        [contact.text + contact_tail + b"," for contact in contacts.values()],
        references,
    )
    # These contacts come after the plain ones; their places restore the order of the rows.
    places = np.where(plain, np.arange(len(plain)), -1)
    places[list(contacts)] = len(columns[0]) + np.arange(len(contacts))
    if contacts:
        filled[:, list(contacts)] = np.array([contact.filled for contact in contacts.values()], np.bool_).T
        columns = tuple(pa.concat_arrays(pair) for pair in zip(columns, unplain, strict=True))
    addresses, texts, references = columns
    positions = np.flatnonzero(places >= 0)
    return Checked(
        positions=positions,
        addresses=addresses.take(pa.array(places[positions])),
        refused=refused,
        notices={position: contact.notices for position, contact in contacts.items() if contact.notices},
        unfit=unfit,
        filled=filled[:, positions],
        _contacts=Contacts(texts, references),
        _places=places[positions],
    )


type _AddressesTextsReferences = tuple[pa.StringArray, pa.StringArray, pa.StringArray]


def _columns(addresses: list[str], texts: list[bytes], references: list[bytes]) -> _AddressesTextsReferences:
    return pa.array(addresses, pa.string()), pa.array(texts, pa.string()), pa.array(references, pa.string())


def _reference(number: int, row: Sequence[str], matched: Matched) -> bytes:
    """Return the running number of a row with its customer id and, if there is one, its previous one."""
    current, previous = (
        None if position is None else row[position] or None
        for position in (matched.customer_id, matched.previous_customer_id)
    )
    return orjson.dumps([number, current, *([previous] if previous else [])]) + b","


def _plain_contacts(
    rows: pa.RecordBatch, matched: Matched, contact_tail: str, max_text_bytes: int, first_row: int
) -> tuple[Flags, Flags, _AddressesTextsReferences]:
    """Return which rows are plain, which targets have values, and, for every row, its contact if it is plain."""
    email = rows.column(matched.email)
    plain = _flags(pc.match_substring_regex(email, _PLAIN_ADDRESS))
    plain &= lengths(email) <= _PLAIN_ADDRESS_CHARACTERS
    if matched.consent is not None:
        plain &= agreeing(rows, matched.consent)
    if matched.previous_customer_id is not None:
        plain &= _flags(rows.column(matched.previous_customer_id).is_null())
    columns: list[pa.StringArray] = []
    texts: list[pa.StringArray] = [] if matched.customer_id is None else [rows.column(matched.customer_id)]
    for target in matched.targets:
        column = rows.column(target.position)
        if target.rule.kind in _TEXTS:
            texts.append(column)
            if target.rule.kind is Kind.PHONE:
                phone = _Bytes([column])
                plain &= ~(phone.holding(b"eE") | phone.beginning_with(b"-") | phone.ending_with(b"0", after=b"."))
            if target.rule.when_empty is not None:
                plain &= ~_flags(column.is_null())
        else:
            column, certain = fit_column(column, target.rule)
            plain &= certain
        columns.append(column)
    if texts:
        plain &= ~_Bytes(texts).odd()
    written = _text_column(email, matched, columns, contact_tail)
    plain &= lengths(written) <= max_text_bytes + len(",")
    filled = np.array([_flags(column.is_valid()) for column in columns], np.bool_).reshape(len(columns), len(plain))
    return plain, filled, (pc.ascii_lower(email), written, _reference_column(rows, matched, first_row))


_TEXTS = frozenset((Kind.TEXT, Kind.NAME, Kind.PHONE))
"""What takes any text, so that the bytes of all such columns are tested together."""


def agreeing(rows: pa.RecordBatch, consent: tuple[int, frozenset[str], bool]) -> Flags:
    """Return the rows that say yes; each value of the consent column is looked at once."""
    coded = rows.column(consent[0]).dictionary_encode(null_encoding="encode")
    yes = np.array([agrees(text or "", consent) for text in coded.dictionary.to_pylist()], np.bool_)
    flags: Flags = yes[coded.indices.to_numpy()]
    return flags


def _flags(values: pa.BooleanArray) -> Flags:
    """Return Booleans as a numpy array; null is false."""
    flags: Flags = values.to_numpy(zero_copy_only=False)
    return flags if flags.dtype == np.bool_ else flags == np.True_


class _Bytes:
    """The bytes of columns of equal length; each test returns the rows in which any of the columns matches."""

    def __init__(self, columns: list[pa.StringArray]) -> None:
        self._count = len(columns[0])
        texts, starts, ends = [], [], []
        size = 0
        for column in columns:
            edges = bounds(column)
            texts.append(content(column)[edges[0] : edges[-1]])
            edges = edges + (size - edges[0])
            starts.append(edges[:-1])
            ends.append(edges[1:])
            size += len(texts[-1])
        self._text, self._starts, self._ends = np.concatenate(texts), np.concatenate(starts), np.concatenate(ends)
        self._filled = np.flatnonzero(self._ends > self._starts)

    def _rows(self, values: Positions) -> Flags:
        """Return the rows of some values; the columns are concatenated."""
        rows = np.zeros(self._count, np.bool_)
        rows[values % self._count] = True
        return rows

    def _rows_of_bytes(self, marks: Flags) -> Flags:
        return self._rows(np.searchsorted(self._ends, np.flatnonzero(marks), side="right"))

    def holding(self, values: bytes) -> Flags:
        """Return the rows in which a value holds one of these bytes."""
        return self._rows_of_bytes(_one_of(self._text, values))

    def beginning_with(self, values: bytes) -> Flags:
        """Return the rows in which a value begins with one of these bytes."""
        return self._rows(self._filled[_one_of(self._text[self._starts[self._filled]], values)])

    def ending_with(self, values: bytes, after: bytes = b"") -> Flags:
        """Return the rows in which a value ends with one of these bytes, right after one of `after`, if given."""
        found = _one_of(self._text[self._ends[self._filled] - 1], values)
        if after:
            longer = self._ends[self._filled] - self._starts[self._filled] > 1
            found &= longer & _one_of(self._text[np.maximum(self._ends[self._filled] - 2, 0)], after)
        return self._rows(self._filled[found])

    def odd(self) -> Flags:
        """Return the rows that need a closer look: escapes, what is cleaned, outer blanks, texts that mean no value."""
        # 0xC2 begins control characters and the no-break space, 0xE2 and 0xEF begin what has no width.
        marks = (self._text < ord(" ")) | _one_of(self._text, b'"\\\x7f\xc2\xe2\xef')
        outer = self.beginning_with(b" ") | self.ending_with(b" ")
        return self._rows_of_bytes(marks) | outer | self._rows(self._no_values())

    def _no_values(self) -> Positions:
        """Return the values that mean no value."""
        sizes = self._ends - self._starts
        short = np.flatnonzero((sizes >= _SHORTEST_NO_VALUE) & (sizes <= _LONGEST_NO_VALUE))
        first, second = (self._text[self._starts[short] + place] | 0x20 for place in (0, 1))  # letters in lower case
        short = short[_BEGINNINGS[sizes[short], first, second]]
        texts = (self._text[self._starts[value] : self._ends[value]].tobytes().lower() for value in short.tolist())
        found: Positions = short[np.fromiter((text in _NO_VALUES for text in texts), np.bool_, len(short))]
        return found


_NO_VALUES = frozenset(text.encode() for text in NO_VALUE_TEXTS)
_SHORTEST_NO_VALUE, _LONGEST_NO_VALUE = min(map(len, _NO_VALUES)), max(map(len, _NO_VALUES))
_BEGINNINGS = np.zeros((_LONGEST_NO_VALUE + 1, 256, 256), np.bool_)
for _text in _NO_VALUES:
    _BEGINNINGS[len(_text), _text[0] | 0x20, _text[1] | 0x20] = True
"""By length and first two bytes, where there is such a text: few other values have all three."""


def _one_of(data: npt.NDArray[np.uint8], values: bytes) -> Flags:
    flags: Flags = data == values[0]
    for value in values[1:]:
        flags |= data == value
    return flags


def _text_column(
    email: pa.StringArray, matched: Matched, columns: Sequence[pa.StringArray], contact_tail: str
) -> pa.StringArray:
    """Return the text of each contact, as `contact_of` makes it from a plain row; `columns` are what is sent."""
    pieces: list[Piece] = ['{"email":"', email, '"']
    fields = []
    for target, column in zip(matched.targets, columns, strict=True):
        if target.member:
            pieces += _optional(f',"{target.member}":"', column, '"')
        elif target.field:
            fields.append(_optional(f',{{"id":{target.field.id},"value":"', column, '"}'))
    return _joined([*pieces, *_field_list(fields), contact_tail + ","])


def _optional(before: str, values: pa.StringArray, after: str) -> list[Piece]:
    """Return the pieces of a member of a contact: nothing where the value is null."""
    if values.null_count == 0:
        return [before, values, after]
    if values.null_count == len(values):
        return []
    return [pc.binary_join_element_wise(before, values, after, "")]


def _field_list(fields: list[list[Piece]]) -> list[Piece]:
    """Return the pieces of the list of custom fields, each of which begins with a comma; nothing when all are null."""
    pieces = [piece for field in fields for piece in field]
    if not pieces:
        return []
    if isinstance(pieces[0], str):  # every row has the first field
        return [',"fields":[' + pieces[0].removeprefix(","), *pieces[1:], "]"]
    listed = pc.utf8_slice_codeunits(_joined(pieces), len(","))
    return _optional(',"fields":[', pc.if_else(pc.equal(pc.binary_length(listed), 0), None, listed), "]")


def _joined(pieces: list[Piece]) -> pa.StringArray:
    """Join pieces row by row; a null counts as empty."""
    merged: list[Piece] = []
    for piece in pieces:
        if merged and isinstance(piece, str) and isinstance(merged[-1], str):
            merged[-1] += piece  # each piece costs time in every row
        else:
            merged.append(piece)
    return pc.binary_join_element_wise(*merged, "", null_handling="replace", null_replacement="")


def _reference_column(rows: pa.RecordBatch, matched: Matched, first_row: int) -> pa.StringArray:
    numbers = pa.array(np.arange(first_row, first_row + rows.num_rows)).cast(pa.string())
    pieces: list[Piece] = ["[", numbers, ","]
    ids = [] if matched.customer_id is None else _optional('"', rows.column(matched.customer_id), '"')
    if len(ids) == 1:  # some rows have none
        ids = [pc.coalesce(ids[0], pa.scalar("null"))]
    pieces += ids or ["null"]
    return _joined([*pieces, "],"])
