"""Connections: tested before they are saved, shared or not, removed with care; nobody reads a key."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exporter.activecampaign import wire
from exporter.api.connections import COUNT_S, MAX_COUNTED
from exporter.definitions.connections import Connection, own_secret_name
from exporter.definitions.exports import Export
from exporter.errors import Unavailable
from exporter.records import store
from exporter.records.paths import export_path
from exporter.records.store import get
from exporter.runs.run import RunStatus
from sandbox.activecampaign import ContactList, CustomField
from tests.api.client import CONNECTION, EXPORT, Api, signed_in, with_function_key
from tests.builders import deliver, drive, make_export, people, read_run, write_segment
from tests.fakes import NOT_SENT, make_fakes


@pytest.fixture
def api() -> Api:
    return with_function_key()


def stored_bytes(api: Api) -> bytes:
    return b"".join(blob.data for blob in api.fakes.blobs.stored.values())


def test_a_connection_is_tested_saved_and_shown_with_the_account_it_leads_to(api: Api) -> None:
    saved = api.put("/connections/main", CONNECTION)
    assert saved.status == 201
    assert saved.json["accountName"]
    assert saved.json["consent"] == {"agreedBy": "function key", "agreedUtc": saved.json["createdUtc"]}
    shown = api.get("/connections/main")
    assert (shown.status, shown.json) == (200, saved.json)
    assert shown.headers["ETag"] == saved.headers["ETag"]


def test_the_api_key_is_in_key_vault_and_nowhere_else(api: Api) -> None:
    saved = api.put("/connections/main", CONNECTION)
    assert api.fakes.secrets.values[saved.json["secretName"]] == "key-1"
    assert b"key-1" not in stored_bytes(api)
    for path in ("/connections", "/connections/main"):
        assert b"key-1" not in api.get(path).response.body


@pytest.mark.parametrize(
    "given", ["acme.api-us1.com", "https://acme.api-us1.com", "https://acme.api-us1.com/", "ACME.api-us1.com"]
)
def test_a_host_is_taken_as_people_copy_it(api: Api, given: str) -> None:
    assert api.put("/connections/main", CONNECTION | {"host": given}).json["host"] == "acme.api-us1.com"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("acme.api-us1.com.evil.example", "another domain"),
        ("http://acme.api-us1.com", "a scheme other than https"),
        ("https://acme.api-us1.com/api/3", "a path"),
        ("acme.api-us1.com:8443", "a port"),
        ("me@acme.api-us1.com", "a user name"),
        ("127.0.0.1", "another domain"),
    ],
)
def test_any_other_host_is_refused_with_the_reason_and_never_called(api: Api, given: str, why: str) -> None:
    refused = api.put("/connections/main", CONNECTION | {"host": given})
    assert (refused.status, refused.code) == (422, "host_refused")
    assert why in refused.json["detail"]
    assert api.fakes.activecampaign.requests == []


@pytest.mark.parametrize("consent", [{}, {"consent": False}])
def test_without_consent_there_is_no_connection(api: Api, consent: dict[str, bool]) -> None:
    body = {name: value for name, value in CONNECTION.items() if name != "consent"} | consent
    refused = api.put("/connections/main", body)
    assert (refused.status, refused.code) == (422, "consent_missing")
    assert api.get("/connections").json == {"value": []}


def test_a_key_that_does_not_work_is_refused_and_not_stored(api: Api) -> None:
    refused = api.put("/connections/main", CONNECTION | {"apiKey": "wrong-key"})
    assert (refused.status, refused.code) == (422, "credentials_refused")
    assert "wrong-key" not in api.fakes.secrets.values.values()
    assert "wrong-key" not in str(refused.json)
    assert api.get("/connections/main").status == 404


def test_a_key_whose_user_is_no_administrator_works_and_the_account_stays_unnamed(api: Api) -> None:
    api.fakes.account.set_key("key-1", admin=False)
    saved = api.put("/connections/main", CONNECTION)
    assert saved.status == 201
    assert "accountName" not in saved.json


def test_a_connection_may_name_a_secret_that_exists_already(api: Api) -> None:
    api.fakes.secrets.set("activecampaign-main", "key-1")
    body = {name: value for name, value in CONNECTION.items() if name != "apiKey"}
    assert (
        api.put("/connections/main", body | {"secretName": "activecampaign-main"}).json["secretName"]
        == "activecampaign-main"
    )
    missing = api.put("/connections/other", body | {"secretName": "activecampaign-missing"})
    assert (missing.status, missing.code) == (422, "secret_not_found")


@pytest.mark.parametrize(
    "name", ["other-secret", "people-key", "activecampaign", "Activecampaign-main", "my-connection-main"]
)
def test_a_secret_of_somebody_elses_is_never_read(api: Api, name: str) -> None:
    body = {member: value for member, value in CONNECTION.items() if member != "apiKey"}
    api.fakes.secrets.set(name, "key-1")
    refused = api.put("/connections/main", body | {"secretName": name})
    assert (refused.status, refused.code) == (422, "secret_refused")
    assert api.fakes.activecampaign.requests == []


def test_a_secret_belongs_to_one_connection(api: Api) -> None:
    first = api.put("/connections/main", CONNECTION).json["secretName"]
    body = {member: value for member, value in CONNECTION.items() if member != "apiKey"}
    calls = len(api.fakes.activecampaign.requests)
    refused = api.put("/connections/other", body | {"secretName": first, "host": "other.api-us1.com"})
    assert (refused.status, refused.code, "'main'" in refused.json["detail"]) == (409, "secret_in_use", True)
    assert len(api.fakes.activecampaign.requests) == calls


def test_a_key_is_not_stored_over_that_of_another_connection(api: Api) -> None:
    taken = own_secret_name("other", "acme.api-us1.com")
    api.fakes.secrets.set(taken, "key-1")
    body = {member: value for member, value in CONNECTION.items() if member != "apiKey"}
    assert api.put("/connections/main", body | {"secretName": taken}).status == 201
    assert api.put("/connections/other", CONNECTION).code == "secret_in_use"


def test_a_stored_connection_keeps_the_secret_that_it_has(api: Api) -> None:
    api.put("/connections/main", CONNECTION)
    stored = store.get(api.fakes.blobs, Connection, "records/connections/main.json")
    assert stored
    api.fakes.secrets.set("mailing", "key-1")
    for name in ("main", "other"):  # both with one secret, as earlier releases accepted it
        old = stored.model_copy(update={"id": name, "secret_name": "mailing"})
        api.fakes.blobs.put(f"records/connections/{name}.json", old.to_json())
    body = {member: value for member, value in CONNECTION.items() if member != "apiKey"}
    for same in (body, body | {"secretName": "mailing"}):
        saved = api.put("/connections/main", same | {"displayName": "Renamed"}, headers={"If-Match": "*"})
        assert (saved.status, saved.json["secretName"]) == (200, "mailing")


def test_key_and_secret_name_together_are_refused(api: Api) -> None:
    refused = api.put("/connections/main", CONNECTION | {"secretName": "activecampaign-main"})
    assert (refused.status, refused.code) == (422, "invalid_body")
    assert "not both" in refused.json["detail"]


def test_a_new_connection_needs_a_key(api: Api) -> None:
    body = {name: value for name, value in CONNECTION.items() if name != "apiKey"}
    refused = api.put("/connections/main", body)
    assert (refused.status, refused.code) == (422, "api_key_missing")


def test_a_change_without_a_key_keeps_the_stored_one_and_the_consent(api: Api) -> None:
    first = api.put("/connections/main", CONNECTION)
    api.fakes.clock.sleep(60)
    body = {name: value for name, value in CONNECTION.items() if name != "apiKey"} | {"displayName": "Renamed"}
    second = api.put("/connections/main", body, headers={"If-Match": first.headers["ETag"]})
    assert second.status == 200
    assert second.json["displayName"] == "Renamed"
    assert second.json["version"] == 2
    for kept in ("secretName", "consent", "createdUtc"):
        assert second.json[kept] == first.json[kept]


def test_a_stored_key_is_never_tried_on_another_host(api: Api) -> None:
    api.put("/connections/main", CONNECTION)
    calls = len(api.fakes.activecampaign.requests)
    body = {name: value for name, value in CONNECTION.items() if name != "apiKey"} | {"host": "other.api-us1.com"}
    refused = api.put("/connections/main", body, headers={"If-Match": "*"})
    assert (refused.status, refused.code) == (422, "api_key_missing")
    assert len(api.fakes.activecampaign.requests) == calls


def test_another_host_takes_a_new_consent_and_leaves_the_old_hosts_key_to_its_runs(api: Api) -> None:
    first = api.put("/connections/main", CONNECTION)
    api.fakes.clock.sleep(60)
    second = api.put("/connections/main", CONNECTION | {"host": "other.api-us1.com"}, headers={"If-Match": "*"})
    assert second.status == 200
    assert second.json["consent"]["agreedUtc"] > first.json["consent"]["agreedUtc"]
    assert second.json["secretName"] != first.json["secretName"]
    assert first.json["secretName"] in api.fakes.secrets.values


def test_a_change_of_what_exists_has_to_say_what_was_seen(api: Api) -> None:
    api.put("/connections/main", CONNECTION)
    refused = api.put("/connections/main", CONNECTION)
    assert (refused.status, refused.code) == (428, "if_match_missing")


def test_a_new_key_is_saved_even_if_an_export_cannot_be_read(api: Api) -> None:
    etag = api.put("/connections/main", CONNECTION).headers["ETag"]
    api.fakes.blobs.put(export_path("broken"), b'{"schemaVersion":2}')
    changed = api.put("/connections/main", CONNECTION | {"displayName": "Ours"}, headers={"If-Match": etag})
    assert (changed.status, changed.json["displayName"]) == (200, "Ours")


def test_a_lost_update_is_refused(api: Api) -> None:
    seen = api.put("/connections/main", CONNECTION).headers["ETag"]
    assert api.put("/connections/main", CONNECTION, headers={"If-Match": seen}).status == 200
    refused = api.put("/connections/main", CONNECTION, headers={"If-Match": seen})
    assert (refused.status, refused.code) == (412, "changed_meanwhile")
    assert api.delete("/connections/main", headers={"If-Match": seen}).code == "changed_meanwhile"


def test_an_etag_counts_in_a_list_and_not_when_somebody_weakened_it(api: Api) -> None:
    seen = api.put("/connections/main", CONNECTION).headers["ETag"]
    for wrong in (f"W/{seen}", seen.strip('"'), "", " , "):
        assert api.put("/connections/main", CONNECTION, headers={"If-Match": wrong}).code == "changed_meanwhile"
    assert api.put("/connections/main", CONNECTION, headers={"If-Match": f'"other", {seen}'}).status == 200


def test_a_connection_made_anew_under_the_same_id_is_not_the_one_that_was_seen(api: Api) -> None:
    seen = api.put("/connections/main", CONNECTION).headers["ETag"]
    assert api.delete("/connections/main").status == 200
    api.fakes.clock.sleep(1)
    assert api.put("/connections/main", CONNECTION).status == 201
    assert api.put("/connections/main", CONNECTION, headers={"If-Match": seen}).code == "changed_meanwhile"


def test_if_match_finds_nothing_where_nothing_is(api: Api) -> None:
    assert api.put("/connections/main", CONNECTION, headers={"If-Match": "*"}).status == 412


def test_if_none_match_creates_only(api: Api) -> None:
    assert api.put("/connections/main", CONNECTION, headers={"If-None-Match": "*"}).status == 201
    refused = api.put("/connections/main", CONNECTION, headers={"If-None-Match": "*"})
    assert (refused.status, refused.code) == (412, "exists_already")


def test_a_change_that_comes_between_reading_and_writing_is_not_overwritten(api: Api) -> None:
    seen = api.put("/connections/main", CONNECTION).headers["ETag"]
    rivals = iter([api])

    def rival(operation: str, path: str) -> None:
        if operation == "replace" and path.endswith("main.json") and (other := next(rivals, None)):
            other.put("/connections/main", CONNECTION | {"displayName": "Rival"}, headers={"If-Match": "*"})

    api.fakes.blobs.before = rival
    mine = api.put("/connections/main", CONNECTION | {"displayName": "Mine"}, headers={"If-Match": seen})
    assert (mine.status, mine.code) == (412, "changed_meanwhile")
    assert api.get("/connections/main").json["displayName"] == "Rival"


def test_a_change_that_comes_while_the_connection_is_tested_is_not_overwritten(api: Api) -> None:
    seen = api.put("/connections/main", CONNECTION).headers["ETag"]
    rivals = iter([api])

    def rival(request: object) -> None:
        if other := next(rivals, None):
            other.put("/connections/main", CONNECTION | {"displayName": "Rival"}, headers={"If-Match": "*"})

    api.fakes.activecampaign.before = rival
    mine = api.put("/connections/main", CONNECTION | {"displayName": "Mine"}, headers={"If-Match": seen})
    assert (mine.status, mine.code) == (412, "changed_meanwhile")
    assert api.get("/connections/main").json["displayName"] == "Rival"


@pytest.mark.parametrize("bad_id", ["Main", "a--b", "-a", "a_b", "a" * 64, "a b", "a.json"])
def test_an_id_that_cannot_be_kept_is_refused(api: Api, bad_id: str) -> None:
    assert api.put(f"/connections/{bad_id}", CONNECTION).code == "invalid_id"
    assert api.get(f"/connections/{bad_id}").code == "no_such_connection"


@pytest.mark.parametrize(
    ("code", "status", "headers"),
    [
        ("key_vault_unavailable", 503, {"Retry-After"}),
        ("identity_unavailable", 503, {"Retry-After"}),
        ("secret_deleted", 409, set()),
    ],
)
def test_when_key_vault_does_not_take_the_key_nothing_is_saved(
    api: Api, code: str, status: int, headers: set[str]
) -> None:
    def down(name: str, value: str) -> None:
        raise Unavailable(code, "Key Vault did not take it.")

    api.fakes.secrets.set = down  # type: ignore[method-assign]  # a fake that fails
    refused = api.put("/connections/main", CONNECTION)
    assert (refused.status, refused.code) == (status, code)
    assert {"Retry-After"} & refused.headers.keys() == headers
    assert api.get("/connections/main").status == 404


def test_lists_and_fields_are_shown_to_choose_from(api: Api) -> None:
    api.put("/connections/main", CONNECTION)
    lists = api.get("/connections/main/lists").json["value"]
    assert {"id": 1, "name": "Newsletter", "channel": "email"} in lists
    fields = api.get("/connections/main/fields").json["value"]
    assert {"id": 6, "title": "City", "type": "text", "tag": "CITY", "options": [], "lists": [0]} in fields
    tier = next(field for field in fields if field["tag"] == "LOYALTY_TIER")
    assert (tier["options"], tier["lists"]) == (["Bronze", "Silver", "Gold"], [0])


def test_active_contacts_are_counted_where_asked_for(api: Api) -> None:
    write_segment(api.fakes, people(3))
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EXPORT)
    drive(api.fakes, api.post("/exports/newsletter/runs").json["runId"])
    shown = api.get("/connections/main/lists", query={"active": "true"}).json["value"]
    assert {one["id"]: one["active"] for one in shown} == {1: 3, 2: 0, 3: 0}
    (one,) = api.get("/connections/main/lists", query={"active": "true", "id": "1"}).json["value"]
    assert (one["name"], one["active"]) == ("Newsletter", 3)
    two = api.get("/connections/main/lists", query=[("id", "3"), ("id", "1")]).json["value"]
    assert [(one["id"], "active" in one) for one in two] == [(1, False), (3, False)]
    assert api.get("/connections/main/lists", query=[("id", str(n)) for n in range(1, 22)]).code == "invalid_query"


def test_only_so_many_lists_are_counted_and_only_for_so_long(api: Api) -> None:
    api.put("/connections/main", CONNECTION)
    for number in range(4, 40):
        api.fakes.account.put_list(ContactList(number, f"List {number}"))
    api.fakes.activecampaign.requests.clear()
    shown = api.get("/connections/main/lists", query={"active": "true"}).json["value"]
    assert (len(shown), sum("active" in one for one in shown)) == (39, MAX_COUNTED)
    assert len(api.fakes.activecampaign.requests) == 1 + MAX_COUNTED
    api.fakes.activecampaign.request_s = COUNT_S / 2
    slow = api.get("/connections/main/lists", query={"active": "true"}).json["value"]
    assert (len(slow), sum("active" in one for one in slow)) == (39, 3)


# --- Tests ---


NEW = {"host": "acme.api-us1.com", "apiKey": "key-1"}


def test_a_key_is_tested_and_shows_whose_account_it_is_and_nothing_is_kept(api: Api) -> None:
    api.fakes.secrets.values.clear()
    tested = api.post("/connection-tests", NEW | {"host": "https://ACME.api-us1.com/"})
    assert tested.status == 200
    assert tested.json == {
        "host": "acme.api-us1.com",
        "accountName": "acme.api-us1.com",
        "user": {"id": 1, "name": "admin"},
        "contactRoom": {"contactLimit": 2_000_000, "contacts": 0},
        "lists": 3,
    }
    assert api.fakes.secrets.values == {}
    assert [path for path in api.fakes.blobs.stored if path.startswith("records/connections/")] == []


def test_a_saved_connection_is_tested_with_its_own_key(api: Api) -> None:
    api.put("/connections/main", CONNECTION)
    assert api.post("/connection-tests", {"connectionId": "main"}).json["user"]["name"] == "admin"
    api.fakes.secrets.values[api.get("/connections/main").json["secretName"]] = "revoked"
    assert api.post("/connection-tests", {"connectionId": "main"}).code == "credentials_refused"
    assert api.post("/connection-tests", {"connectionId": "other"}).code == "no_such_connection"


def test_a_key_in_the_vault_is_tested_by_the_name_of_its_secret(api: Api) -> None:
    api.fakes.secrets.values |= {"activecampaign-main": "key-1", "activecampaign-old": "revoked", "mailing": "key-1"}
    by_name = {"host": "acme.api-us1.com", "secretName": "activecampaign-main"}
    assert api.post("/connection-tests", by_name).json["user"]["name"] == "admin"
    for name, code in (("old", "credentials_refused"), ("missing", "secret_not_found")):
        assert api.post("/connection-tests", by_name | {"secretName": f"activecampaign-{name}"}).code == code
    assert api.post("/connection-tests", by_name | {"secretName": "mailing"}).code == "secret_refused"


def test_a_key_that_a_connection_uses_is_tried_on_no_other_host(api: Api) -> None:
    name = api.put("/connections/main", CONNECTION).json["secretName"]
    before = len(api.fakes.account.requests())
    for host in ("acme.api-us1.com", "other.api-us1.com"):
        refused = api.post(
            "/connection-tests", {"host": host, "secretName": name.upper().replace("CONNECTION", "connection")}
        )
        assert (refused.status, refused.code) == (409, "secret_in_use")
    assert len(api.fakes.account.requests()) == before


def test_an_app_that_stores_no_keys_says_so_and_where_one_has_to_be() -> None:
    api = Api(make_fakes(STORE_API_KEYS="false"), {})
    me = api.get("/me").json
    assert (me["storesApiKeys"], me["keyVault"]) == (False, "exporter-kv")
    refused = api.put("/connections/main", CONNECTION)
    assert (refused.status, refused.code) == (422, "keys_not_stored")
    assert "exporter-kv" in refused.json["detail"]
    assert api.fakes.account.requests() == []
    assert api.post("/connection-tests", NEW).status == 200  # nothing is stored
    api.fakes.secrets.values["activecampaign-main"] = "key-1"
    named = {key: value for key, value in CONNECTION.items() if key != "apiKey"} | {"secretName": "activecampaign-main"}
    assert api.put("/connections/main", named).status == 201


def test_a_key_whose_user_is_no_administrator_passes_the_test_without_the_limits(api: Api) -> None:
    api.fakes.account.set_key("key-1", admin=False)
    tested = api.post("/connection-tests", NEW)
    assert (tested.status, {"accountName", "contactRoom"} & tested.json.keys()) == (200, set())


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        (NEW | {"apiKey": "wrong-secret-key"}, "credentials_refused", "the API key was refused"),
        (NEW | {"host": "acme.example"}, "host_refused", "another domain"),
        (NEW | {"connectionId": "main"}, "invalid_body", "give host and apiKey, host and secretName, or connectionId"),
        ({"host": "acme.api-us1.com"}, "invalid_body", "give host and apiKey, host and secretName, or connectionId"),
        ({"apiKey": "wrong-secret-key"}, "invalid_body", "give host and apiKey, host and secretName, or connectionId"),
        (NEW | {"secretName": "activecampaign-main"}, "invalid_body", "give host and apiKey, host and secretName, or"),
        ({"secretName": "activecampaign-main"}, "invalid_body", "give host and apiKey, host and secretName, or"),
        ({}, "invalid_body", "give host and apiKey, host and secretName, or connectionId"),
        (NEW | {"apiKey": "wrong secret key"}, "invalid_body", "apiKey: "),
        (NEW | {"apikey": "wrong-secret-key"}, "invalid_body", "apikey: unknown, did you mean apiKey?"),
    ],
)
def test_a_test_that_fails_says_why_and_the_key_is_in_no_answer_log_or_record(
    api: Api, caplog: pytest.LogCaptureFixture, body: dict[str, str], code: str, told: str
) -> None:
    caplog.set_level("DEBUG")
    refused = api.post("/connection-tests", body)
    assert (refused.status, refused.code) == (422, code)
    assert told in refused.json["detail"]
    everything = refused.response.body.decode() + caplog.text + stored_bytes(api).decode()
    assert "wrong-secret-key" not in everything
    assert "wrong secret key" not in everything


def test_a_host_that_does_not_answer_is_named_and_the_caller_may_try_again(api: Api) -> None:
    api.fakes.activecampaign.before = lambda request: NOT_SENT
    refused = api.post("/connection-tests", NEW)
    assert (refused.status, refused.code) == (503, "activecampaign_unavailable")
    assert "acme.api-us1.com" in refused.json["detail"]
    assert refused.headers["Retry-After"]


def test_a_test_is_in_the_audit_trail_without_host_and_key(api: Api) -> None:
    api.post("/connection-tests", NEW)
    (entry,) = [blob.data for path, blob in api.fakes.blobs.stored.items() if path.startswith("audit/")]
    assert b'"testConnection"' in entry
    assert b"key-1" not in entry


def test_what_the_account_does_not_tell_of_a_field_is_absent(api: Api) -> None:
    api.put("/connections/main", CONNECTION)
    api.fakes.account.set_switches(fields_tell="nothing")
    fields = api.get("/connections/main/fields").json["value"]
    assert {"id": 6, "title": "City", "type": "text", "tag": "CITY", "options": []} in fields
    assert {"id": 3, "title": "Loyalty tier", "type": "dropdown", "tag": "LOYALTY_TIER"} in fields


def test_an_option_is_shown_as_what_is_sent(api: Api) -> None:
    api.put("/connections/main", CONNECTION)
    option = {"field": "1", "value": "gold", "label": "Gold tier", "id": "7"}
    page = {"fields": [{"id": "1", "type": "dropdown"}], "fieldOptions": [option]}
    api.fakes.activecampaign.before = lambda request: wire.Answer(200, {}, json.dumps(page).encode())
    assert api.get("/connections/main/fields").json["value"][0]["options"] == ["gold"]


def test_the_lists_of_a_field_are_shown_in_order(api: Api) -> None:
    api.put("/connections/main", CONNECTION)
    api.fakes.account.put_field(CustomField(6, "City", lists=(9, 1, 40, 2)))
    city = next(field for field in api.get("/connections/main/fields").json["value"] if field["tag"] == "CITY")
    assert city["lists"] == [1, 2, 9, 40]


def test_contributors_see_id_name_and_type_of_shared_connections_only() -> None:
    admin = signed_in("Admin")
    admin.put("/connections/shared", CONNECTION | {"usableBy": "contributors"})
    admin.put("/connections/private", CONNECTION)
    contributor = admin.as_user("Contributor")
    expected = {"id": "shared", "displayName": "Main account", "type": "ActiveCampaign"}
    assert contributor.get("/connections").json == {"value": [expected]}
    assert contributor.get("/connections/shared").json == expected
    assert contributor.get("/connections/shared/lists").status == 200
    for path in ("/connections/private", "/connections/private/lists", "/connections/private/fields"):
        assert contributor.get(path).code == "no_such_connection"
    assert [c["id"] for c in admin.get("/connections").json["value"]] == ["private", "shared"]


def test_lists_come_in_pages(api: Api) -> None:
    for number in range(5):
        assert api.put(f"/connections/c{number}", CONNECTION).status == 201
    found, link = [], "/connections?top=2"
    while link:
        path, _, text = link.removeprefix("/api").partition("?")
        answer = api.get(path, query=dict(pair.split("=") for pair in text.split("&")))
        assert len(answer.json["value"]) <= 2
        found += [c["id"] for c in answer.json["value"]]
        link = answer.json.get("nextLink", "")
    assert found == [f"c{number}" for number in range(5)]


def test_a_connection_that_nothing_uses_is_removed(api: Api) -> None:
    saved = api.put("/connections/main", CONNECTION)
    removed = api.delete("/connections/main")
    assert (removed.status, removed.json) == (
        200,
        {"detachedExports": [], "canceledRuns": [], "secretName": saved.json["secretName"]},
    )
    assert api.get("/connections/main").status == 404


def test_removal_is_refused_with_the_exports_that_use_the_connection(api: Api) -> None:
    make_export(api.fakes, id="weekly")
    refused = api.delete("/connections/main")
    assert (refused.status, refused.code) == (409, "connection_in_use")
    assert refused.json["exports"] == ["weekly"]
    assert api.get("/connections/main").status == 200


def test_detach_leaves_the_exports_without_a_connection_and_cancels_their_runs(api: Api) -> None:
    write_segment(api.fakes, people(600))
    make_export(api.fakes, scheduled=True)
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    assert api.delete("/connections/main").json["runs"] == [run_id]
    removed = api.delete("/connections/main", query={"detach": "true"})
    assert removed.json["detachedExports"] == ["newsletter"]
    assert removed.json["canceledRuns"] == [run_id]
    export = api.get("/exports/newsletter").json
    assert export["state"] == "noConnection"
    assert "connectionId" not in export
    assert export["version"] == 2
    assert export["dataMatching"]["email"] == "EMail"
    assert drive(api.fakes, run_id).status is RunStatus.CANCELED
    assert read_run(api.fakes, run_id).cancel
    assert api.post("/exports/newsletter/runs").code == "no_connection"


def test_a_run_that_starts_while_its_connection_is_removed_is_canceled_too(api: Api) -> None:
    write_segment(api.fakes, people(600))
    make_export(api.fakes)
    started: list[str] = []

    def before(operation: str, path: str) -> None:
        if operation == "replace" and path == export_path("newsletter"):  # it is being detached
            api.fakes.blobs.before = lambda operation, path: None
            started.append(api.post("/exports/newsletter/runs").json["runId"])

    api.fakes.blobs.before = before
    assert api.delete("/connections/main", query={"detach": "true"}).json["canceledRuns"] == started
    assert drive(api.fakes, started[0]).status is RunStatus.CANCELED


def test_a_removal_that_broke_off_can_be_repeated(api: Api) -> None:
    write_segment(api.fakes, people(600))
    make_export(api.fakes)
    run_id = api.post("/exports/newsletter/runs").json["runId"]

    def crash(operation: str, path: str) -> None:
        if operation == "replace" and path.endswith("/run.json"):
            raise Unavailable("storage_unavailable", "Storage is down.")

    api.fakes.blobs.before = crash
    assert api.delete("/connections/main", query={"detach": "true"}).status == 503
    api.fakes.blobs.before = lambda operation, path: None
    exported: Any = get(api.fakes.blobs, Export, export_path("newsletter"))
    assert exported.connection_id is None
    assert api.delete("/connections/main", query={"detach": "true"}).json["canceledRuns"] == [run_id]


def test_a_run_goes_on_with_a_key_that_is_given_to_the_app_while_the_one_before_was_a_secret_by_name() -> None:
    """Where the app was allowed to store keys only after the connection had been made."""
    api = Api(make_fakes(LANES="1", LANE_TIME_BUDGET_S="5"), {})
    api.fakes.secrets.values = {"activecampaign-main": "key-1"}
    api.fakes.activecampaign.request_s = 3.0
    write_segment(api.fakes, people(1_000))
    by_name = {**CONNECTION, "secretName": "activecampaign-main"}
    del by_name["apiKey"]
    assert api.put("/connections/main", by_name).json["secretName"] == "activecampaign-main"
    api.put("/exports/newsletter", EXPORT)
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    deliver(api.fakes)
    deliver(api.fakes)
    api.fakes.account.set_key("key-2")
    drive(api.fakes, run_id, limit_s=300)
    assert api.get(f"/runs/{run_id}").json["waiting"]["code"] == "credentials_refused"
    saved = api.put("/connections/main", {**CONNECTION, "apiKey": "key-2"}, headers={"If-Match": "*"})
    assert saved.json["secretName"] != "activecampaign-main"
    assert drive(api.fakes, run_id, limit_s=180).status is RunStatus.SUCCESSFUL


def test_a_run_keeps_its_account_and_key_when_its_connection_moves_to_another_account() -> None:
    api = Api(make_fakes(LANES="1"), {})
    write_segment(api.fakes, people(300))
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EXPORT)
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    deliver(api.fakes)
    called: list[tuple[str, str]] = []
    original = api.fakes.activecampaign.call

    def call(host: str, api_key: str, request: wire.Request) -> wire.Reply:
        called.append((host, api_key))
        return original(host, api_key, request)

    api.fakes.activecampaign.call = call  # type: ignore[method-assign]  # it is watched
    connection = store.get(api.fakes.blobs, Connection, "records/connections/main.json")
    assert connection
    moved = connection.model_copy(update={"host": "globex.api-us1.com", "secret_name": "other"})
    api.fakes.blobs.put("records/connections/main.json", moved.to_json())
    api.fakes.secrets.values["other"] = "the key of another account"
    assert drive(api.fakes, run_id).status is RunStatus.SUCCESSFUL
    assert set(called) == {("acme.api-us1.com", "key-1")}
