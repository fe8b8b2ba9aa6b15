"""The body of a bulk import: made once, and cut without touching a contact."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.activecampaign import bodies
from exporter.activecampaign.bodies import Envelope, envelope


def body_of(contacts: list[dict[str, str]], around: Envelope) -> bytes:
    opened = [json.dumps(c, ensure_ascii=False, separators=(",", ":"))[:-1].encode() for c in contacts]
    return around.prefix + b",".join(one + around.contact_tail for one in opened) + around.suffix


def test_a_body_subscribes_everybody_and_excludes_automations_in_both_places() -> None:
    body = json.loads(
        body_of([{"email": "a@example.com"}, {"email": "b@example.com"}], envelope(7, run_automations=False))
    )
    assert body == {
        "exclude_automations": True,
        "contacts": [
            {"email": "a@example.com", "subscribe": [{"listid": 7}], "exclude_automations": True},
            {"email": "b@example.com", "subscribe": [{"listid": 7}], "exclude_automations": True},
        ],
    }


def test_an_export_that_runs_automations_says_nothing_of_them() -> None:
    body = json.loads(body_of([{"email": "a@example.com"}], envelope(7, run_automations=True)))
    assert body == {"contacts": [{"email": "a@example.com", "subscribe": [{"listid": 7}]}]}


@st.composite
def contacts(draw: st.DrawFn) -> list[dict[str, str]]:
    nasty = st.one_of(
        st.text(), st.sampled_from(['","subscribe":[{"listid":7}]}', ',"subscribe":[{"listid":7}]', "\\", '"'])
    )
    one = st.fixed_dictionaries({"email": nasty}, optional={"first_name": nasty, "phone": nasty})
    return draw(st.lists(one, min_size=1, max_size=6))


@given(contacts(), st.booleans().map(lambda run: envelope(7, run_automations=run)), st.data())
def test_selecting_contacts_keeps_each_byte_for_byte(
    everybody: list[dict[str, str]], around: Envelope, data: st.DataObject
) -> None:
    body = body_of(everybody, around)
    positions = sorted(data.draw(st.sets(st.integers(0, len(everybody) - 1), min_size=1)))
    assert bodies.select(body, around, positions) == body_of([everybody[p] for p in positions], around)
    assert bodies.select(body, around, range(len(everybody))) == body
    assert bodies.addresses(body) == [one["email"] for one in everybody]


def test_a_body_of_another_envelope_is_refused() -> None:
    body = body_of([{"email": "a@example.com"}], envelope(7, run_automations=False))
    for other in (envelope(8, run_automations=False), envelope(7, run_automations=True)):
        with pytest.raises(ValueError, match="another one"):
            bodies.select(body, other, [0])


def test_failed_addresses_are_found_whatever_their_case_and_spaces() -> None:
    sent = ["Jane@Example.com", "joe@example.com", "ann@example.com"]
    assert bodies.failed_positions(["ANN@example.COM ", "jane@example.com"], sent) == ((0, 2), 0)


def test_an_address_that_only_looks_alike_did_not_fail() -> None:
    assert bodies.failed_positions(["\u017fam@example.com"], ["sam@example.com"]) == ((), 1)


def test_failed_addresses_that_were_not_sent_are_counted_once() -> None:
    assert bodies.failed_positions(["x@example.com", "X@example.com", "a@example.com"], ["a@example.com"]) == ((0,), 1)
