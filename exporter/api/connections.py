"""Connections: who may use which ActiveCampaign account. Saving one tests it; an API key is never shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from exporter import log
from exporter.activecampaign import hosts
from exporter.activecampaign.account import AccountLimits, ContactList, CustomField
from exporter.api import resources
from exporter.api.access import Context, Role
from exporter.api.http import Json, Refusal, unfit
from exporter.api.inputs import REPEATED
from exporter.api.resources import History, MatchHeaders, Page, PageQuery, Switch
from exporter.definitions import connections
from exporter.definitions.connections import Connection, Consent, UsableBy
from exporter.definitions.exports import Export, Seen
from exporter.definitions.resources import ID_PATTERN, DisplayName, Paused
from exporter.errors import Wait
from exporter.model import Value, to_text
from exporter.pipeline import preflight, questions, schedule
from exporter.pipeline.cancel import cancel_run
from exporter.pipeline.session import Session
from exporter.queries.reading import one_of_few_listers
from exporter.records import paths, store
from exporter.records.definitions import is_on_hold
from exporter.records.slots import current_runs
from exporter.services import Services
from exporter.source.segments import Segments
from exporter.warned import Warned

MAX_COUNTED = 20
"""Lists whose contacts are counted in one answer: each takes one of the account's turns, of which it has a few a
second."""
COUNT_S = 20.0
_PREFIXES = " or ".join(connections.SECRET_PREFIXES)


def _number(text: object) -> object:
    return int(text) if isinstance(text, str) and re.fullmatch(r"[0-9]{1,10}", text) else text


ListId = Annotated[int, BeforeValidator(_number), Field(ge=1, le=2**31 - 1)]
"""In a query, where all is text."""


SecretName = Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{1,127}$")]


class ConnectionBody(Value):
    """A connection as an administrator defines it."""

    display_name: DisplayName
    """A display name: one line, no leading or trailing spaces."""
    host: str = Field(min_length=1, max_length=300)
    """The account's API host, from Settings > Developer in ActiveCampaign; a leading `https://` is accepted."""
    api_key: str | None = Field(default=None, min_length=1, max_length=500, pattern=r"^[!-~]+$", repr=False)
    """Goes to Key Vault and is never returned. Omit it to keep the key that is stored for this host. Refused where the
    app stores no keys (`STORE_API_KEYS`)."""
    secret_name: SecretName | None = None
    """The name of an existing secret in the app's Key Vault, as an alternative to `apiKey`. It begins with
    `activecampaign-` or `connection-`, and no other connection uses it."""
    usable_by: UsableBy = UsableBy.ADMINISTRATORS
    """Who may use the connection in exports."""
    consent: bool | Consent = False
    """Must be true: you agree that personal data of customers leaves your compliance boundary for ActiveCampaign. You
    may also send the consent back as GET showed it; it is valid for its host only."""


class ConnectionView(History):
    """A connection as returned; contributors see only id, name and type."""

    id: str
    """As in the path."""
    display_name: str
    """A display name."""
    type: Literal["ActiveCampaign"] = "ActiveCampaign"
    """The kind of destination; there is only one."""
    host: str | None = None
    """The account's API host."""
    account_name: str | None = None
    """The account's name in ActiveCampaign; absent if the API key is not an administrator's, which cannot read it."""
    secret_name: str | None = None
    """The secret in Key Vault that holds the API key."""
    usable_by: UsableBy | None = None
    """Who may use the connection in exports."""
    consent: Consent | None = None
    """Who agreed that personal data is sent to this account, and when."""
    paused: Paused | None = None
    """Who has paused it, and when: none of its exports starts by itself. Only `pause` and `unpause` change it."""
    warnings: tuple[Warned, ...] | None = None
    """In the answer after which a pause or a hold is over: what its exports do not export by themselves. Ignored when
    sent back."""


class DeleteQuery(Value):
    """How to remove a connection that is in use."""

    detach: Switch = False
    """True: exports that use it keep their definition but lose the connection, and their runs are canceled."""


class Removed(Value):
    """The result of removing a connection."""

    detached_exports: tuple[str, ...]
    canceled_runs: tuple[str, ...]
    secret_name: str
    """Still in Key Vault, because canceled runs must still confirm what they sent. Delete it there afterwards."""


class ConnectionTestBody(Value):
    """What to test: a host with a key or with the secret that holds one, or a connection that is saved."""

    host: str | None = Field(default=None, min_length=1, max_length=300)
    """The account's API host, as for a connection."""
    api_key: str | None = Field(default=None, min_length=1, max_length=500, pattern=r"^[!-~]+$", repr=False)
    """The key to test; it is not stored, and never returned."""
    secret_name: SecretName | None = None
    """The name of a secret in the app's Key Vault that holds the key to test, as a new connection would name it."""
    connection_id: str | None = Field(default=None, pattern=ID_PATTERN)
    """The id of a saved connection, to test it with the key that is stored for it."""

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Self:
        members = {"host": self.host, "apiKey": self.api_key, "secretName": self.secret_name}
        given = {name for name, value in (members | {"connectionId": self.connection_id}).items() if value is not None}
        if given not in ({"host", "apiKey"}, {"host", "secretName"}, {"connectionId"}):
            raise ValueError("give host and apiKey, host and secretName, or connectionId")
        return self


class KeyUser(Value):
    """The ActiveCampaign user whose key it is."""

    id: int
    name: str | None = None
    """As they sign in; absent if ActiveCampaign does not say."""


class ContactRoom(Value):
    """How many contacts the ActiveCampaign account's plan allows, and how many it has."""

    contact_limit: int | None = None
    contacts: int | None = None


class ConnectionTested(Value):
    """What a key that works reaches. Compare it with what you expect: the host may be another account's."""

    host: str
    """The account's API host, as it would be saved."""
    account_name: str | None = None
    """As of a connection."""
    user: KeyUser
    contact_room: ContactRoom | None = None
    """Absent if the API key is not an administrator's, which cannot read it."""
    lists: int
    """How many lists the user may see."""


class ListsQuery(Value):
    """Which lists to return, and whether to count their contacts."""

    id: Annotated[tuple[ListId, ...], Field(max_length=MAX_COUNTED), REPEATED] = ()
    """Only the list with this id; may be given 20 times."""
    active: Switch = False
    """Whether to ask how many active contacts each of the first 20 lists of the answer has, one request for each."""


class ListView(Value):
    """A list of an ActiveCampaign account."""

    id: int
    name: str
    channel: str
    """Exports require `email`."""
    active: int | None = None
    """How many active contacts it has. Absent if that was not asked for, or not clearly answered within 20 s."""


class FieldView(Value):
    """A custom field of an ActiveCampaign account."""

    id: int
    title: str
    type: str
    tag: str
    """The personalization tag, without percent signs; may be empty."""
    options: tuple[str, ...] | None = None
    """The texts that it takes, if its type has options; empty for other types. Absent if ActiveCampaign does not tell
    all of them beside its fields."""
    lists: tuple[int, ...] | None = None
    """The ids of the lists that it is related to; 0 stands for all lists. A contact that is on none of them loses the
    value without a word. Absent if ActiveCampaign does not tell."""


def list_all(context: Context, query: PageQuery) -> Json[Page[ConnectionView]]:
    """List connections. Administrators see all of them; contributors see id, name and type of shared ones."""
    blobs = context.services.blobs

    def show(connection_id: str) -> ConnectionView | None:
        connection = resources.read(blobs, Connection, paths.CONNECTIONS, connection_id)
        return _view(context, connection) if connection and may_use(context, connection) else None

    ids = resources.ids_below(blobs, paths.CONNECTIONS)
    return Json(resources.page(context, ids, query, show))


def get(context: Context, connection_id: str) -> Json[ConnectionView]:
    """Show a connection."""
    return _answer(context, find(context, connection_id))


def put(context: Context, connection_id: str, body: ConnectionBody, headers: MatchHeaders) -> Json[ConnectionView]:
    """Create or change a connection, after testing it against ActiveCampaign."""
    services = context.services
    resources.check_id(connection_id)
    existing = resources.read(services.blobs, Connection, paths.CONNECTIONS, connection_id)
    resources.check_match(headers, existing, required=True)
    shown = _view(context, existing) if existing else ConnectionView(id=connection_id, display_name=body.display_name)
    resources.check_read_only(body, ConnectionBody, shown)
    body = _without_shown_secret(body, existing)
    if body.api_key and not services.settings.store_api_keys:
        about = {"vault": services.settings.vault_name, "prefixes": _PREFIXES}
        raise Refusal.of(422, "keys_not_stored", **about)
    host = _host(context, body.host)
    same_account = existing if existing and existing.host == host else None
    if body.consent is not True and (same_account is None or body.consent != same_account.consent):
        raise Refusal.of(422, "consent_missing")
    secret_name = _secret_name(connection_id, host, body, same_account)
    if existing is None or secret_name != existing.secret_name:
        _check_secret(services, connection_id, secret_name)
    key = body.api_key or services.secrets.get(secret_name, fresh=True)
    limits = preflight.check_connection(Session(services, host, key)).limits
    if body.api_key:
        services.secrets.set(secret_name, body.api_key)
    now = services.clock.now()
    connection = Connection(
        id=connection_id,
        display_name=body.display_name,
        host=host,
        secret_name=secret_name,
        usable_by=body.usable_by,
        consent=same_account.consent if same_account else Consent(agreed_by=context.caller.name, agreed_utc=now),
        account_name=limits.name if limits else None,
        paused=existing.paused if existing else None,
        **resources.next_history(existing, context.caller, now),
    )
    begun = _end_holds(services, existing, connection) if existing else []
    resources.save(services.blobs, paths.connection_path(connection_id), connection, existing)
    log.event("connection_saved", connectionId=connection_id)
    answer = _answer(context, connection, 200 if existing else 201)
    return replace(answer, value=answer.value.model_copy(update={"warnings": _not_exported(begun)}))


def _without_shown_secret(body: ConnectionBody, existing: Connection | None) -> ConnectionBody:
    """Return the body without an unchanged `secretName`, which means the same as an omitted one."""
    if existing and body.secret_name == existing.secret_name:
        return body.model_copy(update={"secret_name": None})
    if body.api_key and body.secret_name:
        raise unfit(["apiKey, secretName: give one of them, not both"], code="invalid_body")
    return body


def _secret_name(connection_id: str, host: str, body: ConnectionBody, same_account: Connection | None) -> str:
    if body.secret_name:
        return body.secret_name
    if body.api_key:
        return connections.own_secret_name(connection_id, host)
    if same_account:
        return same_account.secret_name
    # A stored key is never tried on any host other than the one it was given for.
    raise Refusal.of(422, "api_key_missing")


def _check_secret(services: Services, connection_id: str | None, secret_name: str) -> None:
    """Refuse a secret that is not for this connection; None: for one that is not there yet.

    Raises `Refusal` ("secret_refused", "secret_in_use").
    """
    if not secret_name.startswith(connections.SECRET_PREFIXES):
        raise Refusal.of(422, "secret_refused", prefixes=_PREFIXES)
    for other in store.get_all(services.blobs, Connection, paths.CONNECTIONS):
        if other.secret_name.lower() == secret_name.lower() and other.id != connection_id:  # the vault knows no case
            raise Refusal.of(409, "secret_in_use", connection=other.id)


def delete(context: Context, connection_id: str, query: DeleteQuery, headers: MatchHeaders) -> Json[Removed]:
    """Remove a connection. Refused while exports use it, unless `detach` is true."""
    services = context.services
    connection = find(context, connection_id)
    resources.check_match(headers, connection)
    users = [export.id for export in _exports_on(services, connection_id)]
    running = _running_on(services, connection_id)
    if (users or running) and not query.detach:
        refusal = Refusal.of(409, "connection_in_use")
        refusal.members |= {"exports": users, "runs": running}
        raise refusal
    for export_id in users:
        detach(context, export_id)
    running = [*dict.fromkeys((*running, *_running_on(services, connection_id)))]  # one may have started before that
    for run_id in running:
        cancel_run(services, run_id, context.caller.name)
    services.blobs.delete(paths.connection_path(connection_id))
    log.event("connection_deleted", connectionId=connection_id, detached=len(users), canceled=len(running))
    return Json(
        Removed(detached_exports=tuple(users), canceled_runs=tuple(running), secret_name=connection.secret_name)
    )


def _running_on(services: Services, connection_id: str) -> list[str]:
    return [run.run_id for run in current_runs(services) if run.export.connection_id == connection_id]


def pause(context: Context, connection_id: str) -> Json[ConnectionView]:
    """Let nothing start the exports of a connection but a person, until it is unpaused. Runs in progress continue."""
    find(context, connection_id)
    now = context.services.clock.now()
    return _changed(context, connection_id, partial(resources.paused, by=context.caller, now=now))


def unpause(context: Context, connection_id: str) -> Json[ConnectionView]:
    """Let the schedules start the exports of a connection again, with what comes after this.

    What lies there complete counts as seen for each of its exports; `warnings` name what is not exported.
    """
    services, paused = context.services, find(context, connection_id).paused
    begun: list[Export] = []
    if paused:
        seen = _seen_now(services, _exports_on(services, connection_id))
        # Of two who end a pause, the second may look when a refresh is owed already: what is seen lay there in a pause.
        if find(context, connection_id).paused == paused:
            # First the exports: until the connection follows, nothing starts them.
            begun = _begin_anew(services, seen)
    now = services.clock.now()

    def unpaused(connection: Connection) -> Connection | None:
        if not connection.paused or connection.paused != paused:
            return None  # a pause that began meanwhile goes on
        return connection.model_copy(update={"paused": None, **resources.next_history(connection, context.caller, now)})

    answer = _changed(context, connection_id, unpaused)
    return replace(answer, value=answer.value.model_copy(update={"warnings": _not_exported(begun)}))


def _not_exported(begun: Iterable[Export]) -> tuple[Warned, ...] | None:
    """Name what counts as seen for exports that begin anew."""
    warnings = tuple(
        Warned.of("refresh_not_exported", case="of_export", export=export.display_name, refreshed=to_text(refreshed))
        for export in begun
        if (refreshed := schedule.not_exported(export)) is not None
    )
    return warnings or None


def _end_holds(services: Services, before: Connection, after: Connection) -> list[Export]:
    """Let the exports begin anew that are on hold until the connection is saved, and return them."""
    if before.usable_by == after.usable_by:
        return []
    exports = _exports_on(services, before.id)
    held = [each for each in exports if is_on_hold(each, before) and not is_on_hold(each, after)]
    return _begin_anew(services, _seen_now(services, held)) if held else []


def _exports_on(services: Services, connection_id: str) -> list[Export]:
    exports = store.get_all(services.blobs, Export, paths.EXPORTS)
    return [each for each in exports if each.connection_id == connection_id]


def _seen_now(services: Services, exports: Iterable[Export]) -> list[tuple[Export, Seen]]:
    """Return those of the exports that have a schedule, each with what counts as seen now; from one listing."""
    with one_of_few_listers():
        segments = Segments(services.segments, services.settings.segment_prefix)
        return [(each, schedule.seen_now(services, each, segments)) for each in exports if each.runs_by_itself]


def _begin_anew(services: Services, seen: Iterable[tuple[Export, Seen]]) -> list[Export]:
    """Let exports begin anew, and return those that are still there."""
    begun = (_begin(services, export.id, export.seen, now) for export, now in seen)
    return [export for export in begun if export]


def _begin(services: Services, export_id: str, before: Seen | None, seen: Seen) -> Export | None:
    """Let an export begin anew, and return it; None if it is gone."""

    def begun(export: Export) -> Export | None:
        # Else somebody has saved it meanwhile, and has seen what is newer.
        return export.model_copy(update={"seen": seen}) if export.seen == before else None

    return store.change(services.blobs, Export, paths.export_path(export_id), begun)


def _changed(
    context: Context, connection_id: str, change: Callable[[Connection], Connection | None]
) -> Json[ConnectionView]:
    changed = store.change(context.services.blobs, Connection, paths.connection_path(connection_id), change)
    if changed is None:
        raise Refusal.of(404, "no_such_connection")
    log.event("connection_saved", connectionId=connection_id)
    return _answer(context, changed)


def test(context: Context, body: ConnectionTestBody) -> Json[ConnectionTested]:
    """Test an API key, or a saved connection, against ActiveCampaign; nothing is stored.

    Asks for the key's user, the lists, the custom fields and the account's limits, as saving a connection does.
    """
    if body.connection_id is not None:
        session = account_calls(context, find(context, body.connection_id))
    else:
        host, key = _host(context, str(body.host)), body.api_key
        if body.secret_name is not None:
            # A key that a connection uses is tested with that connection, and on its host only.
            _check_secret(context.services, None, body.secret_name)
            key = context.services.secrets.get(body.secret_name, fresh=True)
        session = Session(context.services, host, str(key))
    found = preflight.check_connection(session)
    return Json(
        ConnectionTested(
            host=session.host,
            account_name=found.limits.name if found.limits else None,
            user=KeyUser(id=found.user.id, name=found.user.name),
            contact_room=room(found.limits),
            lists=found.lists,
        )
    )


def room(limits: AccountLimits | None) -> ContactRoom | None:
    """Return what is shown of an account's limits."""
    return ContactRoom(contact_limit=limits.contact_limit, contacts=limits.contacts) if limits else None


def _host(context: Context, given: str) -> str:
    """Return the host that a caller means. Raises `Stop` ("host_refused")."""
    return hosts.check_host(given, (*hosts.HOST_SUFFIXES, *context.services.settings.extra_host_suffixes))


def lists(context: Context, connection_id: str, query: ListsQuery) -> Json[Page[ListView]]:
    """List the account's lists, to choose one for an export."""
    calls = account_calls(context, find(context, connection_id))
    shown = [each for each in questions.all_lists(calls) if not query.id or each.id in query.id]
    active = _active(calls, shown[:MAX_COUNTED]) if query.active else {}
    return Json(
        Page(
            value=tuple(
                ListView(id=each.id, name=each.name, channel=each.channel or "email", active=active.get(each.id))
                for each in shown
            )
        )
    )


def _active(calls: Session, lists: Iterable[ContactList]) -> dict[int, int | None]:
    """Return how many active contacts lists have, by id, as far as ActiveCampaign answers in time."""
    until = calls.services.clock.now() + COUNT_S
    counts: dict[int, int | None] = {}
    with suppress(Wait):
        for each in lists:
            if calls.services.clock.now() > until:
                break
            counts[each.id] = questions.list_active(calls, each.id)
    return counts


def fields(context: Context, connection_id: str) -> Json[Page[FieldView]]:
    """List the account's custom fields, to match columns to them."""
    all_fields = questions.all_fields(account_calls(context, find(context, connection_id)))
    return Json(Page(value=tuple(map(_field_view, all_fields))))


def _field_view(of: CustomField) -> FieldView:
    return FieldView(
        id=of.id,
        title=of.title,
        type=of.type,
        tag=of.tag,
        options=None if of.options is None else tuple(option.value for option in of.options),
        lists=None if of.lists is None else tuple(sorted(of.lists)),
    )


def find(context: Context, connection_id: str) -> Connection:
    """Return a connection that the caller may use. Raises `Refusal` ("no_such_connection") for any other."""
    connection = resources.read(context.services.blobs, Connection, paths.CONNECTIONS, connection_id)
    if connection is None or not may_use(context, connection):
        raise Refusal.of(404, "no_such_connection")
    return connection


def may_use(context: Context, connection: Connection) -> bool:
    """Return whether the caller may use the connection."""
    return context.caller.role is Role.ADMIN or connection.usable_by is UsableBy.CONTRIBUTORS


def may_use_exports_on(context: Context, connection_id: str | None, at: float | None = None) -> bool:
    """Return whether the caller may change and run exports on this connection; anyone may if it is None.

    `at` is when a run was requested. A connection that was created since has the id of a former one, and no more.
    """
    if context.caller.role is Role.ADMIN or connection_id is None:
        return True
    connection = resources.read(context.services.blobs, Connection, paths.CONNECTIONS, connection_id)
    if connection is None or (at is not None and connection.created_utc > at):
        return False
    return may_use(context, connection)


def account_calls(context: Context, connection: Connection) -> Session:
    """Return a session with the connection's account. Its key is read from Key Vault, not from the cache."""
    key = context.services.secrets.get(connection.secret_name, fresh=True)
    return Session(context.services, connection.host, key)


def detach(context: Context, export_id: str) -> Export | None:
    """Remove the connection from an export; return the export, or None if there is none."""
    now = context.services.clock.now()

    def without(export: Export) -> Export | None:
        if export.connection_id is None:
            return None
        history = resources.next_history(export, context.caller, now)
        return export.model_copy(update={"connection_id": None, **history})

    return store.change(context.services.blobs, Export, paths.export_path(export_id), without)


def _answer(context: Context, connection: Connection, status: int = 200) -> Json[ConnectionView]:
    return Json(_view(context, connection), status, {"ETag": resources.etag(connection)})


def _view(context: Context, connection: Connection) -> ConnectionView:
    if context.caller.role is not Role.ADMIN:
        return ConnectionView(id=connection.id, display_name=connection.display_name)
    return ConnectionView(
        id=connection.id,
        display_name=connection.display_name,
        host=connection.host,
        account_name=connection.account_name,
        secret_name=connection.secret_name,
        usable_by=connection.usable_by,
        consent=connection.consent,
        paused=connection.paused,
        **resources.history(connection),
    )
