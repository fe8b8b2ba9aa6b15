"""One ActiveCampaign account as a pure model: requests in, answers out, time as a function. No sockets."""

import heapq
import random
import re
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cached_property
from typing import Any, Final, NamedTuple, cast, get_args
from urllib.parse import parse_qs

import orjson

from sandbox.activecampaign import shapes
from sandbox.activecampaign.answers import HTML, Answer, as_json, login_page
from sandbox.activecampaign.audience import Audience, MatchType
from sandbox.activecampaign.contacts import BOUNCED, SUBSCRIBED, UNCONFIRMED, UNSUBSCRIBED, first_fault, is_deliverable
from sandbox.activecampaign.faults import Fault
from sandbox.activecampaign.imports import Import, Outcome, daily_totals
from sandbox.activecampaign.limits import Rate
from sandbox.activecampaign.shapes import ContactList, CustomField
from sandbox.activecampaign.switches import Switches

MAX_CONTACTS: Final = 250
MAX_BODY_BYTES: Final = 399_999
MAX_PAGE: Final = 100
DEFAULT_PAGE: Final = 20

_API: Final = "/api/3/"
_IMPORT: Final = ("POST", _API + "import/bulk_import")
_STATUSES: Final = {UNCONFIRMED: "unconfirmed", SUBSCRIBED: "active", UNSUBSCRIBED: "unsubscribed", BOUNCED: "bounced"}
_FORBIDDEN: Final = as_json(403, {"message": "Forbidden"})
_NOT_FOUND: Final = as_json(404, {"message": "Not Found"})


class LoggedRequest(NamedTuple):
    """A request as it arrived. `status` 0: the connection was dropped. `contacts`: of a bulk import, else 0.

    `over_limit`: it made a sliding window exceed a rate, whatever was answered.
    """

    at: float
    method: str
    path: str
    status: int
    contacts: int
    body_bytes: int
    over_limit: bool


@dataclass
class _Request:
    now: float
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @cached_property
    def json(self) -> object:
        """The body, or None if it is not JSON."""
        try:
            return orjson.loads(self.body) if self.body else None
        except orjson.JSONDecodeError:
            return None

    @property
    def contacts(self) -> int:
        """How many contacts a bulk import holds; 0 for anything else."""
        contacts = self.member("contacts") if (self.method, self.path) == _IMPORT else None
        return len(contacts) if isinstance(contacts, list) else 0

    @property
    def base(self) -> str:
        """URL of the API, for links."""
        return f"https://{self.headers.get('host', 'acme.api-us1.com')}{_API.rstrip('/')}"

    def member(self, name: str) -> object:
        """Return a member of the JSON object, or None."""
        return self.json.get(name) if isinstance(self.json, dict) else None


@dataclass
class _State:
    """Everything that a reset forgets."""

    api_key: str | None
    switches: Switches
    random: random.Random
    rates: dict[str, Rate]
    admin: bool = True
    audience: Audience = field(default_factory=Audience)
    imports: dict[str, Import] = field(default_factory=dict)
    in_process: list[tuple[float, int, Import]] = field(default_factory=list)  # a heap: done at, number, import
    next_outcomes: deque[Outcome] = field(default_factory=deque)
    faults: list[Fault] = field(default_factory=list)
    requests: list[LoggedRequest] = field(default_factory=list)


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
            self._state = _State(api_key, switches, random.Random(seed), _rates(switches))

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
            request = _Request(self._now(), method, path, values, lower, body)
            excesses = [rate.arrive(request.now) for rate in self._rates_of(request).values()]
            status = 0
            try:
                answer = self._befallen(request)
                status = answer.status
            finally:
                seen = LoggedRequest(request.now, method, path, status, request.contacts, len(body), any(excesses))
                self._state.requests.append(seen)
            return replace(answer, headers={**answer.headers, "X-Request-Id": self._new_id()})

    def _befallen(self, request: _Request) -> Answer:
        line = f"{request.method} {request.path}"
        fault = next((each for each in self._state.faults if each.takes(line)), None)
        return fault.befall(lambda: self._answer(request)) if fault else self._answer(request)

    def _answer(self, request: _Request) -> Answer:
        state = self._state
        if state.api_key is None or request.headers.get("api-token") != state.api_key:
            return login_page() if state.switches.bad_key == "login_page" else _FORBIDDEN
        if refusal := self._rate_refusal(request):
            return refusal
        for method, pattern, endpoint in self._ROUTES:
            found = re.fullmatch(_API + pattern, request.path)
            if found and method == request.method:
                return endpoint(self, request, *map(int, found.groups()))
        return _NOT_FOUND

    def _now(self) -> float:
        now = self._clock()
        due = self._state.in_process
        while due and due[0][0] <= now:
            self._process(heapq.heappop(due)[2])
        return now

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self._state.random.getrandbits(128), version=4))

    # -- rates -------------------------------------------------------------------------------------------------------

    def _rates_of(self, request: _Request) -> dict[str, Rate]:
        """Return the rates that a request counts in, by name."""
        names = ["requests"]
        if (request.method, request.path) == _IMPORT:
            names = ["requests", "imports"] if self._state.switches.imports_count_as_requests else ["imports"]
            names += ["single_imports"] if request.contacts == 1 else []
        return {name: self._state.rates[name] for name in names}

    def _rate_refusal(self, request: _Request) -> Answer | None:
        switches = self._state.switches
        for name, rate in self._rates_of(request).items():
            if not rate.allows(request.now, switches.counting, switches.other_share):
                return _too_many_requests(request.now, switches) if name == "requests" else _too_many(name, rate)
        for rate in self._rates_of(request).values():
            rate.accept(request.now, switches.other_share)
        return None

    # -- reading -----------------------------------------------------------------------------------------------------

    def _get_user(self, request: _Request) -> Answer:
        return as_json(200, {"user": shapes.user(request.base)})

    def _get_lists(self, request: _Request) -> Answer:
        found = [each for each in self._state.audience.lists.values() if not each.hidden]
        if name := request.query.get("filters[name]"):
            found = [each for each in found if each.name.lower() == name.lower()]
        shown = [shapes.contact_list(each, request.base) for each in _page(found, request.query)]
        return as_json(200, {"lists": shown, "meta": {"total": str(len(found))}})

    def _get_list(self, request: _Request, list_id: int) -> Answer:
        found = self._state.audience.lists.get(list_id)
        if found is None:
            return as_json(404, {"message": f"No Result found for _List with id {list_id}"})
        if found.hidden:
            error = {"status": 403, "title": "Forbidden", "detail": "You do not have permission to view lists."}
            return as_json(403, {"errors": [error]})
        return as_json(200, {"list": shapes.contact_list(found, request.base)})

    def _get_exclusions(self, request: _Request) -> Answer:
        rows = [
            {"id": str(number), "matchPhrase": phrase, "matchType": match, "lists": []}
            for number, (phrase, match) in enumerate(self._state.audience.exclusions, 1)
            if request.query.get("filters[matchPhrase]", phrase) == phrase
        ]
        # Documented as a number here, unlike everywhere else.
        return as_json(200, {"exclusions": _page(rows, request.query), "meta": {"total": len(rows)}})

    def _get_fields(self, request: _Request) -> Answer:
        wanted = request.query.get("filters[perstag]")
        found = [each for each in self._state.audience.custom_fields.values() if wanted in (None, each.perstag)]
        page = _page(found, request.query)
        return as_json(
            200,
            {
                "fieldOptions": shapes.field_options(page),
                "fieldRels": [],
                "fields": [shapes.custom_field(each, request.base) for each in page],
                "meta": {"total": str(len(found)), "selected": None},
            },
        )

    def _get_field(self, request: _Request, field_id: int) -> Answer:
        found = self._state.audience.custom_fields.get(field_id)
        if found is None:
            return as_json(404, {"message": f"No Result found for Field with id {field_id}"})
        return as_json(200, {"field": shapes.custom_field(found, request.base)})

    def _get_account(self, request: _Request) -> Answer:
        if not self._state.admin:
            return _FORBIDDEN
        audience = self._state.audience
        return as_json(200, shapes.account(request.base, limit=audience.contact_limit, total=len(audience)))

    # -- bulk import -------------------------------------------------------------------------------------------------

    def _post_import(self, request: _Request) -> Answer:
        contacts = request.member("contacts")
        reasons = self._failure_reasons(request, contacts)
        if reasons or not isinstance(contacts, list):
            message = (
                "JSON payload did not pass validation. Please fix failureReasons and retry. "
                "The import was not queued for processing."
            )
            return as_json(400, {"success": 0, "message": message, "failureReasons": reasons}, HTML)
        queued = self._queue(request, contacts)
        return as_json(
            200,
            {
                self._state.switches.success_spelling: 5 if queued.excluded else 1,
                "queued_contacts": queued.size,
                "batchId": queued.id,
                "message": "Contact import queued",
            },
            HTML,  # as recorded, although the body is JSON
        )

    def _failure_reasons(self, request: _Request, contacts: object) -> list[Any]:
        if len(request.body) > MAX_BODY_BYTES:
            return [f"The payload must be less than 400K bytes ({MAX_BODY_BYTES} bytes or less)."]
        if not isinstance(request.json, dict):
            return ["Invalid or unparsable json"]
        if not isinstance(contacts, list) or not contacts:
            return ["'contacts' must hold at least one contact."]
        if len(contacts) > MAX_CONTACTS:
            return [f"Up to {MAX_CONTACTS} contacts may be included in a single request."]
        switches = self._state.switches
        quotes = "\u2018{}\u2019" if switches.typographic_quotes else "'{}'"
        return [
            {"contact": position, "failureReason": f"Field {quotes.format(fault[0])} {fault[1]}"}
            for position, contact in enumerate(contacts, switches.index_base)
            if (fault := first_fault(contact))
        ]

    def _queue(self, request: _Request, contacts: list[Any]) -> Import:
        state = self._state
        excluded = [each["email"] for each in contacts if state.audience.is_excluded(each["email"])]
        left = [each for each in contacts if each["email"] not in excluded] if excluded else contacts
        seconds = state.switches.processing_base_s + state.switches.processing_per_contact_s * len(left)
        new = Import(self._new_id(), left, excluded, request.now, request.now + seconds)
        new.outcome = state.next_outcomes.popleft() if state.next_outcomes else "completed"
        top = request.member("exclude_automations") is True and state.switches.exclude_automations_at != "contact"
        new.runs_automations = not top
        state.imports[new.id] = new
        heapq.heappush(state.in_process, (new.done_at, len(state.imports), new))
        return new

    def _process(self, due: Import) -> None:
        if due.outcome != "stuck":
            due.process(self._state.audience, self._state.switches)

    def _get_import_info(self, request: _Request) -> Answer:
        import_id = request.query.get("batchId")
        if not import_id:
            return as_json(400, {"success": 0, "message": "'batchId' is a required field."})
        found = self._state.imports.get(import_id)
        if found is not None:
            return as_json(200, found.info(request.now, self._state.switches))
        if self._state.switches.unknown_import == "not_found":
            return as_json(404, {"message": f"No Result found for Import with id {import_id}"})
        return as_json(200, {"status": False})

    def _get_imports(self, request: _Request) -> Answer:
        return as_json(200, daily_totals(self._state.imports.values(), request.now))

    # -- single contacts ---------------------------------------------------------------------------------------------

    def _post_sync(self, request: _Request) -> Answer:
        sent = request.member("contact")
        if not isinstance(sent, dict) or not sent.get("email"):
            error = {"status": 400, "title": "Bad Request", "detail": "Contact email must be provided for sync"}
            return as_json(400, {"errors": [error]})
        if not isinstance(sent["email"], str) or not is_deliverable(sent["email"]):
            return _unprocessable("Contact Email Address is not valid.", "email_invalid", "email")
        audience = self._state.audience
        known = len(audience)
        contact = audience.find_or_create(sent["email"], request.now)
        audience.write(contact, shapes.as_bulk_contact(sent), request.now)
        audience.run_automations(contact)
        return as_json(201 if len(audience) > known else 200, shapes.contact(contact, request.base))

    def _post_contact_list(self, request: _Request) -> Answer:
        sent = request.member("contactList")
        try:
            list_id, contact_id, status = (int(cast("Any", sent)[name]) for name in ("list", "contact", "status"))
        except (KeyError, TypeError, ValueError):
            return _unprocessable("list, contact and status are required.", "field_missing", "contactList")
        audience = self._state.audience
        contact = audience.contact(contact_id)
        if status not in _STATUSES:
            return _unprocessable("The value you selected is not a valid choice.", "field_invalid", "status")
        if list_id not in audience.lists:
            return _unprocessable("The related list does not exist.", "related_missing", "list")
        if contact is None:
            return _unprocessable("The related contact does not exist.", "related_missing", "contact")
        known = list_id in contact.statuses()
        audience.set_status(contact, [list_id], status)
        return as_json(200 if known else 201, shapes.contact_membership(contact, list_id, status, request.now))

    _ROUTES: Final[tuple[tuple[str, str, Callable[..., Answer]], ...]] = (
        ("GET", r"users/me", _get_user),
        ("GET", r"lists", _get_lists),
        ("GET", r"lists/exclusions", _get_exclusions),
        ("GET", r"lists/(\d+)", _get_list),
        ("GET", r"fields", _get_fields),
        ("GET", r"fields/(\d+)", _get_field),
        ("GET", r"settings/account", _get_account),
        ("POST", r"import/bulk_import", _post_import),
        ("GET", r"import/bulk_import", _get_imports),
        ("GET", r"import/info", _get_import_info),
        ("POST", r"contact/sync", _post_sync),
        ("POST", r"contactLists", _post_contact_list),
    )

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
            if _rates(old) != _rates(new):
                self._state.rates = _rates(new)

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
                self._process(found)

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
                    members[number][_STATUSES[status]] += 1
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


def _rates(switches: Switches) -> dict[str, Rate]:
    return {
        "requests": Rate(switches.requests_per_second, 1.0),
        "imports": Rate(switches.imports_per_minute, 60.0),
        "single_imports": Rate(switches.single_imports_per_minute, 60.0),
    }


def _too_many(name: str, rate: Rate) -> Answer:
    kind = "single-contact imports" if name == "single_imports" else "imports"
    reason = (
        f"Up to {rate.limit} {kind} may be requested per minute."
        "Please batch contacts into larger requests, or retry this request in a minute."
    )
    return as_json(400, {"success": 0, "message": "Rate limit exceeded.", "failureReasons": [reason]}, HTML)


def _too_many_requests(now: float, switches: Switches) -> Answer:
    at = datetime.fromtimestamp(now + switches.retry_after_s, UTC)
    value = {
        "seconds": str(switches.retry_after_s),
        "http_date": format_datetime(at, usegmt=True),
        "absent": None,
        "absurd": "31536000",
        "negative": "-1",
    }[switches.retry_after]
    answer = as_json(429, {"message": "Too Many Requests"})
    return replace(answer, headers={**answer.headers, "Retry-After": value}) if value else answer


def _unprocessable(title: str, code: str, member: str) -> Answer:
    error = {"title": title, "detail": "", "code": code, "source": {"pointer": f"/data/attributes/{member}"}}
    return as_json(422, {"errors": [error]})


def _check(word: str, words: object) -> None:
    if word not in get_args(words):
        raise ValueError(f"expected one of {get_args(words)}, found {word!r}")


def _page[T](rows: Sequence[T], query: Mapping[str, str]) -> Sequence[T]:
    limit = min(_number(query.get("limit"), DEFAULT_PAGE), MAX_PAGE)
    offset = _number(query.get("offset"), 0)
    return rows[offset : offset + limit]


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() else default
