"""An operation of the API: its name, where it is, who may call it, how it succeeds."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

from pydantic import BaseModel

from exporter.api.access import Role
from exporter.api.http import Json, Response

type Handler = Callable[..., Json[Any] | Response]


@dataclass(frozen=True)
class Route:
    """An operation: its name (also in the audit trail), where it is, who may call it and how it succeeds."""

    name: str
    method: str
    path: str
    handler: Handler
    role: Role | None
    """None: anybody, even when the settings are unusable."""
    statuses: tuple[int, ...] = (200,)
    personal_data: bool = False
    """Whether the answer holds personal data of customers: such calls are audited even when they change nothing."""

    media_type: str = "application/json"
    """Of an answer that is not made from a model."""

    @property
    def audited(self) -> bool:
        """Whether a call leaves an entry in the audit trail."""
        return self.personal_data or self.method != "GET"

    @cached_property
    def signature(self) -> inspect.Signature:
        """The handler's signature with its annotations as types."""
        return inspect.signature(self.handler, eval_str=True)


def inputs_of(route: Route) -> dict[str, type[BaseModel]]:
    """Return the models of `body`, `query` and `headers` that the handler takes."""
    parameters = route.signature.parameters
    return {name: parameters[name].annotation for name in ("body", "query", "headers") if name in parameters}


def shown_beside(route: Route) -> type[BaseModel] | None:
    """Return the model whose further members a body may have, too: what GET shows can be edited and PUT back."""
    return answer_of(route) if route.method == "PUT" else None


def answer_of(route: Route) -> type[BaseModel] | None:
    """Return the model of the JSON that the handler answers with; None for another kind of answer."""
    return next(iter(get_args(route.signature.return_annotation)), None)
