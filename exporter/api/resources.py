"""What connections and exports have in common: ids, ETags, If-Match, history, paged lists."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from pydantic import BaseModel, BeforeValidator, Field

from exporter.api.access import Caller, Context
from exporter.api.http import Json, Refusal, Response, unfit
from exporter.definitions.resources import ID_PATTERN, Paused, Versioned
from exporter.model import Time, Value, load
from exporter.ports import Blobs, Changed
from exporter.records import store

MAX_PAGE = 100


def _switch(value: object) -> bool:
    if value not in ("true", "false"):
        raise ValueError("expected true or false")
    return value == "true"


Switch = Annotated[bool, BeforeValidator(_switch)]
"""A boolean in a query: `true` or `false`, as in JSON, and nothing else."""


class Page[T](Value):
    """A page of a list. If `nextLink` is present, there may be more."""

    value: tuple[T, ...]
    next_link: str | None = None


class PageQuery(Value):
    """Which part of a list to return."""

    top: int = Field(default=MAX_PAGE, ge=1, le=MAX_PAGE)
    """The maximum number of items."""
    after: str | None = Field(default=None, max_length=600)
    """Return the items after this id; `nextLink` contains it."""


class MatchHeaders(Value):
    """Conditions that keep a caller from overwriting changes they have not seen."""

    if_match: str | None = Field(default=None, alias="If-Match", max_length=1000)
    """The ETag that was read, or `*` to replace any version."""
    if_none_match: Literal["*"] | None = Field(default=None, alias="If-None-Match")
    """`*`: only if it does not exist yet."""


class SeenHeaders(Value):
    """What spares a caller an answer that they have already."""

    if_none_match: str | None = Field(default=None, alias="If-None-Match", max_length=1000)
    """The ETag of the answer that the caller has: if it would be the same again, 304 without a body."""


class History(Value):
    """Who created and who last changed a resource, and when; absent for callers who may not see it."""

    version: int | None = None
    """Starts at 1 and increases by one with each change."""
    created_by: str | None = None
    """Who created it."""
    created_utc: Time | None = None
    """When it was created."""
    updated_by: str | None = None
    """Who last changed it."""
    updated_utc: Time | None = None
    """When it was last changed."""


def page[T: BaseModel](
    context: Context,
    ids: Iterable[str],
    query: PageQuery,
    show: Callable[[str], T | None],
    *,
    newest_first: bool = False,
) -> Page[T]:
    """Return a page of the items with these ids, sorted by id, or in reverse with `newest_first`.

    An item for which `show` returns None is omitted: it has vanished since, or the caller may not see it.
    """
    following = sorted(ids, reverse=newest_first)
    if (after := query.after) is not None:
        following = [i for i in following if (i < after if newest_first else i > after)]
    shown: list[T] = []
    for position, item_id in enumerate(following):
        if len(shown) == query.top:
            link = urlencode({"top": query.top, "after": following[position - 1]})
            return Page(value=tuple(shown), next_link=f"/api{quote(context.request.path)}?{link}")
        if (item := show(item_id)) is not None:
            shown.append(item)
    return Page(value=tuple(shown))


def ids_below(blobs: Blobs, prefix: str) -> list[str]:
    """Return the ids of the resources stored below `prefix`."""
    return [path.removeprefix(prefix).removesuffix(".json") for path in blobs.names(prefix)]


def read[R: Versioned](blobs: Blobs, kind: type[R], prefix: str, resource_id: str) -> R | None:
    """Return the resource, or None if there is none or the id is invalid."""
    return store.get(blobs, kind, f"{prefix}{resource_id}.json") if re.fullmatch(ID_PATTERN, resource_id) else None


def check_id(resource_id: str) -> None:
    """Refuse an invalid id. Raises `Refusal` ("invalid_id")."""
    if not re.fullmatch(ID_PATTERN, resource_id):
        raise Refusal.of(422, "invalid_id")


def etag(resource: Versioned) -> str:
    """Return the ETag of a resource, a hash of what is stored."""
    return f'"{hashlib.sha256(resource.to_json()).hexdigest()[:16]}"'


def unless_seen[T: BaseModel](answer: Json[T], headers: SeenHeaders) -> Response:
    """Return the answer with an ETag made from its bytes, or 304 without a body if the caller has it.

    Whatever is between us and the caller may mark an ETag as weak, for instance when it compresses the answer.
    """
    response = answer.render()
    tag = f'"{hashlib.sha256(response.body).hexdigest()[:16]}"'
    told = {name: value for name, value in response.headers.items() if name != "Content-Type"} | {"ETag": tag}
    seen = [one.strip().removeprefix("W/") for one in (headers.if_none_match or "").split(",")]
    if tag in seen or "*" in seen:
        return Response(304, told, b"")
    return replace(response, headers={**response.headers, "ETag": tag})


def check_match(headers: MatchHeaders, existing: Versioned | None, *, required: bool = False) -> None:
    """Refuse a change to anything other than the version that the caller has seen.

    With `required`, a caller must name the version of an existing resource; otherwise, a change that someone else made
    in between would be lost (https://www.rfc-editor.org/rfc/rfc6585#section-3).

    Raises `Refusal` ("changed_meanwhile", "exists_already", "if_match_missing").
    """
    wanted = headers.if_match
    if existing is None:
        if wanted is not None:
            raise Refusal.of(412, "changed_meanwhile", case="gone")
        return
    if headers.if_none_match:
        raise Refusal.of(412, "exists_already", version=existing.version)
    if wanted is None and required:
        raise Refusal.of(428, "if_match_missing", version=existing.version)
    if wanted not in (None, "*") and etag(existing) not in [w.strip() for w in str(wanted).split(",")]:
        raise Refusal.of(412, "changed_meanwhile", version=existing.version, by=existing.updated_by)


def check_read_only(body: BaseModel, definition: type[BaseModel], shown: BaseModel) -> None:
    """Refuse a body whose read-only members, those outside `definition`, differ from what is shown.

    Members that `shown` does not set are not compared, and any may be omitted. Raises `Refusal` ("invalid_body").
    """
    names = shown.model_fields_set - definition.model_fields.keys()
    changed = sorted(
        str(type(shown).model_fields[name].alias)
        for name in names
        if getattr(body, name, None) not in (None, getattr(shown, name))
    )
    if changed:
        problems = [f"{name}: read-only: send it exactly as GET returned it, or omit it" for name in changed]
        raise unfit(problems, code="invalid_body")


def save(blobs: Blobs, path: str, resource: Versioned, existing: Versioned | None) -> None:
    """Store the next version of a resource, without overwriting a change made in between.

    Raises `Refusal` ("changed_meanwhile").
    """
    try:
        if existing is None:
            blobs.create(path, resource.to_json())
            return
        blob = blobs.read(path)
        if blob is None or load(type(resource), blob.data) != existing:
            raise Changed
        blobs.replace(path, resource.to_json(), blob.etag)
    except Changed:
        raise Refusal.of(412, "changed_meanwhile", case="now") from None


def next_history(existing: Versioned | None, by: Caller, now: float) -> dict[str, Any]:
    """Return the `Versioned` members of the next version."""
    return {
        "version": existing.version + 1 if existing else 1,
        "created_by": existing.created_by if existing else by.name,
        "created_utc": existing.created_utc if existing else now,
        "updated_by": by.name,
        "updated_utc": now,
        "updated_by_role": by.role.name.lower(),
    }


def paused[R: Versioned](resource: R, by: Caller, now: float) -> R | None:
    """Return a resource with a pause that begins now; None if it is paused already."""
    if resource.paused:
        return None
    pause = Paused(by=by.name, since_utc=now)
    return resource.model_copy(update={"paused": pause, **next_history(resource, by, now)})


def history(resource: Versioned) -> dict[str, Any]:
    """Return the members of `History` for a resource."""
    return resource.model_dump(include=set(History.model_fields))
