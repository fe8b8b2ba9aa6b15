"""A request to the account, as it arrived and as it is remembered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import orjson

MAX_PAGE: Final = 100
DEFAULT_PAGE: Final = 20
API: Final = "/api/3/"
IMPORT: Final = ("POST", API + "import/bulk_import")


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
class Request:
    """A request as it arrived; `now` is when, in epoch seconds."""

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
        contacts = self.member("contacts") if (self.method, self.path) == IMPORT else None
        return len(contacts) if isinstance(contacts, list) else 0

    @property
    def base(self) -> str:
        """URL of the API, for links."""
        return f"https://{self.headers.get('host', 'acme.api-us1.com')}{API.rstrip('/')}"

    def member(self, name: str) -> object:
        """Return a member of the JSON object, or None."""
        return self.json.get(name) if isinstance(self.json, dict) else None

    def page[T](self, rows: Sequence[T]) -> Sequence[T]:
        """Return the rows that the query asks for."""
        limit = min(_number(self.query.get("limit"), DEFAULT_PAGE), MAX_PAGE)
        offset = _number(self.query.get("offset"), 0)
        return rows[offset : offset + limit]


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() else default
