"""Where batches are cut: each limit at both of its sides."""

from __future__ import annotations

import pytest

from exporter.delivery.batches import MIN_CONTACTS, RequestSize
from tests.planning import ADDRESS, addressees, csv_file, people, plan, table


def test_a_request_has_at_most_250_contacts_and_399_999_bytes() -> None:
    assert RequestSize() == RequestSize(max_contacts=250, max_bytes=399_999)


@pytest.mark.parametrize(("count", "counts"), [(249, [249]), (250, [250]), (251, [241, 10]), (500, [250, 250])])
def test_the_251st_contact_begins_another_batch(count: int, counts: list[int]) -> None:
    assert [batch.count for batch in plan(table(addressees(count)), mapping=ADDRESS).planned.batches] == counts


# The second name has a character that JSON escapes, so that its row is read the careful way.
@pytest.mark.parametrize("name", ["Ada", 'A"a'])
def test_a_contact_that_fills_a_request_to_the_last_byte_is_sent_and_one_byte_more_is_too_large(name: str) -> None:
    files = table([("p0@x.org", ""), ("ada@example.com", name * 50), ("p1@x.org", "")])
    (fitting,) = plan(table([("ada@example.com", name * 50)]), mapping=ADDRESS).bodies
    full = plan(files, mapping=ADDRESS, limits=RequestSize(max_bytes=len(fitting)))
    assert full.planned.rejected_by_reason == {}
    assert fitting in full.bodies
    assert full.planned.contacts == 3
    less = plan(files, mapping=ADDRESS, limits=RequestSize(max_bytes=len(fitting) - 1))
    assert less.planned.rejected_by_reason == {"contact_too_large": 1}
    assert [row["email"] for row in less.rejects] == ["ada@example.com"]
    assert less.planned.contacts == 2


def test_a_batch_is_filled_to_the_last_byte_and_not_beyond_it() -> None:
    files = table(addressees(5))
    (together,) = plan(files, mapping=ADDRESS).bodies
    exactly = plan(files, mapping=ADDRESS, limits=RequestSize(max_bytes=len(together)))
    assert exactly.bodies == [together]
    less = plan(files, mapping=ADDRESS, limits=RequestSize(max_bytes=len(together) - 1))
    assert sorted(batch.count for batch in less.planned.batches) == [2, 3]


def test_a_small_last_batch_takes_as_many_contacts_as_fit_into_it_to_the_byte() -> None:
    short = [(f"p{n}@x.org", "A" * n) for n in range(20)]
    long = [(f"q{n}@x.org", "B" * 900) for n in range(3)]
    (fitting,) = plan(table([*short[-2:], *long]), mapping=ADDRESS).bodies
    cut = plan(table([*short, *long]), mapping=ADDRESS, limits=RequestSize(max_contacts=20, max_bytes=len(fitting)))
    assert [batch.count for batch in cut.planned.batches] == [18, 5]
    assert cut.bodies[-1] == fitting
    less = plan(
        table([*short, *long]), mapping=ADDRESS, limits=RequestSize(max_contacts=20, max_bytes=len(fitting) - 1)
    )
    assert [batch.count for batch in less.planned.batches] == [19, 4]


@pytest.mark.parametrize("count", [1, 9, 249, 250, 251, 252, 259, 260, 501, 509])
def test_no_small_batch_follows_a_full_one(count: int) -> None:
    counts = [b.count for b in plan({"1.csv": csv_file(people(count))}).planned.batches]
    assert sum(counts) == count
    assert len(counts) == 1 or min(counts) >= MIN_CONTACTS
