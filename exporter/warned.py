"""What a person should know and what stops nothing: a warning, as a code and what its sentence is made from."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from exporter.model import Value
from exporter.sentences import Parameter, sentence

OTHER = "other"
"""The code of a warning of which only the sentence is known."""


class Warned(Value):
    """A warning of a run, a preview, a segment or an export that was saved."""

    code: str
    """Stable; `other` where a former release wrote nothing but the sentence."""
    message: str
    """The sentence, for people."""
    params: dict[str, str | int | float]
    """What the sentence is made from: numbers, and names of segments, files, columns, fields, reason codes."""

    @model_validator(mode="before")
    @classmethod
    def _from_sentence(cls, value: Any) -> Any:  # noqa: ANN401 - any JSON
        return {"code": OTHER, "message": value, "params": {}} if isinstance(value, str) else value

    @classmethod
    def of(cls, code: str, /, **params: Parameter) -> Warned:
        """Return the warning whose sentence `sentences` makes from the code and these parameters."""
        return cls(code=code, message=sentence(code, params), params=params)

    def __hash__(self) -> int:
        """Equal warnings say the same."""
        return hash((self.code, self.message))
