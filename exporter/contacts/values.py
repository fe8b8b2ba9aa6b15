"""Make a value fit its field, or tell why it does not. Pure rules, one value at a time; `fitting` does whole columns.

What each type of field takes: https://developers.activecampaign.com/reference/create-fieldvalue. ActiveCampaign's own
help says what becomes of a date in another format: it "defaults to a date in 1899", and of a text that is no option:
nothing. Neither comes with an error, so nothing is sent that does not fit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Literal
from zoneinfo import ZoneInfo

from exporter.contacts.texts import BLANKS, Notice, cleaned, folded, means_no_value, trimmed
from exporter.sentences import sentence

type DateOrder = Literal["dmy", "mdy"]
SEPARATOR = "||"
"""How ActiveCampaign joins several values; it is also before the first and after the last."""
_LISTED = ";"  # what `source.formats.parquet` writes between the values of a list
JSON = "json"
"""The separator of lists as JSON: `["Coffee", "Tea"]`."""


class Kind(StrEnum):
    """What a field takes, as far as it matters for its values."""

    TEXT = "text"
    NAME = "name"
    PHONE = "phone"
    DATE = "date"
    DATETIME = "datetime"
    OPTION = "option"
    OPTIONS = "options"
    NUMBER = "number"


KINDS: Mapping[str, Kind] = {
    "text": Kind.TEXT,
    "textarea": Kind.TEXT,
    "hidden": Kind.TEXT,
    "date": Kind.DATE,
    "datetime": Kind.DATETIME,
    "dropdown": Kind.OPTION,
    "radio": Kind.OPTION,
    "checkbox": Kind.OPTIONS,
    "listbox": Kind.OPTIONS,
    "multiselect": Kind.OPTIONS,
    "number": Kind.NUMBER,
    "currency": Kind.NUMBER,
}
"""What the fields of each type take, by the type's name in ActiveCampaign; fields of another type take any text."""


class Flaw(Enum):
    """Why a value does not fit its field: a stable code, which is no text, so that it cannot be taken for a value."""

    NOT_A_DATE = "not_a_date"
    DATE_ORDER_UNKNOWN = "date_order_unknown"
    PLACEHOLDER_DATE = "placeholder_date"
    NOT_AN_OPTION = "not_an_option"
    OPTION_GONE = "option_gone"
    OPTION_AMBIGUOUS = "option_ambiguous"
    YES_UNKNOWN = "yes_unknown"
    NOT_A_LIST = "not_a_list"
    SEPARATOR_IN_VALUE = "separator_in_value"
    NOT_A_NUMBER = "not_a_number"
    DECIMAL_MARK_UNKNOWN = "decimal_mark_unknown"
    DAMAGED_PHONE = "damaged_phone"

    @property
    def explanation(self) -> str:
        """The sentence that people read."""
        return sentence(self.value, {})


class Choices:
    """The options of a field, found whatever their case."""

    def __init__(self, options: tuple[str, ...], yes: tuple[str, ...] = (), former: tuple[str, ...] = ()) -> None:
        """`yes`: values that mean yes; `former`: options that the field had at earlier runs."""
        self.given = (options, yes, former)
        by_fold: dict[str, list[str]] = {}
        for option in dict.fromkeys(options):
            by_fold.setdefault(folded(option), []).append(option)
        self._exact = frozenset(options)
        self._one = {key: found[0] for key, found in by_fold.items() if len(found) == 1}
        self._ambiguous = by_fold.keys() - self._one.keys()
        self._former = frozenset(map(folded, former))
        self.gone = tuple(dict.fromkeys(option for option in former if option not in self._exact))
        """The options of earlier runs that are none any more."""
        self._yes = frozenset(map(folded, yes))
        named_yes = [option for option in options if folded(option) in self._yes | {"yes"}]
        only = [option for option in options if folded(option) not in _NO] if len(options) == 1 else []
        self.yes = next(iter(only or named_yes), None)
        """What is sent for a value that means yes: the only option, or the one that is called Yes, or as such a value;
        None: there is no such option."""

    def __eq__(self, other: object) -> bool:
        """Whether both were made from the same."""
        return isinstance(other, Choices) and self.given == other.given

    def __hash__(self) -> int:
        """Return the hash of what it was made from."""
        return hash(self.given)

    def find(self, text: str) -> str | Flaw | None:
        """Return the option that a text means; None if it says no, and there is no option for that."""
        if text in self._exact:
            return text
        key = folded(text)
        if key in self._one:
            return self._one[key]
        if key in self._ambiguous:
            return Flaw.OPTION_AMBIGUOUS
        if self._yes and self.yes is not None:
            if key in self._yes:
                return self.yes
            if key in _NO:
                return self._one.get("no")
        if key in self._former:
            return Flaw.OPTION_GONE
        return Flaw.YES_UNKNOWN if self.yes is not None and key in _YES | _NO else Flaw.NOT_AN_OPTION


_YES = frozenset(("true", "1", "y", "yes", "t", "on"))
_NO = frozenset(("false", "0", "n", "no", "f", "off"))


@dataclass(frozen=True, slots=True)
class Rule:
    """What the values of a column have to become, and what the export says about them.

    `choices`: None where a field has no options, or nobody knows them: then any text fits. `zone`: of times without
    one. `separator`: of several values; `decimal_mark`: "." or ",". `no_values`: whether texts such as NULL mean that
    there is no value. `when_empty` is sent where there is none, and fits. `reject_row`: a value that does not fit costs
    the row, not just the value.
    """

    kind: Kind = Kind.TEXT
    choices: Choices | None = None
    date_order: DateOrder | None = None
    zone: str = "UTC"
    separator: str = ";"
    decimal_mark: str | None = None
    no_values: bool = True
    when_empty: str | None = None
    reject_row: bool = False


ANY_TEXT = Rule()
"""Of a field that takes any text."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What becomes of a value: the text to send, or None for nothing, and why not if it does not fit.

    `says_no`: it is no empty value, but a no for which the field has no option.
    """

    text: str | None
    flaw: Flaw | None
    notices: frozenset[Notice]
    says_no: bool = False


def fit(value: str, rule: Rule) -> Fitted:
    """Make a value fit its field."""
    notices: set[Notice] = set()
    text = cleaned(value, notices)
    bare = text.strip(BLANKS)
    result: str | Flaw | _Said | None = None
    if bare:
        chosen = rule.choices.find(bare) if rule.choices else None
        if rule.no_values and means_no_value(bare) and (chosen is None or isinstance(chosen, Flaw)):
            notices.add(Notice.NO_VALUE)
        elif rule.kind is Kind.TEXT:
            result = text
        else:
            result = _fitted(trimmed(text, notices), rule, notices)
    if isinstance(result, Flaw):
        return Fitted(None, result, frozenset(notices))
    if isinstance(result, _Said):
        return Fitted(None, None, frozenset(notices), says_no=True)
    return Fitted(rule.when_empty if result is None else result, None, frozenset(notices))


class _Said(Enum):
    """What a value says without anything to send for it."""

    NO = "no"


def _fitted(text: str, rule: Rule, notices: set[Notice]) -> str | Flaw | _Said | None:
    match rule.kind:
        case Kind.PHONE:
            return _phone(text, notices)
        case Kind.DATE:
            moment = _moment(text, rule.date_order)
            return moment if isinstance(moment, Flaw) else moment.day.isoformat()
        case Kind.DATETIME:
            moment = _moment(text, rule.date_order)
            return moment if isinstance(moment, Flaw) else moment.in_zone(rule.zone)
        case Kind.OPTION:
            return text if rule.choices is None else rule.choices.find(text) or _Said.NO
        case Kind.OPTIONS:
            return _several(text, rule, notices)
        case Kind.NUMBER:
            return _number(text, rule.decimal_mark)
        case _:
            return text


# Phone numbers. What a spreadsheet makes of +49-6903 is the difference; of a long number, one with an exponent.

_DAMAGED_PHONE = re.compile(r"-\d+(?:[.,]\d+)?|[+-]?\d+(?:[.,]\d+)?[eE]\+?\d+")
_WHOLE_NUMBER = re.compile(r"(\+?\d+)\.0")


def _phone(text: str, notices: set[Notice]) -> str | Flaw:
    if _DAMAGED_PHONE.fullmatch(text):
        return Flaw.DAMAGED_PHONE
    if whole := _WHOLE_NUMBER.fullmatch(text):
        notices.add(Notice.WHOLE_NUMBER)
        return whole[1]
    return text


# Dates and times

_TIME = (
    r"(?:,?(?:[T ]\s*)(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d{1,9})?)?"
    r"(?:[ \u00a0\u202f]?(?P<half>[AaPp])\.?[Mm]\.?)?"
    r"(?: ?(?P<zone>Z|z|UTC|GMT|[+-]\d\d(?::?\d\d)?(?= UTC|\[|\Z))(?: UTC|\[[A-Za-z_+/-]+\])?)?)?"
)
_YEAR_FIRST = re.compile(
    r"(?P<year>\d{4})(?P<mark>[-/.]?)(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})" + _TIME, re.ASCII
)
_COMPACT_CHARACTERS = 8  # 20261120: without marks, month and day have two digits
_YEAR_LAST = re.compile(
    r"(?P<first>\d{1,2})(?P<mark>[-/. ])(?P<second_>\d{1,2})(?P=mark)(?P<year>\d{4})" + _TIME, re.ASCII
)
_WEEKDAY = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? )?"
_TH = "(?:st|nd|rd|th)?"
_DAY_NAMED = re.compile(
    _WEEKDAY + r"(?P<day>\d{1,2})(?:st|nd|rd|th)?[ -](?P<name>[A-Za-z]{3,9})\.?,?[ -](?P<year>\d{4}),?" + _TIME,
    re.ASCII,
)
_MONTH_NAMED = re.compile(
    _WEEKDAY + rf"(?P<name>[A-Za-z]{{3,9}})\.? {{1,2}}(?P<day>\d{{1,2}}){_TH},? (?P<year>\d{{4}}),?" + _TIME, re.ASCII
)
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_PLACEHOLDERS = frozenset((date(1, 1, 1), date(1753, 1, 1), date(1899, 12, 30), date(1900, 1, 1)))
"""What .NET, SQL Server and spreadsheets make of "no date"."""
_FIRST_YEAR = 1000
_FARTHEST_ZONE = timedelta(hours=14)


@dataclass(frozen=True, slots=True)
class _Moment:
    """A day and a time of the day as they are written, and the zone as a difference to UTC, if it is written."""

    day: date
    clock: time
    offset: timedelta | None

    def in_zone(self, zone: str) -> str:
        """Return it as ISO 8601 with its own difference to UTC, or that of the zone on that day."""
        local = datetime.combine(self.day, self.clock)
        offset = self.offset
        if offset is None:
            offset = ZoneInfo(zone).utcoffset(local) or timedelta()
        minutes = offset // timedelta(minutes=1)
        sign = "-" if minutes < 0 else "+"
        return f"{local.isoformat()}{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _moment(text: str, order: DateOrder | None) -> _Moment | Flaw:
    found = _YEAR_FIRST.fullmatch(text)
    if found:
        if not found["mark"] and len(found["month"] + found["day"]) + 4 < _COMPACT_CHARACTERS:
            return Flaw.NOT_A_DATE
        return _checked(found, int(found["month"]), int(found["day"]))
    if found := _YEAR_LAST.fullmatch(text):
        numbers = int(found["first"]), int(found["second_"])
        if order is None:
            readings = [_checked(found, *pair) for pair in (numbers, numbers[::-1])]
            if Flaw.PLACEHOLDER_DATE in readings:
                return Flaw.PLACEHOLDER_DATE
            return Flaw.NOT_A_DATE if all(isinstance(one, Flaw) for one in readings) else Flaw.DATE_ORDER_UNKNOWN
        month, day = numbers if order == "mdy" else numbers[::-1]
        return _checked(found, month, day)
    if found := _DAY_NAMED.fullmatch(text) or _MONTH_NAMED.fullmatch(text):
        name = found["name"].lower()
        months = [number for number, month in enumerate(_MONTHS, 1) if month.startswith(name)]
        return _checked(found, months[0], int(found["day"])) if months else Flaw.NOT_A_DATE
    return Flaw.NOT_A_DATE


def _checked(found: re.Match[str], month: int, day: int) -> _Moment | Flaw:
    """Return the moment that a text was found to be, if there is such a day and such a time."""
    year = int(found["year"])
    try:
        moment = _Moment(date(year, month, day), _clock(found), _offset(found["zone"]))
    except ValueError:
        return Flaw.NOT_A_DATE
    if moment.day in _PLACEHOLDERS:
        return Flaw.PLACEHOLDER_DATE
    return moment if year >= _FIRST_YEAR else Flaw.NOT_A_DATE


def _clock(found: re.Match[str]) -> time:
    """Return the time of the day, 0:00 without one. Raises `ValueError` for a time that no clock shows."""
    hour, minute, second = (int(found[part] or 0) for part in ("hour", "minute", "second"))
    if found["half"]:
        if not 1 <= hour <= 12:  # noqa: PLR2004 - of a clock with two halves
            raise ValueError("expected an hour from 1 to 12")
        hour = hour % 12 + (12 if found["half"].lower() == "p" else 0)
    return time(hour, minute, second)


def _offset(zone: str | None) -> timedelta | None:
    """Return the difference to UTC of a zone as it is written. Raises `ValueError` for one that no place has."""
    if zone is None:
        return None
    if zone.isalpha():  # Z, UTC, GMT
        return timedelta()
    digits = zone[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    if offset > _FARTHEST_ZONE or int(digits[2:]) > 59:  # noqa: PLR2004 - minutes
        raise ValueError("expected a zone at most 14 hours from UTC")
    return -offset if zone[0] == "-" else offset


# Several options


def _several(text: str, rule: Rule, notices: set[Notice]) -> str | Flaw | _Said | None:
    """Return several values as ActiveCampaign writes them; None when there are none."""
    choices = rule.choices
    if choices and isinstance(whole := choices.find(text), str):
        return _joined([whole])  # an option may hold the separator
    parts = _parts(text, rule.separator)
    chosen = Flaw.NOT_A_LIST if parts is None else _chosen(parts, rule, notices)
    if isinstance(chosen, Flaw) and choices and rule.separator != _LISTED and _LISTED in text:
        # As lists come from Parquet, whatever stands between the values elsewhere.
        listed = _chosen([*filter(None, map(_bare, text.split(_LISTED)))], rule, notices)
        chosen = chosen if isinstance(listed, Flaw) else listed
    if isinstance(chosen, Flaw):
        return chosen
    values = dict.fromkeys(option for option in chosen if option is not None)
    return _joined(values) if values else (_Said.NO if chosen else None)


def _chosen(parts: Sequence[str], rule: Rule, notices: set[Notice]) -> list[str | None] | Flaw:
    """Return the options that are meant, None for a no; parts that mean no value are none."""
    chosen: list[str | None] = []
    for part in parts:
        found = part if rule.choices is None else rule.choices.find(part)
        no_option = isinstance(found, Flaw) or rule.choices is None
        if no_option and rule.no_values and means_no_value(part):
            notices.add(Notice.NO_VALUE)
        elif isinstance(found, Flaw):
            return found
        else:
            chosen.append(found)
    return chosen


def _joined(values: Collection[str]) -> str | Flaw:
    if any(SEPARATOR in f"|{value}|" for value in values):
        return Flaw.SEPARATOR_IN_VALUE
    return SEPARATOR.join(["", *values, ""])


def _bare(text: str) -> str:
    return text.strip(BLANKS)


def _parts(text: str, separator: str) -> list[str] | None:
    """Return the values of a list without blanks around them; None when it is not in the form of its separator."""
    if text.startswith(SEPARATOR) and text.endswith(SEPARATOR):
        parts: list[object] = [*text.split(SEPARATOR)]
    elif separator == JSON:
        try:
            parts = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(parts, list):
            return None
    else:
        parts = [*text.split(separator)]
    texts = [_text_of(part) for part in parts]
    return None if None in texts else [bare for part in texts if (bare := _bare(part or ""))]


_SURROGATE = re.compile("[\ud800-\udfff]")  # JSON may name one alone, which no text has


def _text_of(part: object) -> str | None:
    """Return a value of a list as text; None for a list or an object within it."""
    if part is None:
        return ""
    if isinstance(part, bool):
        return "true" if part else "false"
    if not isinstance(part, str | int | float):
        return None
    text = cleaned(str(part), set())
    return None if _SURROGATE.search(text) else text


# Numbers

_PLAIN_NUMBER = re.compile(r"([+-]?)(?=\.?\d)(\d*)(?:\.(\d*))?", re.ASCII)
_EXPONENT = re.compile(r"[+-]?\d{1,17}(?:\.\d{1,17})?[eE][+-]?\d{1,2}", re.ASCII)
_MONEY = re.compile(r"(?:[$\u20ac\u00a3\u00a5\u20a9\u20b9]|[A-Z]{3}|Rp\.?)")
_GROUPS = {
    mark: re.compile(rf"[+-]?\d{{1,3}}(?:{re.escape(mark)}\d{{3}})+", re.ASCII)
    for mark in (",", ".", " ", "'", "\u00a0", "\u202f", "\u2019")
}
_MOST_DIGITS = 30


def _number(text: str, decimal_mark: str | None) -> str | Flaw:
    """Return a number as plain digits with a point before its decimals."""
    number = _MONEY.sub("", text, count=1).strip(" \u00a0\u202f").replace("\u2212", "-")
    if decimal_mark is None and number != text and number.count(".") == 1 and _GROUPS["."].fullmatch(number):
        return Flaw.DECIMAL_MARK_UNKNOWN  # a person has written 12.500 with its currency; a program would not
    text = number
    if _EXPONENT.fullmatch(text):
        return _plain_digits(format(Decimal(text), "f"))
    marks = [mark for mark in (".", ",") if mark in text]
    if decimal_mark is None:
        decimal_mark = _decimal_mark(text, marks)
    if decimal_mark is None:
        return Flaw.DECIMAL_MARK_UNKNOWN
    whole, mark, decimals = text.partition(decimal_mark)
    for group, pattern in _GROUPS.items():
        if group != decimal_mark and group in whole:
            if not pattern.fullmatch(whole):
                return Flaw.NOT_A_NUMBER
            whole = whole.replace(group, "")
    return _plain_digits(f"{whole}.{decimals}" if mark else whole)


def _decimal_mark(text: str, marks: list[str]) -> str | None:
    """Return what stands before the decimals of a number as far as it shows; None if the number may be read twice."""
    match marks:
        case [".", ","]:
            return max(marks, key=text.rindex)
        case [mark] if text.count(mark) > 1:
            return "," if mark == "." else "."  # several of them are between thousands
        case [","]:
            return None if _GROUPS[","].fullmatch(text) else ","
        case _:
            return "."


def _plain_digits(text: str) -> str | Flaw:
    found = _PLAIN_NUMBER.fullmatch(text)
    if found is None or len(text) > _MOST_DIGITS:
        return Flaw.NOT_A_NUMBER
    sign, whole, decimals = found.groups()
    whole = whole.lstrip("0") or "0"
    number = f"{whole}.{decimals}" if decimals and decimals != "0" else whole
    return f"-{number}" if sign == "-" and number.strip("0.") else number
