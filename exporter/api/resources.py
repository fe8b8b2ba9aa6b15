"""What connections and exports have in common: ids, ETags, If-Match, history, lists in pages."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from pydantic import BaseModel, BeforeValidator, Field

from exporter.api.access import Context
from exporter.api.http import Refusal, unfit
from exporter.definitions.resources import ID_PATTERN, Versioned
from exporter.model import Time, Value, load
from exporter.ports import Blobs, Changed
from exporter.records import store

MAX_PAGE = 100


def _switch(value: object) -> bool:
    if value not in ("true", "false"):
        raise ValueError("expected true or false")
    return value == "true"


Switch = Annotated[bool, BeforeValidator(_switch)]
"""A boolean of a query: as in JSON, and nothing else that may be meant."""


class Page[T](Value):
    """A page of a list. Where `nextLink` is given, there may be more."""

    value: tuple[T, ...]
    next_link: str | None = None


class PageQuery(Value):
    """Which part of a list."""

    top: int = Field(default=MAX_PAGE, ge=1, le=MAX_PAGE)
    """How many at most."""
    after: str | None = Field(default=None, max_length=600)
    """What follows this id; `nextLink` has it."""


class MatchHeaders(Value):
    """Conditions: the change is made only to what the caller has seen."""

    if_match: str | None = Field(default=None, alias="If-Match", max_length=1000)
    """The ETag that was read, or `*` for whatever is there."""
    if_none_match: Literal["*"] | None = Field(default=None, alias="If-None-Match")
    """`*`: only if nothing is there yet."""


class History(Value):
    """Who made and who last changed a resource, and when; absent for those who may not see it."""

    version: int | None = None
    """1 at first, and one more with each change."""
    created_by: str | None = None
    """Who made it."""
    created_utc: Time | None = None
    """When."""
    updated_by: str | None = None
    """Who changed it last."""
    updated_utc: Time | None = None
    """When."""


def page[T: BaseModel](
    context: Context,
    ids: Iterable[str],
    query: PageQuery,
    show: Callable[[str], T | None],
    *,
    newest_first: bool = False,
) -> Page[T]:
    """Show a page of the items of these ids, in their order or in the reverse one.

    An item for which `show` returns None is left out: it vanished meanwhile, or is not for the caller.
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
    """Return the ids of the resources that are kept below `prefix`."""
    return [path.removeprefix(prefix).removesuffix(".json") for path in blobs.names(prefix)]


def read[R: Versioned](blobs: Blobs, kind: type[R], prefix: str, resource_id: str) -> R | None:
    """Return the resource, or None when there is none or there cannot be any of this id."""
    return store.get(blobs, kind, f"{prefix}{resource_id}.json") if re.fullmatch(ID_PATTERN, resource_id) else None


def check_id(resource_id: str) -> None:
    """Refuse an id that no resource may have."""
    if not re.fullmatch(ID_PATTERN, resource_id):
        raise Refusal(422, "invalid_id", "Expected an id of lower-case letters, digits and single hyphens, at most 63.")


def etag(resource: Versioned) -> str:
    """Return the ETag of a resource: it names exactly what is stored."""
    return f'"{hashlib.sha256(resource.to_json()).hexdigest()[:16]}"'


def check_match(headers: MatchHeaders, existing: Versioned | None, *, required: bool = False) -> None:
    """Refuse a change of something else than what the caller has seen.

    With `required`, what exists is changed only for a caller who says what was seen: a change that somebody else made
    in between would be lost otherwise (https://www.rfc-editor.org/rfc/rfc6585#section-3).
    """
    wanted = headers.if_match
    if existing is None:
        if wanted is not None:
            raise Refusal(
                412, "changed_meanwhile", "Expected what If-Match names, found nothing. It may have been removed."
            )
        return
    if headers.if_none_match:
        raise Refusal(412, "exists_already", f"Expected nothing here, found version {existing.version}.")
    if wanted is None and required:
        raise Refusal(
            428,
            "if_match_missing",
            f"Version {existing.version} exists. Expected If-Match with the ETag of what you have read, so that no"
            " change is lost, or If-Match: * to replace whatever is there.",
        )
    if wanted not in (None, "*") and etag(existing) not in [w.strip() for w in str(wanted).split(",")]:
        raise Refusal(
            412,
            "changed_meanwhile",
            f"Expected the state that If-Match names, found version {existing.version}, changed by"
            f" {existing.updated_by}. Read it again, then change it.",
        )


def check_read_only(body: BaseModel, definition: type[BaseModel], shown: BaseModel) -> None:
    """Refuse a body in which members that are not of the definition differ from what is shown.

    They are compared where `shown` was given them, and may be left out.
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
    """Store the next version of a resource; a change in between is refused, never overwritten."""
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


def next_history(existing: Versioned | None, by: str, now: float) -> dict[str, Any]:
    """Return the members of `connections.Audited` for the next version."""
    if existing is None:
        return {"version": 1, "created_by": by, "created_utc": now, "updated_by": by, "updated_utc": now}
    return {
        "version": existing.version + 1,
        "created_by": existing.created_by,
        "created_utc": existing.created_utc,
        "updated_by": by,
        "updated_utc": now,
    }


def history(resource: Versioned) -> dict[str, Any]:
    """Return the members of `History`."""
    return resource.model_dump(include=set(History.model_fields))
