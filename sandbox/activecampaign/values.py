"""Which values fit a custom field of which type: where sources are silent, the stricter reading."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Final

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATETIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_SEVERAL: Final = "||"


def fits(value: str, kind: str, options: Sequence[str]) -> bool:
    """Tell whether a value fits a field of type `kind`; empty text, which erases, fits every field."""
    rule = _RULES.get(kind)
    return not value or rule is None or rule(value, options)


def _is_date(value: str, _options: Sequence[str]) -> bool:
    return _DATE.fullmatch(value) is not None and _is_real(date.fromisoformat, value)


def _is_datetime(value: str, _options: Sequence[str]) -> bool:
    return _DATETIME.fullmatch(value) is not None and _is_real(datetime.fromisoformat, value)


def _is_real(read: Callable[[str], object], value: str) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True


def _is_number(value: str, _options: Sequence[str]) -> bool:
    return _NUMBER.fullmatch(value) is not None


def _is_option(value: str, options: Sequence[str]) -> bool:
    return value in options


def _are_options(value: str, options: Sequence[str]) -> bool:
    """Tell whether it is `||a||b||`, each an option; `||` alone is none of them."""
    begin, *parts, end = value.split(_SEVERAL) if _SEVERAL in value else (value, "")
    return begin == end == "" and all(part in options for part in parts)


_RULES: Final[Mapping[str, Callable[[str, Sequence[str]], bool]]] = {
    "date": _is_date,
    "datetime": _is_datetime,
    **dict.fromkeys(("number", "currency"), _is_number),
    **dict.fromkeys(("dropdown", "radio"), _is_option),
    **dict.fromkeys(("checkbox", "listbox", "multiselect"), _are_options),
}
