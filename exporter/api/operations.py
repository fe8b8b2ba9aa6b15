"""An operation of the API: its name, its path, who may call it, and its success statuses."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from exporter.api.access import Role
from exporter.api.http import Json, Response

type Handler = Callable[..., Json[Any] | Response]


@dataclass(frozen=True)
class Route:
    """An operation: its name (also in the audit trail), its path, who may call it, and its success statuses."""

    name: str
    method: str
    path: str
    handler: Handler
    role: Role | None
    """None: anyone, even if the settings are unusable."""
    statuses: tuple[int, ...] = (200,)
    personal_data: bool = False
    """Whether the answer holds personal data of customers; such calls are audited even if they change nothing."""
    unmasked_by: str | None = None
    """A switch in the query with which such data is not masked; only for administrators, and audited."""
    media_type: str = "application/json"
    """The media type of an answer that is not made from a model; the answer may be either."""

    @property
    def audited(self) -> bool:
        """Whether a call is recorded in the audit trail."""
        return self.personal_data or self.method != "GET"

    @cached_property
    def signature(self) -> inspect.Signature:
        """The handler's signature with its annotations as types."""
        return inspect.signature(self.handler, eval_str=True)


def inputs_of(route: Route) -> dict[str, type[BaseModel]]:
    """Return the models of the inputs that the handler takes: "body", "query" and "headers"."""
    parameters = route.signature.parameters
    return {name: parameters[name].annotation for name in ("body", "query", "headers") if name in parameters}


def shown_beside(route: Route) -> type[BaseModel] | None:
    """Return the model whose other members a body may have as well, so that what GET shows can be edited and PUT back.

    None for operations other than PUT.
    """
    return answer_of(route) if route.method == "PUT" else None


def answer_of(route: Route) -> type[BaseModel] | None:
    """Return the model of the JSON that the handler answers with, if it does; it may also answer in another way."""
    returned = route.signature.return_annotation
    return next((get_args(kind)[0] for kind in (returned, *get_args(returned)) if get_origin(kind) is Json), None)
