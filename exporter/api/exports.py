"""Exports: which segments go to which list. Saving one runs nothing."""

from __future__ import annotations

import re
from typing import Any

from exporter import connections, exports, log, store
from exporter.api import resources
from exporter.api.access import Context
from exporter.api.connections import account_calls, audit, save
from exporter.api.connections import find as find_connection
from exporter.api.http import Body, Refusal, Response, read_body
from exporter.contacts import match_columns
from exporter.exports import Export, ExportDefinition
from exporter.pipeline import preflight
from exporter.pipeline.plan import mapping
from exporter.segments import find_refresh


class ExportBody(Body, ExportDefinition):
    """What PUT /exports/{id} takes."""


def list_all(context: Context) -> Response:
    """GET /exports."""
    return resources.answer_list(_shown(e) for e in store.get_all(context.services.blobs, Export, exports.PREFIX))


def get(context: Context, id: str) -> Response:  # noqa: A002 - the name in the path
    """GET /exports/{id}."""
    export = find(context, id)
    return resources.answer(export, _shown(export))


def put(context: Context, id: str) -> Response:  # noqa: A002
    """PUT /exports/{id}: create or change. Checked against the segment and ActiveCampaign unless ?validate=false."""
    body = read_body(ExportBody, context.request)
    if not re.fullmatch(connections.ID_PATTERN, id):
        raise Refusal(422, "invalid_id", "Expected an id of lower-case letters, digits and single hyphens, at most 63.")
    services = context.services
    existing = store.get(services.blobs, Export, exports.path(id))
    resources.check_match(context.request, existing)
    if body.connection_id is None:
        raise Refusal(
            422, "connection_missing", "Expected connectionId. GET /connections lists those that you may use."
        )
    connection = find_connection(context, body.connection_id)
    if context.request.query.get("validate") != "false":
        fields = preflight.check(account_calls(context, connection), body)
        for name in body.segments:
            refresh = find_refresh(
                services.segments, services.settings.segment_prefix, name, services.clock.now(), quiet_s=0.0
            )
            match_columns(mapping(body, fields), refresh.columns)
    now = services.clock.now()
    export = Export(
        id=id,
        **body.model_dump(),
        **resources.history(existing, context.caller.name, now),  # type: ignore[arg-type]  # pydantic checks the members
    )
    save(context, exports.path(id), export, existing)
    log.event("export_saved", exportId=id)
    return resources.answer(export, _shown(export), 200 if existing else 201)


def delete(context: Context, id: str) -> Response:  # noqa: A002
    """DELETE /exports/{id}. Runs and their records stay; a run that is going ends as usual."""
    export = find(context, id)
    resources.check_match(context.request, export)
    context.services.blobs.delete(exports.path(id))
    log.event("export_deleted", exportId=id)
    return Response(204, {}, b"")


def find(context: Context, export_id: str) -> Export:
    """Return an export; raises `Refusal` (404) when there is none."""
    if re.fullmatch(connections.ID_PATTERN, export_id):
        export = store.get(context.services.blobs, Export, exports.path(export_id))
        if export:
            return export
    raise Refusal(404, "export_not_found", "There is no export of this id. GET /exports lists them.")


def _shown(export: Export) -> dict[str, Any]:
    definition = export.model_dump(mode="json", by_alias=True, include=set(ExportDefinition.model_fields))
    return {"id": export.id, **definition, **audit(export)}
