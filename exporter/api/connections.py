"""Connections: who may use which ActiveCampaign account. Saving one tests it; an API key is never shown."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from exporter import log
from exporter.activecampaign import hosts
from exporter.activecampaign.account import CustomField
from exporter.api import resources
from exporter.api.access import Context, Role
from exporter.api.http import Json, Refusal, unfit
from exporter.api.resources import History, MatchHeaders, Page, PageQuery, Switch
from exporter.definitions import connections
from exporter.definitions.connections import Connection, Consent, UsableBy
from exporter.definitions.exports import Export
from exporter.definitions.resources import DisplayName
from exporter.model import Value
from exporter.pipeline import preflight, questions
from exporter.pipeline.cancel import cancel_run
from exporter.pipeline.session import Session
from exporter.records import paths, store
from exporter.records.slots import current_runs
from exporter.services import Services


class ConnectionBody(Value):
    """A connection as an administrator defines it."""

    display_name: DisplayName
    """A display name: one line, no leading or trailing spaces."""
    host: str = Field(min_length=1, max_length=300)
    """The account's API host, from Settings > Developer in ActiveCampaign; a leading `https://` is accepted."""
    api_key: str | None = Field(default=None, min_length=1, max_length=500, pattern=r"^[!-~]+$", repr=False)
    """Goes to Key Vault and is never returned. Omit it to keep the key that is stored for this host."""
    secret_name: str | None = Field(default=None, pattern=r"^[0-9A-Za-z-]{1,127}$")
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


class ListView(Value):
    """A list of an ActiveCampaign account."""

    id: int
    name: str
    channel: str
    """Exports require `email`."""


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
    host = hosts.check_host(body.host, (*hosts.HOST_SUFFIXES, *services.settings.extra_host_suffixes))
    same_account = existing if existing and existing.host == host else None
    if body.consent is not True and (same_account is None or body.consent != same_account.consent):
        raise Refusal(
            422,
            "consent_missing",
            "Expected consent: true. With it you agree that personal data of customers leaves your compliance boundary"
            " for ActiveCampaign; a connection cannot exist without it. An earlier consent is valid for its host only.",
        )
    secret_name = _secret_name(connection_id, host, body, same_account)
    if existing is None or secret_name != existing.secret_name:
        _check_secret(services, connection_id, secret_name)
    key = body.api_key or services.secrets.get(secret_name, fresh=True)
    account_name = preflight.check_connection(Session(services, host, key))
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
        account_name=account_name,
        **resources.next_history(existing, context.caller, now),
    )
    resources.save(services.blobs, paths.connection_path(connection_id), connection, existing)
    log.event("connection_saved", connectionId=connection_id)
    return _answer(context, connection, 200 if existing else 201)


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
    raise Refusal(
        422,
        "api_key_missing",
        "Expected apiKey (it goes to Key Vault) or the secretName of another secret, because the connection or its host"
        " is new.",
    )


def _check_secret(services: Services, connection_id: str, secret_name: str) -> None:
    """Refuse a secret that is not for this connection. Raises `Refusal` ("secret_refused", "secret_in_use")."""
    if not secret_name.startswith(connections.SECRET_PREFIXES):
        raise Refusal(
            422,
            "secret_refused",
            f"Expected a secretName that begins with {' or '.join(connections.SECRET_PREFIXES)}, because its value is"
            " sent to the host. Store the key under such a name.",
        )
    for other in store.get_all(services.blobs, Connection, paths.CONNECTIONS):
        if other.secret_name.lower() == secret_name.lower() and other.id != connection_id:  # the vault knows no case
            raise Refusal(
                409,
                "secret_in_use",
                f"Expected a secret that no other connection uses; {other.id!r} uses this one. Store the key under"
                " another name.",
            )


def delete(context: Context, connection_id: str, query: DeleteQuery, headers: MatchHeaders) -> Json[Removed]:
    """Remove a connection. Refused while exports use it, unless `detach` is true."""
    services = context.services
    connection = find(context, connection_id)
    resources.check_match(headers, connection)
    users = [e.id for e in store.get_all(services.blobs, Export, paths.EXPORTS) if e.connection_id == connection_id]
    running = [r.run_id for r in current_runs(services) if r.export.connection_id == connection_id]
    if (users or running) and not query.detach:
        raise Refusal(
            409,
            "connection_in_use",
            "Exports use this connection. Give them another, remove them, or repeat with ?detach=true: they then keep"
            " their definition but lose the connection, and their runs are canceled.",
            exports=users,
            runs=running,
        )
    for export_id in users:
        detach(context, export_id)
    for run_id in running:
        cancel_run(services, run_id, context.caller.name)
    services.blobs.delete(paths.connection_path(connection_id))
    log.event("connection_deleted", connectionId=connection_id, detached=len(users), canceled=len(running))
    return Json(
        Removed(detached_exports=tuple(users), canceled_runs=tuple(running), secret_name=connection.secret_name)
    )


def lists(context: Context, connection_id: str) -> Json[Page[ListView]]:
    """List the account's lists, to choose one for an export."""
    all_lists = questions.all_lists(account_calls(context, find(context, connection_id)))
    return Json(Page(value=tuple(ListView(id=x.id, name=x.name, channel=x.channel or "email") for x in all_lists)))


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
        raise Refusal(
            404,
            "no_such_connection",
            "There is no connection with this id that you may use. GET /connections lists them.",
        )
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
        **resources.history(connection),
    )
