"""Keys: by purpose and generation, the same for all exports; addresses as they are compared for duplicates."""

from __future__ import annotations

import base64
import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.contacts.addresses import email_flaw, key_of
from exporter.contacts.blocks import check
from exporter.contacts.matching import Mapping, match_columns
from exporter.memory.hashes import Hashes
from exporter.memory.keys import PeopleKey
from exporter.memory.people import day_of
from exporter.source.rows import Column

SECRET = bytes(range(32))
KEY = PeopleKey(SECRET)


def texts(*values: str | None) -> pa.StringArray:
    return pa.array(values, pa.string())


def one(hashes: Hashes) -> str:
    return f"{int(hashes[0]):016x}"


def test_hashes_stay_as_they_are_since_memories_hold_them() -> None:
    address = KEY.address("ada@example.com")

    assert f"{int(address.heads[0]):016x} {int(address.tails[0]):08x}" == "fe3412bf101e5aef d2103264"
    assert one(KEY.values(texts('{"email":"ada@example.com"}'))) == "766c82fca8932edd"
    assert one(KEY.customer_ids(texts("C-1"))) == "728ce8d6b73f4b2f"
    assert KEY.check == "988d09fc4c42c17e"


def test_each_purpose_each_generation_and_each_secret_has_hashes_of_its_own() -> None:
    keys = (KEY, PeopleKey(SECRET, 2), PeopleKey(bytes(32)))
    same = texts("ada@example.com")
    found = [
        hashed
        for key in keys
        for hashed in (int(key.addresses(same).heads[0]), int(key.values(same)[0]), int(key.customer_ids(same)[0]))
    ]

    assert len({*found, *(int(key.check, 16) for key in keys)}) == 12


WRITTEN = (
    "ada@example.com",
    "ADA@Example.COM",
    " ada@example.com ",
    "Ada Lovelace <Ada@example.com>",
    "mailto:ada@example.com",
    "ada@example.com;",
    "\u200bada@example.com",
)


def test_one_address_however_it_is_written_has_one_hash() -> None:
    assert len({int(KEY.address(text).heads[0]) for text in WRITTEN}) == 1
    assert int(KEY.address("adb@example.com").heads[0]) != int(KEY.address("ada@example.com").heads[0])


def test_columns_in_upper_case_have_the_same_hashes_too() -> None:
    found = KEY.addresses(texts("ADA@Example.com", "ada@example.com"))

    assert (found.heads[0], found.tails[0]) == (found.heads[1], found.tails[1])


@given(st.lists(st.one_of(st.sampled_from([*WRITTEN, "ÄDA@bücher.example", "O'Neil@x.com"]), st.emails()), max_size=9))
def test_what_a_run_compares_is_what_somebody_who_is_looked_for_has(written: list[str]) -> None:
    rows = pa.RecordBatch.from_arrays([texts(*written)], ["EMail"])
    checked = check(rows, match_columns(Mapping("EMail"), [Column("EMail", "string")]), b"}", 10_000, 1)
    sent = [written[position] for position in checked.positions.tolist()]

    found = KEY.addresses(checked.addresses)

    assert [text for text in written if email_flaw(key_of(text)) is None] == sent
    for place, text in enumerate(sent):
        alone = KEY.address(text)
        assert (found.heads[place], found.tails[place]) == (alone.heads[0], alone.tails[0])
    for (place, a), (other, b) in itertools.combinations(enumerate(checked.addresses.to_pylist()), 2):
        assert (found.heads[place] == found.heads[other]) == (a == b)


def test_who_has_no_customer_id_has_no_hash_and_everybody_else_has_one() -> None:
    found = KEY.customer_ids(texts("C-1", None, "", "c-1", "C-1"))

    assert (found == 0).tolist() == [False, True, True, False, False]
    assert found[0] == found[4] != found[3]


def test_no_hash_is_the_number_that_means_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.memory.cmac.Cmac.of_column", lambda _, column: np.zeros((len(column), 2), np.uint64))

    assert KEY.values(texts("a")).tolist() == KEY.customer_ids(texts("a")).tolist() == [1]


@pytest.mark.parametrize("text", ["", "short", "ä" * 43, base64.urlsafe_b64encode(bytes(31)).decode(), "." * 43])
def test_a_secret_that_is_none_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match="people key: expected 32 bytes") as refused:
        PeopleKey.of(text)

    assert not text or text not in str(refused.value)


def test_a_secret_is_read_as_it_is_kept_and_never_shown() -> None:
    text = base64.urlsafe_b64encode(SECRET).decode().rstrip("=")

    assert PeopleKey.of(text, 3) == PeopleKey(SECRET, 3)
    assert PeopleKey.of(text + "=").check == KEY.check
    assert repr(KEY) == f"PeopleKey(check={KEY.check!r}, generation=1)"
    with pytest.raises(ValueError, match="expected a generation from 1 on, found 0"):
        PeopleKey(SECRET, 0)


def test_days_are_those_of_utc() -> None:
    assert [day_of(at) for at in (86_400, 86_400 * 2 - 0.001, 86_400 * 2)] == [1, 1, 2]
