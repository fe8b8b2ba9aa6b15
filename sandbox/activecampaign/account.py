"""One ActiveCampaign account as a pure model: requests in, answers out, time as a function. No sockets."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, get_args
from urllib.parse import parse_qs

from sandbox.activecampaign.answers import Answer
from sandbox.activecampaign.audience import MatchType
from sandbox.activecampaign.contacts import STATUSES, UNSUBSCRIBED
from sandbox.activecampaign.endpoints import answer, rates_counted
from sandbox.activecampaign.faults import Fault
from sandbox.activecampaign.imports import Outcome
from sandbox.activecampaign.requests import LoggedRequest, Request
from sandbox.activecampaign.shapes import ContactList, CustomField
from sandbox.activecampaign.state import State, rates_of
from sandbox.activecampaign.switches import Switches


class Account:
    """The account. Every method may be called from any thread.

    Imports are processed when their time has come and anything is asked.
    """

    def __init__(
        self,
        api_key: str = "demo-key",
        *,
        clock: Callable[[], float] = time.time,
        switches: Switches | None = None,
        seed: int = 0,
    ) -> None:
        """Open an account whose one valid key is `api_key`, that of an administrator.

        `clock` returns epoch seconds and never goes back. `seed` makes ids reproducible.
        """
        self._clock = clock
        self._lock = threading.RLock()
        self._setup = (api_key, switches or Switches(), seed)
        self.reset()

    def reset(self) -> None:
        """Return to the state after construction."""
        with self._lock:
            api_key, switches, seed = self._setup
            self._state = State(api_key, switches, random.Random(seed), rates_of(switches))

    # -- requests ----------------------------------------------------------------------------------------------------

    def handle(
        self, method: str, path: str, query: str = "", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Answer one request. `path` begins with /api/3/, `query` is the text after "?", percent-encoded.

        Raises ConnectionDropped when a scripted fault says so.
        """
        with self._lock:
            values = {name: found[-1] for name, found in parse_qs(query, keep_blank_values=True).items()}
            lower = {name.lower(): value for name, value in (headers or {}).items()}
            request = Request(self._now(), method, path, values, lower, body)
            excesses = [rate.arrive(request.now) for rate in rates_counted(self._state, request).values()]
            status = 0
            try:
                answer = self._befallen(request)
                status = answer.status
            finally:
                seen = LoggedRequest(request.now, method, path, status, request.contacts, len(body), any(excesses))
                self._state.requests.append(seen)
            return replace(answer, headers={**answer.headers, "X-Request-Id": self._state.new_id()})

    def _befallen(self, request: Request) -> Answer:
        line = f"{request.method} {request.path}"
        fault = next((each for each in self._state.faults if each.takes(line)), None)
        return fault.befall(lambda: answer(self._state, request)) if fault else answer(self._state, request)

    def _now(self) -> float:
        now = self._clock()
        self._state.catch_up(now)
        return now

    # -- control: what a person could do in the account, and what only a test can ------------------------------------

    @property
    def switches(self) -> Switches:
        """The switches in force."""
        return self._state.switches

    def set_switches(self, **values: float | str) -> None:
        """Change switches by name. Changed rates start with empty windows. Raises ValueError."""
        with self._lock:
            old, new = self._state.switches, self._state.switches.changed(values)
            self._state.switches = new
            if rates_of(old) != rates_of(new):
                self._state.rates = rates_of(new)

    def set_key(self, api_key: str | None, *, admin: bool = True) -> None:
        """Rotate the key: only `api_key` is valid from now on, or none. `admin`: its user is an administrator."""
        with self._lock:
            self._state.api_key = api_key
            self._state.admin = admin

    def set_contact_limit(self, limit: int) -> None:
        """Set how many contacts the plan allows."""
        with self._lock:
            self._state.audience.contact_limit = limit

    def put_list(self, contact_list: ContactList) -> None:
        """Add or replace a list."""
        with self._lock:
            self._state.audience.lists[contact_list.id] = contact_list

    def delete_list(self, list_id: int) -> None:
        """Remove a list, and everybody from it."""
        with self._lock:
            self._state.audience.delete_list(list_id)

    def put_field(self, custom_field: CustomField) -> None:
        """Add or replace a custom field."""
        with self._lock:
            self._state.audience.custom_fields[custom_field.id] = custom_field

    def delete_field(self, field_id: int) -> None:
        """Remove a custom field. Values that contacts already have stay."""
        with self._lock:
            self._state.audience.custom_fields.pop(field_id, None)

    def unsubscribe(self, email: str, list_id: int = 1) -> None:
        """Let a person leave a list; an unknown address becomes a contact first."""
        with self._lock:
            contact = self._state.audience.find_or_create(email, self._now())
            self._state.audience.set_status(contact, [list_id], UNSUBSCRIBED)

    def archive(self, email: str) -> None:
        """Archive a contact, as deleting one does; an import of its address makes a new one."""
        with self._lock:
            self._now()
            self._state.audience.archive(email)

    def bounce(self, email: str) -> None:
        """Let mail to an address come back."""
        with self._lock:
            self._now()
            self._state.audience.bounce(email)

    def exclude(self, phrase: str, match: MatchType = "exact") -> None:
        """Put an address, or the start or end of addresses, on the exclusion list."""
        _check(match, MatchType)
        with self._lock:
            self._state.audience.exclusions.append((phrase, match))

    def forget_import(self, import_id: str) -> None:
        """Answer about an import as about one that never was; what it did stays, and what it has to do is done.

        Raises KeyError for an unknown id.
        """
        with self._lock:
            self._state.imports[import_id].forgotten = True

    def end_next_imports(self, outcome: Outcome, count: int = 1) -> None:
        """Decide how the next `count` accepted imports end."""
        _check(outcome, Outcome)
        with self._lock:
            self._state.next_outcomes.extend([outcome] * count)

    def end_import(self, import_id: str, outcome: Outcome) -> None:
        """Decide how one import ends; one that is overdue ends at once.

        Raises KeyError for an unknown id, ValueError for a finished import.
        """
        _check(outcome, Outcome)
        with self._lock:
            now = self._now()
            found = self._state.imports[import_id]
            if found.finished:
                raise ValueError("expected an import in process, found a finished one")
            found.outcome = outcome
            if found.done_at <= now:
                self._state.process(found)

    def add_fault(self, fault: Fault) -> None:
        """Script a fault. Of several that match a request, the one added first befalls it."""
        with self._lock:
            self._state.faults.append(fault)

    def clear_faults(self) -> None:
        """Forget all scripted faults."""
        with self._lock:
            self._state.faults.clear()

    def contact(self, email: str) -> dict[str, Any] | None:
        """Return one contact as JSON, or None."""
        with self._lock:
            self._now()
            found = self._state.audience.find(email)
            return found.as_json() if found else None

    def contacts(self, offset: int = 0, limit: int | None = None) -> list[dict[str, Any]]:
        """Return contacts as JSON, by id."""
        with self._lock:
            self._now()
            everybody = self._state.audience.contacts()
            return [each.as_json() for each in everybody[offset : None if limit is None else offset + limit]]

    def requests(self) -> list[LoggedRequest]:
        """Return every request since the start, in order of arrival."""
        with self._lock:
            return list(self._state.requests)

    def violations(self) -> dict[str, dict[str, float | None]]:
        """Return by rate how many requests arrived over it, the fullest sliding window, and when the first came."""
        with self._lock:
            return {
                name: {
                    "limit": rate.limit,
                    "window_s": rate.window_s,
                    "violations": rate.violations,
                    "worst": rate.worst,
                    "first_at": rate.first_violation_at,
                }
                for name, rate in self._state.rates.items()
            }

    def state(self) -> dict[str, Any]:
        """Return counts of everything."""
        with self._lock:
            now = self._now()
            state = self._state
            members = {number: Counter[str]() for number in state.audience.lists}
            for contact in state.audience.contacts():
                for number, status in contact.lists:
                    members[number][STATUSES[status]] += 1
            imports = state.imports.values()
            return {
                "contacts": len(state.audience),
                "contact_limit": state.audience.contact_limit,
                "members": {str(number): counts for number, counts in members.items()},
                "imports": Counter(str(each.status(now, state.switches)).lower() for each in imports),
                "queued_contacts": sum(each.size for each in imports),
                "created": sum(len(each.created) for each in imports),
                "updated": sum(len(each.updated) for each in imports),
                "failures": Counter(refusal for each in imports for _, refusal in each.failures),
                "automation_runs": state.audience.automation_runs,
                "tags": len(state.audience.tags),
                "requests": len(state.requests),
                "requests_by_status": Counter(str(each.status) for each in state.requests),
                "violations": sum(rate.violations for rate in state.rates.values()),
            }


def _check(word: str, words: object) -> None:
    if word not in get_args(words):
        raise ValueError(f"expected one of {get_args(words)}, found {word!r}")
