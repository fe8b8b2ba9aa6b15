"""Scripted faults of the ActiveCampaign stand-in, and the account over HTTP."""

import gzip
import http.client
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests

from sandbox.activecampaign import (
    Account,
    ConnectionDropped,
    Fault,
    Server,
    answers,
    faults,
    serve,
)
from tests.sandbox.activecampaign_client import (
    IMPORT,
    KEY,
    LONG_S,
    Client,
    client_with,
    emails,
)
from tests.waiting import wait_for


@pytest.fixture
def client() -> Client:
    return client_with()


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(Account()) as running:
        yield running


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as opened:
        opened.headers.update(KEY)
        yield opened


# -- faults ------------------------------------------------------------------------------------------------------------


def test_a_dropped_request_is_not_processed(client: Client) -> None:
    client.account.add_fault(Fault("drop"))
    with pytest.raises(ConnectionDropped):
        client.bulk(*emails(2))
    assert client.account.state()["queued_contacts"] == 0


def test_a_lost_answer_leaves_the_request_processed(client: Client) -> None:
    client.account.add_fault(Fault("lose_answer"))
    with pytest.raises(ConnectionDropped):
        client.bulk(*emails(2))
    assert client.account.state()["queued_contacts"] == 2
    assert [(each.status, each.contacts) for each in client.account.requests()] == [(0, 2)]


def test_an_answer_can_be_late_slow_truncated_or_cut(client: Client) -> None:
    for kind in ("delay", "drip", "truncate", "cut"):
        client.account.add_fault(faults.from_json({"kind": kind, "delay_s": 2.5}))
    late, slow, truncated, cut, whole = [client.get("users/me") for _ in range(5)]
    assert (late.delay_s, late.body, slow.drip_s, slow.body) == (2.5, whole.body, 2.5, whole.body)
    assert truncated.body == whole.body[: len(whole.body) // 2]
    assert (cut.body, cut.cut_at) == (whole.body, len(whole.body) // 2)


def test_a_fault_befalls_the_next_matching_requests_after_some(client: Client) -> None:
    client.account.add_fault(Fault("answer", match="GET .*/lists$", count=2, after=1))
    statuses = [client.get(path).status for path in ("lists", "users/me", "lists", "lists", "lists")]
    assert statuses == [200, 200, 503, 503, 200]


def test_a_fault_without_count_stays_until_cleared(client: Client) -> None:
    client.account.add_fault(Fault("answer", count=None))
    assert [client.get("users/me").status for _ in range(3)] == [503] * 3
    client.account.clear_faults()
    assert client.get("users/me").status == 200


def test_of_two_faults_the_first_added_happens_first(client: Client) -> None:
    client.account.add_fault(Fault("answer", answer=answers.html_error(500)))
    client.account.add_fault(Fault("answer", answer=answers.html_error(502)))
    assert [client.get("users/me").status for _ in range(3)] == [500, 502, 200]


@pytest.mark.parametrize(
    ("given_fault", "status", "content_type"),
    [
        ({"kind": "login_page"}, 200, "text/html; charset=UTF-8"),
        ({"kind": "html_error", "with": {"status": 504}}, 504, "text/html; charset=UTF-8"),
        ({"kind": "cloudflare_502"}, 502, "application/problem+json"),
        ({"kind": "redirect", "with": {"location": "https://other.example/"}}, 302, "text/html; charset=UTF-8"),
        ({"kind": "empty"}, 200, "application/json"),
        ({"kind": "answer", "status": 402, "headers": {"Content-Type": "x/y"}, "body": "pay"}, 402, "x/y"),
    ],
)
def test_canned_answers(client: Client, given_fault: dict[str, Any], status: int, content_type: str) -> None:
    client.account.add_fault(faults.from_json(given_fault))
    answer = client.bulk(*emails(2))
    assert (answer.status, answer.headers["Content-Type"]) == (status, content_type)
    assert client.account.state()["queued_contacts"] == 0


def test_a_redirect_names_the_other_host() -> None:
    assert answers.redirect("https://other.example/x", 307).headers["Location"] == "https://other.example/x"


def test_a_huge_body_and_a_bomb_have_the_size_asked_for() -> None:
    assert len(answers.huge(10_000).body) == 10_000
    bomb = answers.gzip_bomb(1_000_000)
    assert len(bomb.body) < 10_000
    assert len(gzip.decompress(bomb.body)) == 1_000_000


@pytest.mark.parametrize(
    "wrong", [{"kind": "explode"}, {"kind": "drop", "match": "("}, {"kind": "drop", "cuont": 1}, {}]
)
def test_a_fault_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, re.PatternError)):
        faults.from_json(wrong)


# -- over HTTP ---------------------------------------------------------------------------------------------------------


def test_the_account_answers_over_http(server: Server, session: requests.Session) -> None:
    assert session.get(f"{server.url}/api/3/users/me").json()["user"]["id"] == "1"
    answer = session.post(f"{server.url}{IMPORT}", json={"contacts": emails(2)})
    assert (answer.status_code, answer.json()["queued_contacts"]) == (200, 2)
    assert session.get(f"{server.url}/api/3/lists", params={"limit": 1}).json()["meta"] == {"total": "3"}


def test_links_name_the_host_that_was_asked(server: Server, session: requests.Session) -> None:
    user = session.get(f"{server.url}/api/3/users/me", headers={"Host": "acme.api-us1.com"}).json()["user"]
    assert user["links"]["lists"] == "https://acme.api-us1.com/api/3/users/1/lists"


def test_a_connection_is_kept_for_the_next_request(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    ports = set()
    for _ in range(3):
        connection.request("POST", IMPORT, b"{}", {})
        connection.getresponse().read()
        ports.add(connection.sock.getsockname()[1])
    connection.close()
    assert len(ports) == 1


@pytest.mark.parametrize("kind", ["drop", "lose_answer", "cut"])
def test_a_broken_connection_reaches_the_client_as_an_error(
    server: Server, session: requests.Session, kind: Any
) -> None:
    server.account.add_fault(Fault(kind))
    with pytest.raises(requests.RequestException):
        session.post(f"{server.url}{IMPORT}", json={"contacts": emails(2)})
    assert server.account.state()["queued_contacts"] == (0 if kind == "drop" else 2)


def test_a_truncated_answer_arrives_whole_and_is_no_json(server: Server, session: requests.Session) -> None:
    server.account.add_fault(Fault("truncate"))
    answer = session.get(f"{server.url}/api/3/users/me")
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_a_slow_answer_arrives_byte_by_byte(server: Server, session: requests.Session) -> None:
    server.account.add_fault(Fault("drip", match="nowhere", delay_s=0.001))
    assert session.get(f"{server.url}/api/3/nowhere").json() == {"message": "Not Found"}


def test_a_late_answer_holds_up_nobody_else_and_ends_with_the_server(session: requests.Session) -> None:
    running = serve(Account())
    running.account.add_fault(Fault("delay", match="lists", delay_s=LONG_S))
    ended = []

    def ask() -> None:
        with requests.Session() as other, suppress(requests.ConnectionError):  # its server ends while it waits
            ended.append(other.get(f"{running.url}/api/3/lists", headers=KEY).status_code)

    waiting = threading.Thread(target=ask)
    waiting.start()
    wait_for(running.account.requests)
    assert session.get(f"{running.url}/api/3/users/me").status_code == 200
    assert not ended
    running.close()
    waiting.join()


def test_a_closed_server_answers_no_old_connection_and_no_new_one() -> None:
    running = serve(Account())
    connection = http.client.HTTPConnection("127.0.0.1", running.port)

    def ask() -> bytes:
        connection.request("GET", "/api/3/users/me")
        return connection.getresponse().read()

    assert ask()
    running.close()
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        ask()
    connection.close()
    with pytest.raises(ConnectionRefusedError):
        connection.connect()


def test_a_body_without_a_length_is_refused(server: Server, session: requests.Session) -> None:
    answer = session.post(f"{server.url}{IMPORT}", data=iter([b"{}"]))
    assert answer.status_code == 411


def test_a_body_beyond_all_measure_is_refused_before_it_is_read(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.putrequest("POST", IMPORT)
    connection.putheader("Content-Length", str(10**12))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_many_clients_at_once_lose_nothing(server: Server) -> None:
    server.account.set_switches(requests_per_second=1_000, imports_per_minute=1_000, processing_base_s=0.0)

    def send(number: int) -> None:
        with requests.Session() as own:
            for batch in range(5):
                contacts = emails(10, start=number * 1_000 + batch * 10)
                assert own.post(f"{server.url}{IMPORT}", json={"contacts": contacts}, headers=KEY).status_code == 200

    senders = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert server.account.state()["queued_contacts"] == 400


def test_everything_can_be_controlled_over_http(server: Server, session: requests.Session) -> None:
    control = f"{server.url}/_sandbox"

    def do(method: str, path: str, **values: Any) -> Any:
        answer = session.request(method, f"{control}/{path}", json=values)
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert (
        do("PUT", "switches", status_delay_s=0, processing_base_s=0, processing_per_contact_s=0)["status_delay_s"] == 0
    )
    assert do("GET", "switches")["processing_base_s"] == 0
    do("PUT", "contact_limit", limit=10)
    do("PUT", "lists", id=4, name="Extra")
    do("DELETE", "lists?id=3")
    do("PUT", "fields", id=11, title="Extra")
    do("DELETE", "fields?id=10")
    do("POST", "unsubscribe", email="gone@example.com")
    do("POST", "unsubscribe", email="gone@example.com", list=2)
    do("POST", "bounce", email="back@example.com")
    do("POST", "exclude", phrase="@spam.org", match="end")
    do("POST", "imports", outcome="stuck")
    do("POST", "faults", kind="html_error", match="users/me")
    do("POST", "faults", kind="html_error", count=None)
    do("DELETE", "faults")
    assert session.get(f"{server.url}/api/3/users/me").status_code == 200
    batch_id = session.post(f"{server.url}{IMPORT}", json={"contacts": emails(2)}).json()["batchId"]
    do("POST", "imports", batchId=batch_id, outcome="completed")
    state = do("GET", "state")
    assert (state["contacts"], state["contact_limit"], state["imports"]) == (3, 10, {"completed": 1})
    assert sorted(state["members"]) == ["1", "2", "4"]
    assert do("GET", "contacts?email=gone@example.com")["lists"] == {"1": 2, "2": 2}
    assert [each["email"] for each in do("GET", "contacts?offset=1&limit=1")] == ["person0@example.com"]
    assert len(do("GET", "contacts")) == 3
    assert [each["path"] for each in do("GET", "requests")] == ["/api/3/users/me", IMPORT]
    assert do("GET", "violations")["imports"]["worst"] == 1
    do("PUT", "key", key="new-key", admin=False)
    assert session.get(f"{server.url}/api/3/users/me").status_code == 403
    do("POST", "reset")
    assert do("GET", "state")["contacts"] == 0
    assert session.get(f"{server.url}/api/3/users/me").status_code == 200


@pytest.mark.parametrize(
    ("request_line", "value", "status"),
    [
        ("GET nothing", {}, 404),
        ("PUT switches", {"colour": "red"}, 400),
        ("POST faults", {"kind": "drop", "match": "("}, 400),
        ("POST unsubscribe", {}, 400),
        ("POST imports", {"batchId": "unknown", "outcome": "completed"}, 400),
        ("DELETE lists", {"id": "x"}, 400),
    ],
)
def test_a_control_request_that_makes_no_sense_is_refused(
    server: Server, session: requests.Session, request_line: str, value: dict[str, Any], status: int
) -> None:
    method, path = request_line.split()
    answer = session.request(method, f"{server.url}/_sandbox/{path}", json=value)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_control_requests_are_not_requests_of_the_account(server: Server, session: requests.Session) -> None:
    for _ in range(8):
        session.get(f"{server.url}/_sandbox/state")
    assert server.account.requests() == []
