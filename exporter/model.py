"""How records are stored: one JSON object in camelCase with a schema version, times in RFC 3339 UTC.

A reader ignores unknown members, so that a release can be rolled back, and refuses an unknown version; a refused record
is left unchanged. During a rollout, instances of the old release meet records of the new one: they wait, and instances
of the new release continue.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from exporter.errors import Culprit, Stop, Wait

VERSION = 2
"""The schema version of every record that this release writes, and the newest that it reads; ledgers have their own."""
_RENAMED_IN_2 = {
    ("end", "account"): "tally",
    ("amended", "account"): "tally",
    ("Report", "account"): "tally",
    ("Connection", "account"): "accountName",
    ("Export", "maxProfiles"): "maxContacts",
    ("export", "maxProfiles"): "maxContacts",
    ("plan", "rejected"): "rejectedByReason",
    ("batches", "offset"): "offsetBytes",
    ("batches", "length"): "bodyBytes",
    ("batches", "rowsLength"): "referencesBytes",
}
"""Members that had another name in version 1, by the member (or, at the top level, the kind of record) around them."""


class Value(BaseModel):
    """A frozen value whose JSON members are camelCase; unknown members are ignored."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True)


class Record(Value):
    """A value that is stored as a blob of its own."""

    schema_version: Literal[2] = 2

    def to_json(self) -> bytes:
        """Return the bytes to store."""
        return orjson.dumps(self.model_dump(mode="json", by_alias=True, exclude_none=True))


def load[R: Record](kind: type[R], data: bytes) -> R:
    """Read a record. Raises `Wait` ("newer_release") for a newer version, else `Stop` ("record_unreadable")."""
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        version = _version(data)
        if version == 1:
            return load(kind, orjson.dumps(upgrade(orjson.loads(data), kind.__name__)))
        check_version(version, kind.__name__)
        where = ", ".join(sorted({".".join(map(str, e["loc"])) for e in error.errors()}))
        raise Stop.of("record_unreadable", Culprit.SYSTEM, record=kind.__name__, where=where) from None


def upgrade(value: Any, at: str) -> Any:  # noqa: ANN401 - any JSON
    """Return the JSON of a version 1 record in the current version; `at`: the member or the kind of record."""
    match value:
        case dict():
            upgraded = {_RENAMED_IN_2.get((at, name), name): upgrade(each, name) for name, each in value.items()}
            return upgraded | {"schemaVersion": VERSION} if "schemaVersion" in upgraded else upgraded
        case list():
            return [upgrade(each, at) for each in value]
    return value


def check_version(version: object, what: str, newest: int = VERSION) -> None:
    """Raise `Wait` ("newer_release") when `what` has a newer schema version than this release knows."""
    if isinstance(version, int) and version > newest:
        raise Wait.of("newer_release", Culprit.SYSTEM, record=what, known=newest, version=version)


def _version(data: bytes) -> object:
    try:
        return orjson.loads(data).get("schemaVersion")
    except (orjson.JSONDecodeError, AttributeError):
        return None


def to_text(epoch_s: float) -> str:
    """Write a time as RFC 3339 in UTC with milliseconds, such as 2026-11-23T16:05:00.000Z."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_epoch(text: str) -> float:
    """Read what `to_text` writes."""
    return datetime.fromisoformat(text).timestamp()


def _epoch(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str):
        return to_epoch(value)
    if info.mode == "json":
        raise ValueError("a time must be a text such as 2026-11-23T16:05:00.000Z")
    return value


Time = Annotated[
    float,
    BeforeValidator(_epoch),
    PlainSerializer(to_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""Seconds since the epoch in Python, RFC 3339 in JSON."""
