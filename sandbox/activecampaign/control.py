"""The control endpoints under /_sandbox/, for tests and the demo: JSON in and out. Each is a method of Account."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final
from urllib.parse import parse_qs

import orjson

from sandbox.activecampaign import faults
from sandbox.activecampaign.account import Account
from sandbox.activecampaign.answers import Answer, as_json
from sandbox.activecampaign.shapes import ContactList, CustomField

PREFIX: Final = "/_sandbox/"

Values = Mapping[str, Any]


def handle(account: Account, method: str, path: str, query: str = "", body: bytes = b"") -> Answer:
    """Answer one control request: 200 with a JSON value, 400 with {"error"} for values that do not fit, 404."""
    action = _ACTIONS.get((method, path.removeprefix(PREFIX)))
    if action is None:
        return as_json(404, {"error": f"expected one of {[' '.join(each) for each in _ACTIONS]}"})
    try:
        from_query = {name: found[-1] for name, found in parse_qs(query).items()}
        return as_json(200, action(account, {**from_query, **orjson.loads(body or b"{}")}))
    except (KeyError, TypeError, ValueError, re.PatternError) as error:
        return as_json(400, {"error": f"{type(error).__name__}: {error}"})


def _contacts(account: Account, values: Values) -> object:
    if "email" in values:
        return account.contact(values["email"])
    limit = int(values["limit"]) if "limit" in values else None
    return account.contacts(int(values.get("offset", 0)), limit)


def _set_switches(account: Account, values: Values) -> object:
    account.set_switches(**values)
    return asdict(account.switches)


def _end_imports(account: Account, values: Values) -> None:
    if "batchId" in values:
        account.end_import(values["batchId"], values["outcome"])
    else:
        account.end_next_imports(values["outcome"], values.get("count", 1))


_ACTIONS: Final[Mapping[tuple[str, str], Callable[[Account, Values], object]]] = {
    ("GET", "state"): lambda account, _: account.state(),
    ("GET", "contacts"): _contacts,
    ("GET", "requests"): lambda account, _: [each._asdict() for each in account.requests()],
    ("GET", "violations"): lambda account, _: account.violations(),
    ("GET", "switches"): lambda account, _: asdict(account.switches),
    ("PUT", "switches"): _set_switches,
    ("POST", "faults"): lambda account, values: account.add_fault(faults.from_json(values)),
    ("DELETE", "faults"): lambda account, _: account.clear_faults(),
    ("PUT", "key"): lambda account, values: account.set_key(values["key"], admin=values.get("admin", True)),
    ("PUT", "contact_limit"): lambda account, values: account.set_contact_limit(values["limit"]),
    ("PUT", "lists"): lambda account, values: account.put_list(ContactList(**values)),
    ("DELETE", "lists"): lambda account, values: account.delete_list(int(values["id"])),
    ("PUT", "fields"): lambda account, values: account.put_field(CustomField(**values)),
    ("DELETE", "fields"): lambda account, values: account.delete_field(int(values["id"])),
    ("POST", "unsubscribe"): lambda account, values: account.unsubscribe(values["email"], values.get("list", 1)),
    ("POST", "bounce"): lambda account, values: account.bounce(values["email"]),
    ("POST", "archive"): lambda account, values: account.archive(values["email"]),
    ("POST", "exclude"): lambda account, values: account.exclude(values["phrase"], values.get("match", "exact")),
    ("POST", "imports"): _end_imports,
    ("POST", "forget_import"): lambda account, values: account.forget_import(values["batchId"]),
    ("POST", "reset"): lambda account, _: account.reset(),
}
