"""What the account answers to each request."""

import heapq
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final, cast

from sandbox.activecampaign import shapes
from sandbox.activecampaign.answers import HTML, Answer, as_json, login_page
from sandbox.activecampaign.contacts import STATUSES, Contact, SentContact, first_fault, is_deliverable
from sandbox.activecampaign.imports import Import, daily_totals
from sandbox.activecampaign.limits import Rate
from sandbox.activecampaign.requests import API, IMPORT, Request
from sandbox.activecampaign.state import State
from sandbox.activecampaign.switches import Switches

MAX_CONTACTS: Final = 250
MAX_BODY_BYTES: Final = 399_999

_FORBIDDEN: Final = as_json(403, {"message": "Forbidden"})
_NOT_FOUND: Final = as_json(404, {"message": "Not Found"})


def answer(state: State, request: Request) -> Answer:
    """Answer a request that meets no scripted fault."""
    if state.api_key is None or request.headers.get("api-token") != state.api_key:
        return login_page() if state.switches.bad_key == "login_page" else _FORBIDDEN
    if refusal := _rate_refusal(state, request):
        return refusal
    for method, pattern, endpoint in _ROUTES:
        found = re.fullmatch(API + pattern, request.path)
        if found and method == request.method:
            return endpoint(state, request, *map(int, found.groups()))
    return _NOT_FOUND


# --- rates ---


def rates_counted(state: State, request: Request) -> dict[str, Rate]:
    """Return the rates that a request counts in, by name."""
    names = ["requests"]
    if (request.method, request.path) == IMPORT:
        names = ["requests", "imports"] if state.switches.imports_count_as_requests else ["imports"]
        names += ["single_imports"] if request.contacts == 1 else []
    return {name: state.rates[name] for name in names}


def _rate_refusal(state: State, request: Request) -> Answer | None:
    switches = state.switches
    for name, rate in rates_counted(state, request).items():
        if not rate.allows(request.now, switches.counting, switches.other_share):
            return _too_many_requests(request.now, switches) if name == "requests" else _too_many(name, rate)
    for rate in rates_counted(state, request).values():
        rate.accept(request.now, switches.other_share)
    return None


# --- reading ---


def _get_user(_state: State, request: Request) -> Answer:
    return as_json(200, {"user": shapes.user(request.base)})


def _get_lists(state: State, request: Request) -> Answer:
    found = [each for each in state.audience.lists.values() if not each.hidden]
    if name := request.query.get("filters[name]"):
        found = [each for each in found if each.name.lower() == name.lower()]
    shown = [shapes.contact_list(each, request.base) for each in request.page(found)]
    return as_json(200, {"lists": shown, "meta": {"total": str(len(found))}})


def _get_list(state: State, request: Request, list_id: int) -> Answer:
    found = state.audience.lists.get(list_id)
    if found is None:
        return as_json(404, {"message": f"No Result found for _List with id {list_id}"})
    if found.hidden:
        error = {"status": 403, "title": "Forbidden", "detail": "You do not have permission to view lists."}
        return as_json(403, {"errors": [error]})
    return as_json(200, {"list": shapes.contact_list(found, request.base)})


def _get_exclusions(state: State, request: Request) -> Answer:
    rows = [
        {"id": str(number), "matchPhrase": phrase, "matchType": match, "lists": []}
        for number, (phrase, match) in enumerate(state.audience.exclusions, 1)
        if request.query.get("filters[matchPhrase]", phrase) == phrase
    ]
    # Documented as a number here, unlike everywhere else.
    return as_json(200, {"exclusions": request.page(rows), "meta": {"total": len(rows)}})


def _get_fields(state: State, request: Request) -> Answer:
    wanted = request.query.get("filters[perstag]")
    found = [each for each in state.audience.custom_fields.values() if wanted in (None, each.perstag)]
    page = shapes.fields_page(request.page(found), request.base, state.switches.fields_tell)
    return as_json(200, {**page, "meta": {"total": str(len(found)), "selected": None}})


def _get_field(state: State, request: Request, field_id: int) -> Answer:
    found = state.audience.custom_fields.get(field_id)
    if found is None:
        return as_json(404, {"message": f"No Result found for Field with id {field_id}"})
    return as_json(200, {"field": shapes.custom_field(found, request.base)})


def _get_field_options(state: State, request: Request, field_id: int) -> Answer:
    found = state.audience.custom_fields.get(field_id)
    if found is None:
        return as_json(404, {"message": f"No Result found for Field with id {field_id}"})
    options = shapes.field_options(found)
    return as_json(200, {"fieldOptions": request.page(options), "meta": {"total": str(len(options))}})


def _get_contacts(state: State, request: Request) -> Answer:
    """Apply the filters that are modelled: any other is ignored, as by the original. Contacts come by id."""
    query = {} if state.switches.contact_filters == "ignored" else request.query
    email, list_id = query.get("email"), query.get("listid")
    found = state.audience.contacts() if email is None else [*filter(None, [state.audience.find(email)])]
    if list_id is not None:
        found = [each for each in found if list_id in map(str, each.statuses())]
    if (status := query.get("status", "-1")) != "-1":
        found = [each for each in found if status in (str(of) for on, of in each.lists if list_id in (None, str(on)))]
    if after := query.get("id_greater"):
        found = [each for each in found if each.id > int(after)]
    page = request.page(found)
    wanted = set(request.query.get("include", "").split(",")) & _INCLUDED[state.switches.includes]
    shown = [shapes.contact(each, request.base, wanted) for each in page]
    beside = {name: [one for each in page for one in _BESIDE[name](each)] for name in sorted(wanted)}
    meta = {"total": str(len(found)), "sortable": True}
    return as_json(200, {"scoreValues": [], **beside, "contacts": shown, "meta": meta})


_BESIDE: Final[dict[str, Callable[[Contact], list[shapes.Json]]]] = {
    "contactLists": shapes.memberships,
    "fieldValues": shapes.field_values,
}
_INCLUDED: Final = {"all": {"contactLists", "fieldValues"}, "lists": {"contactLists"}, "ignored": set[str]()}


def _get_contact_lists(state: State, _request: Request, contact_id: int) -> Answer:
    found = state.audience.contact(contact_id)
    return _no_contact(contact_id) if found is None else as_json(200, {"contactLists": shapes.memberships(found)})


def _get_field_values(state: State, _request: Request, contact_id: int) -> Answer:
    found = state.audience.contact(contact_id)
    return _no_contact(contact_id) if found is None else as_json(200, {"fieldValues": shapes.field_values(found)})


def _no_contact(contact_id: int) -> Answer:
    return as_json(404, {"message": f"No Result found for Subscriber with id {contact_id}"})


def _get_account(state: State, request: Request) -> Answer:
    if not state.admin:
        return _FORBIDDEN
    audience = state.audience
    return as_json(200, shapes.account(request.base, limit=audience.contact_limit, total=len(audience)))


# --- bulk import ---


def _post_import(state: State, request: Request) -> Answer:
    contacts = request.member("contacts")
    reasons = _failure_reasons(state, request, contacts)
    if reasons or not isinstance(contacts, list):
        message = (
            "JSON payload did not pass validation. Please fix failureReasons and retry. "
            "The import was not queued for processing."
        )
        return as_json(400, {"success": 0, "message": message, "failureReasons": reasons}, HTML)
    queued = _queue(state, request, contacts)
    return as_json(
        200,
        {
            state.switches.success_spelling: 5 if queued.excluded else 1,
            "queued_contacts": queued.queued,
            "batchId": queued.id,
            "message": "Contact import queued",
        },
        HTML,  # as recorded, although the body is JSON
    )


def _failure_reasons(state: State, request: Request, contacts: object) -> list[Any]:
    if len(request.body) > MAX_BODY_BYTES:
        return [f"The payload must be less than 400K bytes ({MAX_BODY_BYTES} bytes or less)."]
    if not isinstance(request.json, dict):
        return ["Invalid or unparsable json"]
    if not isinstance(contacts, list) or not contacts:
        return ["'contacts' must hold at least one contact."]
    if len(contacts) > MAX_CONTACTS:
        return [f"Up to {MAX_CONTACTS} contacts may be included in a single request."]
    switches = state.switches
    quotes = "\u2018{}\u2019" if switches.typographic_quotes else "'{}'"
    return [
        {"contact": position, "failureReason": f"Field {quotes.format(fault[0])} {fault[1]}"}
        for position, contact in enumerate(contacts, switches.index_base)
        if (fault := first_fault(contact) or _unknown(state, contact))
    ]


def _unknown(state: State, contact: SentContact) -> tuple[str, str] | None:
    """Return the member that names what is not there, if the account refuses such contacts."""
    if state.switches.unknown_list == "refuse" and state.audience.unknown_list(contact):
        return "list", "does not exist"
    if state.switches.unknown_field == "refuse" and state.audience.unknown_field(contact):
        return "field", "does not exist"
    return None


def _queue(state: State, request: Request, contacts: list[Any]) -> Import:
    excluded = [each["email"] for each in contacts if state.audience.is_excluded(each["email"])]
    left = [each for each in contacts if each["email"] not in excluded] if excluded else contacts
    seconds = state.switches.processing_base_s + state.switches.processing_per_contact_s * len(left)
    new = Import(state.new_id(), left, excluded, request.now, request.now + seconds)
    new.queued = len(contacts) if state.switches.excluded == "queued" else len(left)
    if state.switches.unsubscribed == "not_queued":
        new.queued -= sum(state.audience.has_left(each) for each in left)
    new.outcome = state.next_outcomes.popleft() if state.next_outcomes else "completed"
    top = request.member("exclude_automations") is True and state.switches.exclude_automations_at != "contact"
    new.runs_automations = not top
    state.imports[new.id] = new
    heapq.heappush(state.in_process, (new.done_at, len(state.imports), new))
    return new


def _get_import_info(state: State, request: Request) -> Answer:
    import_id = request.query.get("batchId")
    if not import_id:
        return as_json(400, {"success": 0, "message": "'batchId' is a required field."})
    found = state.imports.get(import_id)
    if found is not None and not found.forgotten:
        return as_json(200, found.info(request.now, state.switches))
    if state.switches.unknown_import == "not_found":
        return as_json(404, {"message": f"No Result found for Import with id {import_id}"})
    return as_json(200, {"status": False})


def _get_imports(state: State, request: Request) -> Answer:
    return as_json(200, daily_totals(state.imports.values(), request.now))


# --- single contacts ---


def _post_sync(state: State, request: Request) -> Answer:
    sent = request.member("contact")
    if not isinstance(sent, dict) or not sent.get("email"):
        error = {"status": 400, "title": "Bad Request", "detail": "Contact email must be provided for sync"}
        return as_json(400, {"errors": [error]})
    if not isinstance(sent["email"], str) or not is_deliverable(sent["email"]):
        return _unprocessable("Contact Email Address is not valid.", "email_invalid", "email")
    audience = state.audience
    known = len(audience)
    contact = audience.find_or_create(sent["email"], request.now)
    audience.write(contact, shapes.as_bulk_contact(sent), request.now, state.switches)
    audience.run_automations(contact)
    return as_json(201 if len(audience) > known else 200, shapes.synced_contact(contact, request.base))


def _post_contact_list(state: State, request: Request) -> Answer:
    sent = request.member("contactList")
    try:
        list_id, contact_id, status = (int(cast("Any", sent)[name]) for name in ("list", "contact", "status"))
    except (KeyError, TypeError, ValueError):
        return _unprocessable("list, contact and status are required.", "field_missing", "contactList")
    audience = state.audience
    contact = audience.contact(contact_id)
    if status not in STATUSES:
        return _unprocessable("The value you selected is not a valid choice.", "field_invalid", "status")
    if list_id not in audience.lists:
        return _unprocessable("The related list does not exist.", "related_missing", "list")
    if contact is None:
        return _unprocessable("The related contact does not exist.", "related_missing", "contact")
    known = list_id in contact.statuses()
    audience.set_status(contact, [list_id], status)
    return as_json(200 if known else 201, shapes.contact_membership(contact, list_id, status, request.now))


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


_ROUTES: Final[tuple[tuple[str, str, Callable[..., Answer]], ...]] = (
    ("GET", r"users/me", _get_user),
    ("GET", r"lists", _get_lists),
    ("GET", r"lists/exclusions", _get_exclusions),
    ("GET", r"lists/(\d+)", _get_list),
    ("GET", r"fields", _get_fields),
    ("GET", r"fields/(\d+)", _get_field),
    ("GET", r"fields/(\d+)/options", _get_field_options),
    ("GET", r"settings/account", _get_account),
    ("GET", r"contacts", _get_contacts),
    ("GET", r"contacts/(\d+)/contactLists", _get_contact_lists),
    ("GET", r"contacts/(\d+)/fieldValues", _get_field_values),
    ("POST", r"import/bulk_import", _post_import),
    ("GET", r"import/bulk_import", _get_imports),
    ("GET", r"import/info", _get_import_info),
    ("POST", r"contact/sync", _post_sync),
    ("POST", r"contactLists", _post_contact_list),
)
