"""Resume: a new run sends what a run that ended too early left over, and nothing else."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from exporter.activecampaign.wire import Answer, Request
from tests.api.client import CONNECTION, EXPORT, Api
from tests.builders import deliver, drive, people, read_run, rejects_of, write_segment
from tests.fakes import make_fakes

ROWS = [
    *people(1600),
    ("d", "Dup", "", "p7@example.com", ""),
    ("b", "Bad", "", "nobody", ""),
    ("x", "Excluded", "", "out@excluded.example", ""),
]


@pytest.fixture
def api() -> Api:
    return make_api(lane_time_budget_s=5)


def make_api(lane_time_budget_s: int = 240) -> Api:
    api = Api(make_fakes(LANES="1", LANE_TIME_BUDGET_S=str(lane_time_budget_s)), {})
    api.fakes.activecampaign.request_s = 2.0
    api.fakes.account.exclude("excluded.example", "end")
    write_segment(api.fakes, ROWS)
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EXPORT)
    return api


def canceled(api: Api, deliveries: int = 2, *, of: str = "/exports/newsletter/runs", body: Any = None) -> str:
    """Start a run, let it send some of its requests, cancel it, and return it when it is over."""
    run_id: str = api.post(of, body).json["runId"]
    for _ in range(deliveries):
        deliver(api.fakes)
    api.post(f"/runs/{run_id}/cancel")
    assert drive(api.fakes, run_id).status == "canceled"
    return run_id


def sent(api: Api) -> int:
    return sum(request.path.endswith("bulk_import") for request in api.fakes.activecampaign.requests)


def resume(api: Api, run_id: str) -> Any:
    started = api.post(f"/runs/{run_id}/resume")
    assert started.status == 202, started.json
    drive(api.fakes, started.json["runId"])
    return api.get(f"/runs/{started.json['runId']}").json


def test_only_what_has_no_outcome_is_sent_and_every_row_is_accounted_for(api: Api) -> None:
    run_id = canceled(api)
    before = api.get(f"/runs/{run_id}").json
    assert 0 < before["tally"]["unconfirmed"] < 1600
    requests = sent(api)
    assert 0 < requests < 7
    after = resume(api, run_id)
    assert sent(api) == 7
    assert after["resumes"] == run_id
    assert after["status"] == "completedWithWarnings"
    assert after["tally"] == {
        "rowsRead": 1603,
        "confirmed": 1600,
        "duplicates": 1,
        "rejected": 1,
        "rejectedByActiveCampaign": 1,
        "unconfirmed": 0,
        "reasons": {"duplicate_email": 1, "invalid_email_no_at": 1, "excluded": 1},
    }
    assert after["plan"]["carried"]["runId"] == run_id
    assert api.get(f"/runs/{run_id}").json == before, "what ended stays as it ended"
    assert len(api.fakes.account.contacts()) == 1600


def test_a_run_that_was_resumed_and_canceled_can_be_resumed_again(api: Api) -> None:
    first = canceled(api)
    second = api.post(f"/runs/{first}/resume").json["runId"]
    deliver(api.fakes)
    deliver(api.fakes)
    assert api.post(f"/runs/{second}/cancel").status == 202
    drive(api.fakes, second)
    after = resume(api, second)
    assert sent(api) == 7
    assert after["tally"]["confirmed"] == 1600
    assert after["tally"]["unconfirmed"] == 0
    refused = api.post(f"/runs/{first}/resume")
    assert (refused.status, refused.code) == (409, "newer_run")


def test_a_request_whose_outcome_is_not_known_is_sent_again_as_a_whole() -> None:
    api = make_api()
    api.fakes.account.end_next_imports("stuck", 2)
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    drive(api.fakes, run_id, limit_s=20_000)
    assert api.get(f"/runs/{run_id}").json["tally"]["reasons"]["not_confirmed_in_time"] == 500
    after = resume(api, run_id)
    assert sent(api) == 7 + 2
    assert after["tally"]["confirmed"] == 1600


def test_who_was_sent_by_the_earlier_run_is_found_there(api: Api) -> None:
    run_id = canceled(api)
    after = resume(api, run_id)
    found = {}
    for address in ("p0@example.com", "p1599@example.com"):
        (row,) = api.post(f"/runs/{after['runId']}/lookup", {"email": address}).json["rows"]
        found[address] = (row["bucket"], row["runId"])
    assert found == {"p0@example.com": ("confirmed", run_id), "p1599@example.com": ("confirmed", after["runId"])}
    nobody = api.post(f"/runs/{after['runId']}/lookup", {"email": "stranger@example.com"}).json
    assert (nobody["rows"], nobody["complete"]) == ([], True)


def test_the_next_run_compares_with_the_whole_segment(api: Api) -> None:
    resume(api, canceled(api))
    assert api.post("/exports/newsletter/preview").json["problems"] == []


def test_the_report_of_a_resumed_run_lists_what_was_set_aside_here(api: Api) -> None:
    after = resume(api, canceled(api))
    reasons = sorted(row["reason"] for row in rejects_of(api.fakes, after["runId"]))
    assert reasons == ["duplicate_email", "excluded", "invalid_email_no_at"]


def test_a_segment_that_was_refreshed_since_is_not_resumed(api: Api) -> None:
    run_id = canceled(api)
    write_segment(api.fakes, ROWS)
    refused = api.post(f"/runs/{run_id}/resume")
    assert (refused.status, refused.code) == (409, "not_resumable")


def test_a_segment_that_is_refreshed_before_the_resumed_run_is_planned_fails_it(api: Api) -> None:
    run_id = api.post(f"/runs/{canceled(api)}/resume").json["runId"]
    requests = sent(api)
    write_segment(api.fakes, ROWS)
    run = drive(api.fakes, run_id)
    assert run.end
    assert run.end.problem
    assert run.end.problem.code == "not_resumable"
    assert sent(api) == requests


@pytest.mark.parametrize("change", [{"listId": 2}, {"dataMatching": {"email": "EMail"}}, {"runAutomations": True}])
def test_an_export_that_was_changed_since_is_not_resumed(api: Api, change: dict[str, object]) -> None:
    run_id = canceled(api)
    api.put("/exports/newsletter", EXPORT | change, headers={"If-Match": "*"})
    assert api.post(f"/runs/{run_id}/resume").code == "not_resumable"


def test_a_connection_that_leads_to_another_account_by_now_is_not_used(api: Api) -> None:
    run_id = canceled(api)
    api.put("/connections/main", CONNECTION | {"host": "other.api-us1.com"}, headers={"If-Match": "*"})
    assert api.post(f"/runs/{run_id}/resume").code == "not_resumable"


def test_a_run_that_is_going_or_has_nothing_left_is_not_resumed(api: Api) -> None:
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    assert api.post(f"/runs/{run_id}/resume").code == "run_is_going"
    drive(api.fakes, run_id)
    refused = api.post(f"/runs/{run_id}/resume")
    assert (refused.status, refused.code) == (409, "nothing_to_resume")


def test_a_run_that_was_held_is_not_resumed(api: Api) -> None:
    write_segment(api.fakes, [])
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    drive(api.fakes, run_id)
    assert read_run(api.fakes, run_id).status == "held"
    assert api.post(f"/runs/{run_id}/resume").code == "nothing_to_resume"


def test_an_account_that_is_nearly_full_of_these_contacts_has_room_for_the_rest(api: Api) -> None:
    run_id = canceled(api)
    api.fakes.account.set_contact_limit(1601)
    refused = Answer(403, {}, b"{}")
    api.fakes.activecampaign.before = lambda request: refused if request.path == "/api/3/contacts" else None
    assert resume(api, run_id)["tally"]["confirmed"] == 1600


def test_a_run_that_was_approved_is_resumed_without_another_word(api: Api) -> None:
    write_segment(api.fakes, [*ROWS, *[("b", "Bad", "", "nobody", "")] * 1700])
    held = api.post("/exports/newsletter/runs").json["runId"]
    drive(api.fakes, held)
    run_id = canceled(api, of=f"/runs/{held}/approve", body=api.get(f"/runs/{held}").json["held"])
    assert resume(api, run_id)["tally"]["confirmed"] == 1600


@pytest.mark.parametrize("resumed_before", [0, 1])
def test_where_the_list_is_gone_nobody_counts_as_confirmed_and_everybody_is_named(
    resumed_before: int, api: Api
) -> None:
    run_id = canceled(api)
    for _ in range(resumed_before):
        second = api.post(f"/runs/{run_id}/resume").json["runId"]
        deliver(api.fakes)
        deliver(api.fakes)
        api.post(f"/runs/{second}/cancel")
        drive(api.fakes, second)
        run_id = second
    carried = api.get(f"/runs/{run_id}").json["tally"]["confirmed"]
    assert 0 < carried < 1600
    delete = iter([api.fakes.account.delete_list])

    def before(request: Request) -> None:
        if request.path.endswith("bulk_import"):
            for delete_list in delete:  # once
                delete_list(1)

    api.fakes.activecampaign.before = before
    after = resume(api, run_id)
    assert after["problem"]["code"] == "list_gone"
    assert after["plan"]["carried"]["confirmed"] == carried
    assert after["tally"]["confirmed"] == 0
    rows = rejects_of(api.fakes, after["runId"])
    assert Counter(row["reason"] for row in rows) == after["tally"]["reasons"]
    assert after["tally"]["reasons"]["list_gone"] >= carried
    named = [row["email"] for row in rows if row["reason"] == "list_gone"]
    assert len(set(named)) == len(named)
    (row,) = api.post(f"/runs/{after['runId']}/lookup", {"email": "p0@example.com"}).json["rows"]
    assert (row["bucket"], row["reason"]) == ("unconfirmed", "list_gone")
