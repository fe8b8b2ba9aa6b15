"""Connections: who may use which ActiveCampaign account. Saving one tests it; nobody reads an API key."""

from __future__ import annotations

import re
from typing import Any, Self

from pydantic import Field, model_validator

from exporter import connections, exports, log, store
from exporter.activecampaign import answers, wire
from exporter.api import resources
from exporter.api.access import Context, Role
from exporter.api.http import Body, Refusal, Response, read_body
from exporter.connections import Connection, Consent, UsableBy
from exporter.errors import CredentialsRefused
from exporter.exports import Export
from exporter.pipeline import preflight
from exporter.pipeline.account import AccountCalls
from exporter.ports import Changed
from exporter.records import load, to_text


class ConnectionBody(Body):
    """What PUT /connections/{id} takes."""

    display_name: str = Field(min_length=1, max_length=200)
    host: str = Field(min_length=1, max_length=300)
    api_key: str | None = Field(default=None, min_length=1, max_length=500, repr=False)
    """Stored in Key Vault, never returned. Needed once; leave it out to keep the stored one."""
    secret_name: str | None = Field(default=None, pattern=r"^[0-9A-Za-z-]{1,127}$")
    """Instead of `apiKey`: the name of an existing secret."""
    usable_by: UsableBy = UsableBy.ADMINISTRATORS
    consent: bool = False

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.api_key and self.secret_name:
            raise ValueError("give apiKey or secretName, not both")
        return self


def list_all(context: Context) -> Response:
    """GET /connections: administrators see all, contributors name and type of the shared ones."""
    found = store.get_all(context.services.blobs, Connection, connections.PREFIX)
    return resources.answer_list(_shown(context, c) for c in found if may_use(context, c))


def get(context: Context, id: str) -> Response:  # noqa: A002 - the name in the path
    """GET /connections/{id}."""
    connection = find(context, id)
    return resources.answer(connection, _shown(context, connection))


def put(context: Context, id: str) -> Response:  # noqa: A002
    """PUT /connections/{id}: create or change; the connection is tested against ActiveCampaign before it is saved."""
    body = read_body(ConnectionBody, context.request)
    if not re.fullmatch(connections.ID_PATTERN, id):
        raise Refusal(422, "invalid_id", "Expected an id of lower-case letters, digits and single hyphens, at most 63.")
    if not body.consent:
        raise Refusal(
            422,
            "consent_missing",
            "Expected consent: true. With it you agree that personal data of customers leaves your compliance boundary"
            " for ActiveCampaign; without it there is no connection.",
        )
    services = context.services
    existing = store.get(services.blobs, Connection, connections.path(id))
    resources.check_match(context.request, existing)
    host = wire.check_host(body.host, (*wire.HOST_SUFFIXES, *services.settings.extra_host_suffixes))
    secret_name = body.secret_name or (existing.secret_name if existing and not body.api_key else f"connection-{id}")
    if not (body.api_key or body.secret_name or existing):
        raise Refusal(
            422, "api_key_missing", "Expected apiKey (it goes to Key Vault) or secretName of an existing secret."
        )
    key = body.api_key or services.secrets.get(secret_name, fresh=True)
    account = _test(context, host, key)
    if body.api_key:
        services.secrets.set(secret_name, body.api_key)
    now = services.clock.now()
    connection = Connection(
        id=id,
        display_name=body.display_name,
        host=host,
        secret_name=secret_name,
        usable_by=body.usable_by,
        consent=Consent(agreed_by=context.caller.name, agreed_utc=now),
        account=account,
        **resources.history(existing, context.caller.name, now),  # type: ignore[arg-type]  # pydantic checks the members
    )
    save(context, connections.path(id), connection, existing)
    log.event("connection_saved", connectionId=id)
    return resources.answer(connection, _shown(context, connection), 200 if existing else 201)


def delete(context: Context, id: str) -> Response:  # noqa: A002
    """DELETE /connections/{id}: refused while exports use it; with ?detach=true those keep their definition, inactive."""
    services = context.services
    connection = find(context, id)
    resources.check_match(context.request, connection)
    users = [e for e in store.get_all(services.blobs, Export, exports.PREFIX) if e.connection_id == id]
    if users and context.request.query.get("detach") != "true":
        raise Refusal(
            409,
            "connection_in_use",
            "Exports use this connection. Give them another, remove them, or repeat with ?detach=true to leave them without.",
            exports=[e.id for e in users],
        )
    for export in users:
        store.change(
            services.blobs, Export, exports.path(export.id), lambda e: e.model_copy(update={"connection_id": None})
        )
    services.blobs.delete(connections.path(id))
    log.event("connection_deleted", connectionId=id)
    return Response(204, {}, b"")


def lists(context: Context, id: str) -> Response:  # noqa: A002
    """GET /connections/{id}/lists: the lists to choose from."""
    found = preflight.all_lists(account_calls(context, find(context, id)))
    return resources.answer_list({"id": x.id, "name": x.name, "channel": x.channel or "email"} for x in found)


def fields(context: Context, id: str) -> Response:  # noqa: A002
    """GET /connections/{id}/fields: the custom fields to choose from."""
    found = preflight.all_fields(account_calls(context, find(context, id)))
    return resources.answer_list({"id": x.id, "title": x.title, "type": x.type, "tag": x.tag} for x in found)


def find(context: Context, connection_id: str) -> Connection:
    """Return a connection that the caller may use; any other is not found."""
    connection = store.get(context.services.blobs, Connection, connections.path(connection_id))
    if connection is None or not may_use(context, connection):
        raise Refusal(404, "connection_not_found", f"There is no connection {connection_id!r} that you may use.")
    return connection


def may_use(context: Context, connection: Connection) -> bool:
    """Whether the caller may use the connection."""
    return context.caller.role is Role.ADMIN or connection.usable_by is UsableBy.CONTRIBUTORS


def account_calls(context: Context, connection: Connection) -> AccountCalls:
    """Return the calls to a connection's account."""
    return AccountCalls(context.services, connection.host, context.services.secrets.get(connection.secret_name))


def save(context: Context, path: str, resource: connections.Audited, existing: connections.Audited | None) -> None:
    """Store the next version of a resource; a change in between is refused, never overwritten."""
    blobs = context.services.blobs
    try:
        if existing is None:
            blobs.create(path, resource.to_json())
            return
        blob = blobs.read(path)
        if blob is None or load(type(resource), blob.data) != existing:
            raise Changed
        blobs.replace(path, resource.to_json(), blob.etag)
    except Changed:
        raise Refusal(
            412, "changed_meanwhile", "Somebody else changed it meanwhile. Read it again, then change it."
        ) from None


def _test(context: Context, host: str, key: str) -> str | None:
    """Ask ActiveCampaign who the key belongs to; returns the account's name where the key may see it."""
    calls = AccountCalls(context.services, host, key)
    try:
        preflight.ask(calls, wire.who_am_i(), answers.read_user, "the API key's user")
    except CredentialsRefused as error:
        raise Refusal(422, error.code, error.message, culprit=error.culprit) from None
    return host.partition(".")[0]


def _shown(context: Context, connection: Connection) -> dict[str, Any]:
    if context.caller.role is not Role.ADMIN:
        return {"id": connection.id, "displayName": connection.display_name, "type": "ActiveCampaign"}
    return {
        "id": connection.id,
        "displayName": connection.display_name,
        "type": "ActiveCampaign",
        "host": connection.host,
        "account": connection.account,
        "secretName": connection.secret_name,
        "usableBy": connection.usable_by,
        "consent": {"agreedBy": connection.consent.agreed_by, "agreedUtc": to_text(connection.consent.agreed_utc)},
        **audit(connection),
    }


def audit(resource: connections.Audited) -> dict[str, Any]:
    """Show a resource's history."""
    return {
        "version": resource.version,
        "createdBy": resource.created_by,
        "createdUtc": to_text(resource.created_utc),
        "updatedBy": resource.updated_by,
        "updatedUtc": to_text(resource.updated_utc),
    }
