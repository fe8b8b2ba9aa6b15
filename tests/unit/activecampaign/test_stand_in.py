"""Bodies, outcomes, refusals and the rate budget together, against the strict stand-in of ActiveCampaign."""

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.activecampaign import bodies, outcomes, wire
from exporter.activecampaign.imports import bulk_outcome, import_outcome
from exporter.activecampaign.pacing import Budget, penalise, take
from exporter.activecampaign.refusals import Verdict, search
from sandbox.activecampaign import Account, Switches

KEY = "key"
LIST = 1


class Exporter:
    """Sends one body until everybody has an outcome, each request at its turn, on a clock of its own."""

    def __init__(self, switches: Switches) -> None:
        self.now = 1_795_000_000.0
        self.account = Account(KEY, clock=lambda: self.now, switches=switches)
        self.budget = Budget()
        self.refusals = 0

    def call(self, request: wire.Request) -> wire.Reply:
        self.budget, self.now = take(self.budget, request.kind, self.now)
        headers = {"api-token": KEY}
        answer = self.account.handle(
            request.method, request.path, urlencode(request.query), headers, request.body or b""
        )
        return wire.Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.body)

    def export(self, emails: list[str], around: bodies.Envelope) -> tuple[set[str], set[str]]:
        """Return who was confirmed and who was rejected."""
        opened = [json.dumps({"email": email}, ensure_ascii=False)[:-1].encode() for email in emails]
        body = around.prefix + b",".join(one + around.contact_tail for one in opened) + around.suffix
        verdicts: list[Verdict] = []
        imports: list[str] = []
        while (state := search(range(len(emails)), verdicts)).send:
            request = wire.bulk_import(bodies.select(body, around, state.send), len(state.send))
            match bulk_outcome(self.call(request)):
                case outcomes.Accepted(import_id):
                    imports.append(import_id)
                    verdicts.append(None)
                case outcomes.ContactsRefused() as refused:
                    verdicts.append(refused.positions)
                case outcomes.RateLimited(wait_s):
                    self.refusals += 1
                    self.budget = penalise(self.budget, self.now, wait_s)
                case other:
                    pytest.fail(f"unexpected: {other}")
        failed = {
            email
            for import_id, positions in zip(imports, state.accepted, strict=True)
            for email in self.failed_in(import_id, [emails[position] for position in positions])
        }
        everybody = {emails[position] for positions in state.accepted for position in positions}
        return everybody - failed, failed | {emails[position] for position in state.bad}

    def failed_in(self, import_id: str, sent: list[str]) -> list[str]:
        while True:
            match import_outcome(self.call(wire.import_info(import_id))):
                case outcomes.Completed(failed):
                    positions, unmatched = bodies.failed_positions(failed, sent)
                    assert unmatched == 0
                    return [sent[position] for position in positions]
                case outcomes.NotFinal():
                    self.now += 5
                case other:
                    pytest.fail(f"unexpected: {other}")


KINDS = {
    "good": "Person.{}@example.com",
    "refused at once": "person {}@example.com",
    "refused in the import": "o'person{}@example.com",
    "excluded": "person{}@excluded.example",
}


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.sampled_from([*["good"] * 6, *KINDS]), min_size=1, max_size=40),
    st.builds(
        Switches,
        index_base=st.sampled_from([0, 1]),
        typographic_quotes=st.booleans(),
        success_spelling=st.sampled_from(["success", "Success"]),
        success_lists=st.sampled_from(["created", "created_and_updated"]),
        failure_case=st.sampled_from(["as_sent", "lower"]),
        exclude_automations_at=st.sampled_from(["top", "contact", "either"]),
        counting=st.sampled_from(["sliding", "fixed", "token_bucket"]),
    ),
)
def test_exactly_the_bad_contacts_are_rejected_and_everybody_else_is_confirmed(
    kinds: list[str], switches: Switches
) -> None:
    exporter = Exporter(switches)
    exporter.account.exclude("@excluded.example", "end")
    emails = [KINDS[kind].format(n) for n, kind in enumerate(kinds)]
    confirmed, rejected = exporter.export(emails, bodies.envelope(LIST, run_automations=False))
    assert confirmed == {email for email, kind in zip(emails, kinds, strict=True) if kind == "good"}
    assert rejected == set(emails) - confirmed
    assert {each["email"].lower() for each in exporter.account.contacts()} == {email.lower() for email in confirmed}
    assert all(rate["violations"] == 0 for rate in exporter.account.violations().values())
    assert exporter.refusals == 0


@pytest.mark.parametrize("place", ["top", "contact", "either"])
@pytest.mark.parametrize("run_automations", [True, False])
def test_automations_run_only_when_the_export_says_so_wherever_the_member_counts(
    place: str, *, run_automations: bool
) -> None:
    exporter = Exporter(Switches().changed({"exclude_automations_at": place}))
    exporter.export(["a@example.com", "b@example.com"], bodies.envelope(LIST, run_automations=run_automations))
    assert exporter.account.state()["automation_runs"] == (2 if run_automations else 0)


def test_who_has_unsubscribed_stays_unsubscribed() -> None:
    exporter = Exporter(Switches())
    around = bodies.envelope(LIST, run_automations=False)
    exporter.export(["a@example.com", "b@example.com"], around)
    exporter.account.unsubscribe("a@example.com", LIST)
    assert exporter.export(["a@example.com", "b@example.com"], around) == ({"b@example.com"}, {"a@example.com"})


def test_a_throttled_request_is_repeated_after_the_pause() -> None:
    exporter = Exporter(Switches(imports_per_minute=1))
    around = bodies.envelope(LIST, run_automations=False)
    for person in "abc":
        confirmed, _ = exporter.export([f"{person}@example.com", f"{person}{person}@example.com"], around)
        assert len(confirmed) == 2
    assert exporter.refusals > 0
