"""How much fits into a request and an answer: each limit at both of its sides, from a table of literals."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from exporter.api import reports
from tests.api.client import CONNECTION, EXPORT, Api, principal, signed_in, with_function_key
from tests.builders import drive, people, write_segment

AHEAD = {"validate": "false"}


@pytest.fixture
def api() -> Api:
    api = with_function_key()
    write_segment(api.fakes, people(3))
    api.put("/connections/main", CONNECTION)
    return api


def test_a_body_of_64_kib_is_read_and_one_byte_more_is_not(api: Api) -> None:
    body = orjson.dumps(EXPORT)
    full = body + b" " * (65_536 - len(body))
    assert api.put("/exports/newsletter", full).status == 201
    refused = api.put("/exports/newsletter", full + b" ")
    assert (refused.status, refused.code) == (413, "body_too_large")
    assert "at most 65536 bytes, found 65537" in refused.json["detail"]


def text(length: int) -> str:
    return "x" * length


def matching(**members: object) -> dict[str, object]:
    return {"dataMatching": {"email": "EMail", **members}}


def fields(count: int) -> list[dict[str, str]]:
    return [{"column": "LastName", "field": f"F{number}"} for number in range(count)]


EXPORT_BOUNDS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    # member, what just fits, what just does not
    ("displayName", {"displayName": text(200)}, {"displayName": text(201)}),
    ("displayName", {"displayName": "x"}, {"displayName": ""}),
    ("listId", {"listId": 1}, {"listId": 0}),
    ("listId", {"listId": 2_147_483_647}, {"listId": 2_147_483_648}),
    ("segments", {"segments": ["s"]}, {"segments": []}),
    ("segments", {"segments": [f"s{n}" for n in range(20)]}, {"segments": [f"s{n}" for n in range(21)]}),
    ("segments.1", {"segments": ["s", text(512)]}, {"segments": ["s", text(513)]}),
    ("segments.1", {"segments": ["s", "t"]}, {"segments": ["s", ""]}),
    ("maxContacts", {"maxContacts": 1}, {"maxContacts": 0}),
    ("maxContacts", {"maxContacts": 1_000_000}, {"maxContacts": 1_000_001}),
    ("guards.sizeFactor", {"guards": {"sizeFactor": 1}}, {"guards": {"sizeFactor": 0.99}}),
    ("guards.sizeFactor", {"guards": {"sizeFactor": 1_000_000}}, {"guards": {"sizeFactor": 1_000_001}}),
    ("guards.maxRejectShare", {"guards": {"maxRejectShare": 0}}, {"guards": {"maxRejectShare": -0.01}}),
    ("guards.maxRejectShare", {"guards": {"maxRejectShare": 1}}, {"guards": {"maxRejectShare": 1.01}}),
    ("dataMatching.email", {"dataMatching": {"email": text(256)}}, {"dataMatching": {"email": text(257)}}),
    ("dataMatching.firstName", matching(firstName=text(256)), matching(firstName=text(257))),
    ("dataMatching.lastName", matching(lastName=text(256)), matching(lastName="")),
    ("dataMatching.phone", matching(phone="x"), matching(phone=text(257))),
    ("dataMatching.fields", matching(fields=fields(50)), matching(fields=fields(51))),
    (
        "dataMatching.fields.0.field",
        matching(fields=[{"column": "c", "field": text(64)}]),
        matching(fields=[{"column": "c", "field": text(65)}]),
    ),
    (
        "dataMatching.fields.0.column",
        matching(fields=[{"column": text(256), "field": "F"}]),
        matching(fields=[{"column": text(257), "field": "F"}]),
    ),
    (
        "consentColumn.value",
        {"consentColumn": {"column": "c", "value": text(256)}},
        {"consentColumn": {"column": "c", "value": text(257)}},
    ),
    (
        "consentColumn.column",
        {"consentColumn": {"column": text(256), "value": "v"}},
        {"consentColumn": {"column": text(257), "value": "v"}},
    ),
]


@pytest.mark.parametrize(("member", "fits", "does_not"), EXPORT_BOUNDS)
def test_an_export_is_taken_up_to_its_bounds_and_refused_by_member_beyond_them(
    api: Api, member: str, fits: dict[str, Any], does_not: dict[str, Any]
) -> None:
    assert api.put("/exports/newsletter", EXPORT | fits, query=AHEAD).status == 201
    refused = api.put("/exports/other", EXPORT | does_not, query=AHEAD)
    assert (refused.status, refused.code) == (422, "invalid_body")
    assert refused.json["detail"].startswith(f"{member}: ")
    assert len(refused.json["members"]) == 1


SECRET = {"apiKey": None, "secretName": "connection-main"}
CONNECTION_BOUNDS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("displayName", {"displayName": text(200)}, {"displayName": text(201)}),
    ("apiKey", {"apiKey": text(500)}, {"apiKey": text(501)}),
    ("apiKey", {"apiKey": "x"}, {"apiKey": ""}),
    ("secretName", SECRET | {"secretName": text(127)}, SECRET | {"secretName": text(128)}),
    ("secretName", SECRET | {"secretName": "x"}, SECRET | {"secretName": ""}),
    ("host", {"host": text(300)}, {"host": text(301)}),
    ("host", {"host": "x"}, {"host": ""}),
]


@pytest.mark.parametrize(("member", "fits", "does_not"), CONNECTION_BOUNDS)
def test_a_connection_is_taken_up_to_its_bounds_and_refused_by_member_beyond_them(
    api: Api, member: str, fits: dict[str, Any], does_not: dict[str, Any]
) -> None:
    assert api.put("/connections/new", CONNECTION | fits).code != "invalid_body"
    refused = api.put("/connections/new", CONNECTION | does_not)
    assert (refused.status, refused.code) == (422, "invalid_body")
    assert refused.json["detail"].startswith(f"{member}: ")


@pytest.mark.parametrize(("length", "code"), [(63, None), (64, "invalid_id")])
def test_an_id_has_at_most_63_characters(api: Api, length: int, code: str | None) -> None:
    assert api.put(f"/exports/{'x' * length}", EXPORT).code == code
    assert api.put(f"/connections/{'x' * length}", CONNECTION).code == code
    copied = api.post("/exports/newsletter/duplicate", {"id": "x" * length})
    assert copied.code == ("export_not_found" if code is None else "invalid_body")


@pytest.mark.parametrize(
    ("length", "name"), [(193, "x" * 193 + " (copy)"), (194, "x" * 193 + " (copy)"), (200, "x" * 193 + " (copy)")]
)
def test_the_name_of_a_copy_is_cut_so_that_it_fits(api: Api, length: int, name: str) -> None:
    api.put("/exports/newsletter", EXPORT | {"displayName": "x" * length})
    copy = api.post("/exports/newsletter/duplicate", {"id": "second"})
    assert (copy.status, copy.json["displayName"]) == (201, name)
    assert len(name) == 200
    again = api.put("/exports/third", EXPORT | {"displayName": name})
    assert again.status == 201


def test_a_page_has_at_most_100_items_and_as_many_when_nothing_is_said(api: Api) -> None:
    for number in range(101):
        api.put(f"/exports/e{number:03}", EXPORT, query=AHEAD)
    for query in ({"top": "100"}, {}):
        page = api.get("/exports", query=query).json
        assert len(page["value"]) == 100
        assert page["nextLink"] == "/api/exports?top=100&after=e099"
    assert api.get("/exports", query={"top": "101"}).code == "invalid_query"
    assert len(api.get("/exports", query={"top": "1"}).json["value"]) == 1
    api.delete("/exports/e100")
    assert "nextLink" not in api.get("/exports", query={"top": "100"}).json


@pytest.mark.parametrize(("length", "status"), [(600, 200), (601, 422)])
def test_what_a_page_follows_has_at_most_600_characters(api: Api, length: int, status: int) -> None:
    assert api.get("/exports", query={"after": "x" * length}).status == status


@pytest.mark.parametrize(("length", "status"), [(1, 202), (200, 202), (201, 422)])
def test_an_idempotency_key_has_1_to_200_characters(api: Api, length: int, status: int) -> None:
    api.put("/exports/newsletter", EXPORT)
    answer = api.post("/exports/newsletter/runs", headers={"Idempotency-Key": "x" * length})
    assert answer.status == status


@pytest.mark.parametrize(("length", "code"), [(1_000, "changed_meanwhile"), (1_001, "invalid_header")])
def test_a_condition_has_at_most_1000_characters(api: Api, length: int, code: str) -> None:
    assert api.put("/connections/main", CONNECTION, headers={"If-Match": "x" * length}).code == code


def test_a_weak_etag_is_never_the_one_that_was_read(api: Api) -> None:
    """If-Match compares strongly: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1."""
    seen = api.put("/exports/newsletter", EXPORT).headers["ETag"]
    assert seen.startswith('"')
    weak = api.put("/exports/newsletter", EXPORT, headers={"If-Match": f"W/{seen}"})
    assert (weak.status, weak.code) == (412, "changed_meanwhile")
    several = api.put("/exports/newsletter", EXPORT, headers={"If-Match": f'"other", W/{seen} ,{seen}'})
    assert several.status == 200


@pytest.mark.parametrize(("length", "status"), [(1_000, 200), (1_001, 422)])
def test_an_address_to_look_up_has_at_most_1000_characters(api: Api, length: int, status: int) -> None:
    api.put("/exports/newsletter", EXPORT)
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    drive(api.fakes, run_id)
    assert api.post(f"/runs/{run_id}/lookup", {"email": "x" * length}).status == status


def report_of(api: Api, size_bytes: int) -> str:
    """Run an export, and make its reject report as large as this; returns its path."""
    api.put("/exports/newsletter", EXPORT)
    run_id: str = api.post("/exports/newsletter/runs").json["runId"]
    drive(api.fakes, run_id)
    (path,) = api.fakes.blobs.names(f"rejects/{run_id}/")
    api.fakes.blobs.put(path, b"x" * (size_bytes - 1) + b"\n")
    return f"/runs/{run_id}/rejects"


def test_a_report_is_answered_up_to_32_mib_and_beyond_it_only_compressed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reports.MAX_PLAIN_BYTES == 33_554_432
    monkeypatch.setattr(reports, "MAX_PLAIN_BYTES", 1_000)
    path = report_of(api, 1_000)
    assert len(api.get(path).response.body) == 1_000
    (blob,) = api.fakes.blobs.names("rejects/")
    api.fakes.blobs.put(blob, b"x" * 1_000 + b"\n")
    refused = api.get(path)
    assert (refused.status, refused.code) == (413, "rejects_too_large")
    assert "1000 bytes" in refused.json["detail"]
    packed = api.get(path, headers={"Accept-Encoding": "gzip"})
    assert packed.status == 200
    assert len(packed.response.body) < 1_000


@pytest.mark.parametrize(("length", "shown"), [(199, 199), (200, 200), (201, 200)])
def test_the_name_of_a_user_is_kept_up_to_200_characters(length: int, shown: int) -> None:
    api = signed_in("Admin")
    api.put("/connections/main", CONNECTION)
    named = Api(api.fakes, principal("Admin", name="\x00" + "n" * length))
    saved = named.put("/exports/newsletter", EXPORT, query=AHEAD)
    assert saved.json["createdBy"] == "n" * shown


@pytest.mark.parametrize(("length", "told"), [(64, "x" * 64), (65, "(a name)")])
def test_an_unknown_name_is_repeated_up_to_64_characters(api: Api, length: int, told: str) -> None:
    refused = api.put("/exports/newsletter", EXPORT | {"x" * length: 1})
    assert refused.json["detail"].startswith(f"{told}: unknown")


@pytest.mark.parametrize(("length", "kept"), [(63, True), (64, False)])
def test_an_id_is_kept_in_the_trail_up_to_63_characters(api: Api, length: int, *, kept: bool) -> None:
    path = f"/exports/{'x' * length}"
    api.delete(path)
    entry = max(api.fakes.blobs.names("audit/"))
    assert orjson.loads(api.fakes.blobs.stored[entry].data.splitlines()[0])["resource"] == (
        path if kept else "(not an id)"
    )


TURNS = ["\x85", "\u061c", "\u200e", "\u200f", *map(chr, range(0x2028, 0x202F)), *map(chr, range(0x2066, 0x206A))]


@pytest.mark.parametrize("character", ["\0", *TURNS])
@pytest.mark.parametrize("name", ["a{}b", "{}b", "a{}", "{}"])
def test_a_display_name_is_one_line_in_one_direction(api: Api, name: str, character: str) -> None:
    changes = {"displayName": name.format(character)}
    for path, body in (("/exports/newsletter", EXPORT), ("/connections/new", CONNECTION)):
        refused = api.put(path, body | changes)
        assert (refused.code, refused.json["detail"].startswith("displayName: ")) == ("invalid_body", True)
    copied = api.post("/exports/newsletter/duplicate", {"id": "copy"} | changes)
    assert copied.code == "invalid_body"


@pytest.mark.parametrize(
    ("member", "change"),
    [
        ("dataMatching.email", {"dataMatching": {"email": "E\0"}}),
        ("dataMatching.phone", {"dataMatching": {"email": "E", "phone": "\0"}}),
        ("dataMatching.fields.0.column", {"dataMatching": {"email": "E", "fields": [{"column": "\0", "field": "6"}]}}),
        ("consentColumn.column", {"consentColumn": {"column": "a\0", "value": "yes"}}),
        ("consentColumn.value", {"consentColumn": {"column": "a", "value": "y\0"}}),
    ],
)
def test_neither_a_column_nor_a_value_holds_nul(api: Api, member: str, change: dict[str, Any]) -> None:
    refused = api.put("/exports/newsletter", EXPORT | change, query=AHEAD)
    assert (refused.code, refused.json["detail"]) == (
        "invalid_body",
        f"{member}: must not hold the character NUL.",
    )


def test_an_export_that_was_stored_with_such_texts_stays_readable(api: Api) -> None:
    api.put("/exports/newsletter", EXPORT)
    stored = orjson.loads(api.fakes.blobs.stored["records/exports/newsletter.json"].data)
    stored |= {"displayName": "a\u202eb", "consentColumn": {"column": "a\0", "value": "\0"}}
    api.fakes.blobs.put("records/exports/newsletter.json", orjson.dumps(stored))
    assert api.get("/exports/newsletter").json["displayName"] == "a\u202eb"
    assert api.get("/exports").status == 200
    assert api.post("/exports/newsletter/runs").status == 202


def problems(api: Api) -> list[str]:
    return [problem["code"] for problem in api.post("/exports/newsletter/preview").json["problems"]]


@pytest.mark.parametrize(("most", "found"), [(3, []), (2, ["too_many_contacts"])])
def test_a_preview_of_as_many_contacts_as_the_export_allows_has_no_problem(
    api: Api, most: int, found: list[str]
) -> None:
    api.put("/exports/newsletter", EXPORT | {"maxContacts": most})
    assert problems(api) == found


def test_a_preview_shows_three_rows_of_a_reason(api: Api) -> None:
    write_segment(api.fakes, [*people(3), *[("", "", "", "nobody", "")] * 4])
    api.put("/exports/newsletter", EXPORT)
    (examples,) = api.post("/exports/newsletter/preview").json["examples"]
    assert [row["row"] for row in examples["rows"]] == [4, 5, 6]


def test_a_preview_points_out_a_refresh_that_is_older_than_eight_days(api: Api) -> None:
    api.put("/exports/newsletter", EXPORT)
    api.fakes.clock.sleep(8 * 86_400 - 60)
    assert api.post("/exports/newsletter/preview").json["warnings"] == []
    api.fakes.clock.sleep(60)
    assert len(api.post("/exports/newsletter/preview").json["warnings"]) == 1
