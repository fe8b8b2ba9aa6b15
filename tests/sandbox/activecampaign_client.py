"""A client of the ActiveCampaign stand-in for its tests: the right key, and time that passes when told to."""

import json
from dataclasses import dataclass
from typing import Any

from sandbox.activecampaign import Account, Answer, Switches

IMPORT = "/api/3/import/bulk_import"
KEY = {"Api-Token": "demo-key"}
LONG_S = 3_600.0  # after so long every import has been processed and every window is empty


class Clock:
    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass
class Client:
    """Speaks to an account with the right key, and lets time pass."""

    account: Account
    clock: Clock

    def get(self, path: str, query: str = "") -> Answer:
        return self.account.handle("GET", f"/api/3/{path}", query, KEY)

    def post(self, path: str, value: object) -> Answer:
        return self.account.handle("POST", f"/api/3/{path}", "", KEY, json.dumps(value).encode())

    def bulk(self, *contacts: object, **more: object) -> Answer:
        return self.post("import/bulk_import", {"contacts": contacts, **more})

    def wait(self, seconds: float = LONG_S) -> None:
        self.clock.now += seconds

    def imported(self, *contacts: object, **more: object) -> dict[str, Any]:
        """Import and wait; the final answer of import/info."""
        batch_id = value_of(self.bulk(*contacts, **more))["batchId"]
        self.wait()
        return self.info(batch_id)

    def info(self, batch_id: str) -> dict[str, Any]:
        answer = self.get("import/info", f"batchId={batch_id}")
        assert answer.status == 200
        return value_of(answer)


def client_with(**switches: Any) -> Client:
    clock = Clock()
    return Client(Account(clock=clock, switches=Switches(**switches)), clock)


def value_of(answer: Answer) -> dict[str, Any]:
    value = json.loads(answer.body)
    assert isinstance(value, dict)
    return value


def emails(count: int, start: int = 0) -> list[dict[str, str]]:
    return [{"email": f"person{number}@example.com"} for number in range(start, start + count)]


def stored(client: Client, email: str) -> dict[str, Any]:
    contact = client.account.contact(email)
    assert contact is not None
    return contact


def failure_reasons(answer: Answer) -> list[Any]:
    value = value_of(answer)
    assert (answer.status, value["success"]) == (400, 0)
    reasons = value["failureReasons"]
    assert isinstance(reasons, list)
    return reasons
