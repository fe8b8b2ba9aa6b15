"""What all rows with one address say together, compared with a dictionary of all rows by address."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from random import Random
from typing import NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.contacts import people as rules
from exporter.contacts.addresses import email_flaw
from exporter.contacts.matching import Consent, Field, FieldMapping, Mapping
from exporter.contacts.matching import match_columns as match
from exporter.contacts.people import People
from exporter.contacts.rules import Contact, contact_of
from exporter.contacts.texts import BLANKS, folded
from exporter.contacts.values import Kind, Rule
from exporter.errors import Stop
from exporter.reasons import Reason
from exporter.source.rows import Rows
from tests.unit.contacts import columns
from tests.unit.contacts.columns import COLUMNS

type Person = dict[str, str]
type Ends = dict[int, object]
"""By row number: the contact that it becomes, the reason why not, or a word and the row that decides on it."""
NAMES = [column.name for column in COLUMNS]
MAPPING = replace(
    columns.MAPPING,
    fields=(
        FieldMapping("Tier", Field(7), Rule(Kind.NUMBER, when_empty="0")),
        FieldMapping("Tags", Field(8), Rule(Kind.OPTIONS, reject_row=True)),
    ),
)
SENT = {"First": "first_name", "Last": "last_name", "Phone": "phone", "Tier": 7, "Tags": 8}
"""By column: the member of a contact, or the id of its field."""
CONSENTS = [
    None,
    Consent("Consent", "Yes"),
    Consent("Consent", "no", holds=False),
    Consent("Consent", "k", holds=False),
    Consent("Consent", " ", holds=False),
    Consent("Consent", ""),
]
CELLS = {
    "Id": ["", "x", "7", "70", "8.5", "2026-11-26", "2026-11-27T01:00+02:00", "2026-11-26T22:59Z"],
    "EMail": ["a@x.org", " A@x.org", "a@X.org\u00a0", "b@x.org", "b@x.org", "", "nobody"],
    "First": ["", "", "Ada", "Bob", " ", "a\x01"],
    "Tier": ["", "5", "7", "many"],
    "Last": ["", "L", '"', "NULL"],
    "Tags": ["", "a;b", ";", "c", "a||b"],
    "Consent": ["yes", " Yes", "YES", "no", " No", "NO\u00a0", "", " ", "\u212a", "\u00e9"],
}
PEOPLE = st.fixed_dictionaries({name: st.sampled_from(cells) for name, cells in CELLS.items()})
AGREED = PEOPLE.map(lambda person: person | {"Consent": "yes"})


class Read(NamedTuple):
    """How rows are read: where one block ends and the next begins, and whether they come one by one."""

    cuts: tuple[int, ...] = ()
    careful: bool = False


WHOLE = Read()
READS = st.builds(Read, st.lists(st.integers(0, 14), max_size=3).map(tuple), st.booleans())


def texts(row: Person, wanted: Sequence[str]) -> tuple[str, ...]:
    return tuple(row.get(name, "") for name in wanted)


def blocks(rows: list[Person], wanted: Sequence[str], read: Read) -> Iterator[Rows]:
    edges = [0, *sorted(min(cut, len(rows)) for cut in read.cuts), len(rows)]
    for start, end in itertools.pairwise(edges):
        part = [texts(row, wanted) for row in rows[start:end]]
        if read.careful:
            yield list(part)
        else:
            columns = list(zip(*part, strict=True)) or [()] * len(wanted)
            arrays = [pa.array([text or None for text in column], pa.string()) for column in columns]
            yield pa.RecordBatch.from_arrays(arrays, [str(number) for number in range(len(arrays))])


def ends(rows: list[Person], mapping: Mapping, read: Read = WHOLE, room: int = 10_000) -> Ends:
    people = People(mapping, "", b"}", room)
    for look in people.looks():
        matched, number = match(people.mapping, COLUMNS), 1
        for block in blocks(rows, matched.wanted, read):
            look(block, matched, number)
            number += len(block)
    matched, number = match(mapping, COLUMNS), 1
    found: Ends = {}
    for block in blocks(rows, matched.wanted, read):
        checked = people.check(block, matched, number)
        found |= {number + position: reason for position, reason in checked.refused.items()}
        own = (checked.positions + number).tolist()
        counting = people.counting(checked.addresses, checked.positions + number).tolist()
        contacts = checked.contacts(np.ones(len(own), np.bool_)).texts.to_pylist()
        for row, other, text in zip(own, counting, contacts, strict=True):
            word = "no" if people.refuses(other) else "duplicate"
            found[row] = orjson.loads(text.removesuffix(",")) if row == other else (word, other)
        number += len(block)
    return found


def rank(text: str) -> tuple[int, object]:
    try:
        return 1, Decimal(text)
    except InvalidOperation:
        pass
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return 0, 0
    return 2, time if time.tzinfo else time.replace(tzinfo=UTC)


def in_plain_python(rows: list[Person], mapping: Mapping) -> Ends:
    """Return the same from a dictionary by address over all rows."""
    matched = match(replace(mapping, consent=None), COLUMNS)
    numbered = dict(enumerate(rows, 1))
    contacts = {number: contact_of(texts(row, matched.wanted), matched) for number, row in numbered.items()}
    found: Ends = {number: one for number, one in contacts.items() if isinstance(one, Reason)}
    good_ones = {number: one for number, one in contacts.items() if isinstance(one, Contact)}
    found |= {number: Reason.VALUE_DOES_NOT_FIT for number, one in good_ones.items() if one.rejected}
    by_address: dict[str, list[int]] = {}
    for number, row in numbered.items():
        if says_no(row, mapping.consent):
            found[number] = Reason.NO_CONSENT
        address = row["EMail"].strip(BLANKS)
        if email_flaw(address) is None:
            by_address.setdefault(address.lower(), []).append(number)
    for numbers in by_address.values():
        refusing = [number for number in numbers if says_no(numbered[number], mapping.consent)]
        good = [number for number in numbers if number not in found]
        if refusing:
            found |= dict.fromkeys(good, ("no", refusing[0]))
        elif good:
            winner = max(good, key=lambda number: (rank(numbered[number]["Id"]) if mapping.winner else 0, -number))
            found |= {number: ("duplicate", winner) for number in good if number != winner}
            person = dict(numbered[winner])
            if mapping.fill_empty:
                unfit = {matched.targets[unfit.target].column for unfit in good_ones[winner].unfit}
                for name in SENT.keys() - unfit:
                    has = [number for number in good if held(numbered[number], name)]
                    if has and winner not in has:
                        person[name] = numbered[has[0]][name]
            contact = contact_of(texts(person, matched.wanted), matched)
            assert isinstance(contact, Contact)
            found[winner] = orjson.loads(contact.text + b"}")
    return found


def says_no(row: Person, consent: Consent | None) -> bool:
    return consent is not None and (folded(row["Consent"]) == folded(consent.value)) is not consent.holds


def held(row: Person, name: str) -> bool:
    """Return whether the contact of a row alone has a value from this column, not counting what stands in for it."""
    alone = {"EMail": row["EMail"], name: row.get(name, "")}
    fields = tuple(replace(one, rule=replace(one.rule, when_empty=None)) for one in MAPPING.fields)
    matched = match(replace(MAPPING, consent=None, fields=fields), COLUMNS)
    contact = contact_of(texts(alone, matched.wanted), matched)
    assert isinstance(contact, Contact)
    members = orjson.loads(contact.text + b"}")
    return SENT[name] in {*members, *(field["id"] for field in members.get("fields", ()))}


@given(st.lists(PEOPLE, max_size=14), READS, st.sampled_from(CONSENTS))
def test_a_row_that_says_no_holds_back_its_address_wherever_it_stands(
    rows: list[Person], read: Read, consent: Consent | None
) -> None:
    mapping = replace(MAPPING, consent=consent)
    assert ends(rows, mapping, read) == in_plain_python(rows, mapping)


@pytest.mark.parametrize("consent", [one for one in CONSENTS if one])
@pytest.mark.parametrize("cell", ["yes", " Yes", "no", " NO", "no\u00a0", "", " ", "\u212a", "k", "\u00e9"])
def test_columns_agree_as_rows_do(cell: str, consent: Consent) -> None:
    rows = [person("a@x.org"), person("b@x.org", Consent=cell), person("b@x.org", Consent="yes")]
    mapping = replace(MAPPING, consent=consent)
    assert ends(rows, mapping) == ends(rows, mapping, Read(careful=True)) == in_plain_python(rows, mapping)


@given(st.lists(AGREED, max_size=14), READS)
def test_the_row_with_the_largest_value_counts(rows: list[Person], read: Read) -> None:
    mapping = replace(MAPPING, winner="Id")
    assert ends(rows, mapping, read) == in_plain_python(rows, mapping)


@given(st.lists(AGREED, max_size=14), READS)
def test_what_a_row_lacks_comes_from_the_first_other_one_that_has_it(rows: list[Person], read: Read) -> None:
    mapping = replace(MAPPING, fill_empty=True)
    assert ends(rows, mapping, read) == in_plain_python(rows, mapping)


@given(st.lists(PEOPLE | AGREED, max_size=14), READS, st.sampled_from(CONSENTS))
def test_all_of_it_together(rows: list[Person], read: Read, consent: Consent | None) -> None:
    mapping = replace(MAPPING, consent=consent, winner="Id", fill_empty=True)
    assert ends(rows, mapping, read) == in_plain_python(rows, mapping)


@pytest.mark.parametrize("consent", [None, Consent("Consent", "Yes"), Consent("Consent", "no", holds=False)])
@pytest.mark.parametrize("read", [WHOLE, Read((5, 40)), Read((7, 8), careful=True)])
def test_many_rows_of_few_people_say_what_they_say_together(consent: Consent | None, read: Read) -> None:
    random = Random(1)
    rows = [{name: random.choice(cells) for name, cells in CELLS.items()} for _ in range(60)]
    for number, row in enumerate(rows):
        row["EMail"] = row["EMail"].replace("x.org", f"{number % 7}.org")
    for winner, fill_empty in itertools.product((None, "Id"), (False, True)):
        mapping = replace(MAPPING, consent=consent, winner=winner, fill_empty=fill_empty)
        assert ends(rows, mapping, read) == in_plain_python(rows, mapping)


def person(address: str, **values: str) -> Person:
    return {"EMail": address, "Consent": "yes"} | values


@pytest.mark.parametrize("mapping", [Mapping("EMail"), Mapping("EMail", first_name="First")])
def test_who_asks_for_nothing_has_nothing_read_twice(mapping: Mapping) -> None:
    assert list(People(mapping, "", b"}", 1_000).looks()) == []


def looked_at(**settings: object) -> tuple[str, ...]:
    mapping = replace(MAPPING, **({"consent": None} | settings))  # type: ignore[arg-type]  # members of a mapping
    people = People(mapping, "", b"}", 1_000)
    rows = [person("a@x.org"), person("a@x.org", First="Ada")]
    matched = match(people.mapping, COLUMNS)
    count = 0
    for look in people.looks():
        count += 1
        look([texts(row, matched.wanted) for row in rows], matched, 1)
    return (*matched.wanted, str(count))


def test_only_what_is_needed_is_read_and_only_as_often() -> None:
    assert looked_at(consent=Consent("Consent", "yes")) == ("EMail", "Consent", "1")
    assert looked_at(winner="Id") == ("EMail", "First", "Last", "Phone", "Tier", "Tags", "Id", "1")
    labels = {"customer_id": "Consent", "previous_customer_id": "Consent"}
    assert looked_at(winner="Id", **labels) == looked_at(winner="Id")
    assert looked_at(fill_empty=True) == ("EMail", "First", "Last", "Phone", "Tier", "Tags", "3")


def test_rows_that_will_be_set_aside_are_counted_while_they_are_looked_at() -> None:
    people = People(replace(MAPPING, winner="Id"), "", b"}", 1_000)
    matched = match(people.mapping, COLUMNS)
    rows = [person("a@x.org"), person("a@x.org"), person("b@x.org", Consent="no"), person("", Consent="yes")]
    look = next(people.looks())
    look([texts(row, matched.wanted) for row in rows], matched, 1)
    assert people.counts == {Reason.DUPLICATE_EMAIL: 1, Reason.NO_CONSENT: 1, Reason.MISSING_EMAIL: 1}
    look([texts(row, matched.wanted) for row in rows], matched, 5)
    assert people.counts == {Reason.DUPLICATE_EMAIL: 3, Reason.NO_CONSENT: 2, Reason.MISSING_EMAIL: 2}


@pytest.mark.parametrize("winner", [None, "Id"])
def test_a_row_that_cannot_be_read_says_nothing(winner: str | None) -> None:
    people = People(Mapping("EMail", consent=Consent("Consent", "yes"), winner=winner), "", b"}", 1_000)
    matched = match(people.mapping, COLUMNS)
    next(people.looks())([Reason.ROW_TOO_LARGE, texts(person("a@x.org", Consent="no"), matched.wanted)], matched, 1)
    assert people.counts[Reason.NO_CONSENT] == 1


@pytest.mark.parametrize(
    ("ids", "told"),
    [(["x", "2026-11-26", ""], "2 of 3"), (["1", "2", "3"], ""), (["x"], ""), (["1", "11/26/2026"], "1 of 2")],
)
def test_values_that_cannot_be_compared_are_pointed_out(ids: list[str], told: str) -> None:
    people = People(Mapping("EMail", winner="Id"), "", b"}", 1_000)
    matched = match(people.mapping, COLUMNS)
    for look in people.looks():
        look([texts(person("a@x.org", Id=value), matched.wanted) for value in ids], matched, 1)
    assert [warning.message.partition(" rows")[0] for warning in people.warnings] == ([told] if told else [])
    assert {warning.code for warning in people.warnings} <= {"winner_not_comparable"}


def test_a_row_that_would_get_too_large_goes_as_it_is() -> None:
    rows = [
        person("c@x.org"),
        person("a@x.org", Last="L"),
        person("a@x.org", First="f" * 60),
        person("b@x.org"),
        person("b@x.org", Last="M"),
    ]
    found = ends(rows, replace(columns.MAPPING, fill_empty=True), room=100)
    assert found[2] == {"email": "a@x.org", "last_name": "L"}
    assert found[4] == {"email": "b@x.org", "last_name": "M"}
    assert found[3] == ("duplicate", 2)


@pytest.mark.parametrize(("most", "value"), [("MOST_FILLED", 2), ("MOST_FILLED_CHARACTERS", 6)])
def test_no_more_is_filled_in_than_there_is_memory_for(most: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (rules.MOST_FILLED, rules.MOST_FILLED_CHARACTERS) == (200_000, 64 << 20)
    mapping = replace(columns.MAPPING, fill_empty=True)
    rows = [person("a@x.org"), person("a@x.org", First="Ada", Last="Ada")]
    monkeypatch.setattr(rules, most, value)
    assert ends(rows, mapping)[1] == {"email": "a@x.org", "first_name": "Ada", "last_name": "Ada"}
    with pytest.raises(Stop, match="filled in from other rows") as caught:
        ends([*rows, person("b@x.org"), person("b@x.org", First="Bob")], mapping)
    assert caught.value.code == "too_many_filled"
    assert "Bob" not in str(caught.value)


def test_who_does_not_agree_is_not_counted_as_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MOST_FILLED", 0)
    rows = [person("a@x.org"), person("a@x.org", First="Ada"), person("a@x.org", Consent="no")]
    assert ends(rows, replace(MAPPING, fill_empty=True))[1] == ("no", 3)
