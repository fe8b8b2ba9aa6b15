"""What connections and exports have in common: ETags, If-Match, listing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from exporter.api.http import Refusal, Request, Response, answer_json
from exporter.connections import Audited


def answer(resource: Audited, shown: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a resource and its ETag."""
    return answer_json(shown, status, {"ETag": etag(resource), **(headers or {})})


def answer_list(values: Iterable[object]) -> Response:
    """Answer with a list."""
    return answer_json({"value": list(values)})


def etag(resource: Audited) -> str:
    """Return the ETag of a resource: its version."""
    return f'"{resource.version}"'


def check_match(request: Request, existing: Audited | None) -> None:
    """Refuse a change of something else than what the caller has seen (If-Match, If-None-Match: *)."""
    wanted = request.headers.get("if-match")
    if wanted and (
        existing is None or (wanted != "*" and etag(existing) not in [w.strip() for w in wanted.split(",")])
    ):
        found = f"version {existing.version}" if existing else "nothing"
        raise Refusal(
            412, "changed_meanwhile", f"Expected the version of If-Match, found {found}. Read it again, then change it."
        )
    if request.headers.get("if-none-match") == "*" and existing is not None:
        raise Refusal(412, "exists_already", f"Expected nothing here, found version {existing.version}.")


def history(existing: Audited | None, by: str, now: float) -> dict[str, object]:
    """Return the audit members of the next version."""
    if existing is None:
        return {"version": 1, "created_by": by, "created_utc": now, "updated_by": by, "updated_utc": now}
    return {
        "version": existing.version + 1,
        "created_by": existing.created_by,
        "created_utc": existing.created_utc,
        "updated_by": by,
        "updated_utc": now,
    }
