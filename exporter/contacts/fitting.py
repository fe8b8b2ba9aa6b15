"""Make whole columns of values fit their fields with Arrow and numpy: what `values.fit` says, only faster.

Dates, times and numbers in their usual forms are recognised by their bytes. Of all others, each distinct value is
passed to `values.fit` once, as most columns have few. A value that does not simply become a text, because it does not
fit or was cleaned, is left to the rules, row by row.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from exporter.contacts.values import Kind, Rule, fit
from exporter.source.formats.text_columns import bounds, content, lengths

type Flags = npt.NDArray[np.bool_]
type Bytes = npt.NDArray[np.uint8]
_WHOLE_NUMBER = r"^-?(?:[1-9][0-9]{0,14}|0)$"
_PLAIN_NUMBER = r"^-?(?:[1-9][0-9]{0,14}|0)(?:\.(?:[1-9]|[0-9]{2,}))?$"
_NEGATIVE_ZEROS = r"^-0(?:\.0*)?$"
_PLAIN_NUMBER_BYTES = 30  # as many digits as `values.fit` takes
_DAY_BYTES, _SECOND_BYTES, _LONGEST_TIME_BYTES = 10, 19, 35  # 1980-05-03; with T08:15:00; with decimals and +01:00
_FARTHEST_MINUTES = 14 * 60
_ZONE = b"+00:00"
_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, *[0] * 87])  # of the months that two digits name
_FIRST_YEAR, _PLACEHOLDER_YEARS = 1000, (1753, 1899)


def fit_column(column: pa.StringArray, rule: Rule) -> tuple[pa.StringArray, Flags]:
    """Return what becomes of each value, null for nothing, and the rows for which that is certain.

    The texts need no escape in JSON.
    """
    if rule.kind in {Kind.DATE, Kind.DATETIME}:
        texts, known = _usual_times(column, rule)
    elif rule.kind is Kind.NUMBER:
        known = _usual_numbers(column, _WHOLE_NUMBER if rule.decimal_mark == "," else _PLAIN_NUMBER)
        texts = column  # which are already as they are to be sent
    else:
        return _by_distinct(column, rule)
    if rule.when_empty is None:
        known |= lengths(column) == 0
    if known.all():
        return texts, known
    others = np.flatnonzero(~known)
    other_texts, certain = _by_distinct(column.take(pa.array(others)), rule)
    places = np.arange(len(column))
    places[others] = len(column) + np.arange(len(others))
    known[others] = certain
    return pa.concat_arrays([texts, other_texts]).take(pa.array(places)), known


def _by_distinct(column: pa.StringArray, rule: Rule) -> tuple[pa.StringArray, Flags]:
    encoded = column.dictionary_encode(null_encoding="encode")
    texts: list[str | None] = []
    certain: list[bool] = []
    for value in encoded.dictionary.to_pylist():
        fitted = fit(value or "", rule)
        texts.append(fitted.text)
        certain.append(fitted.flaw is None and not fitted.notices and _needs_no_escape(fitted.text))
    indices = encoded.indices
    known: Flags = np.array(certain, np.bool_)[indices.to_numpy()]
    return pa.array(texts, pa.string()).take(indices), known


def _needs_no_escape(text: str | None) -> bool:
    return text is None or not any(character in '"\\' or character < " " for character in text)


def _usual_numbers(column: pa.StringArray, pattern: str) -> Flags:
    """Return the rows whose values are numbers as they are to be sent."""
    plain = pc.and_(
        pc.match_substring_regex(column, pattern), pc.invert(pc.match_substring_regex(column, _NEGATIVE_ZEROS))
    )
    known: Flags = pc.fill_null(plain, fill_value=False).to_numpy(zero_copy_only=False)
    known &= lengths(column) <= _PLAIN_NUMBER_BYTES
    return known


def _usual_times(column: pa.StringArray, rule: Rule) -> tuple[pa.StringArray, Flags]:
    """Recognise `1980-05-03`, alone or with `T08:15:00`, decimals and `Z`, as all programs write them."""
    sizes = lengths(column)
    starts = bounds(column)[:-1].astype(np.int64)
    data = content(column)
    known = np.zeros(len(column), np.bool_)
    width = _DAY_BYTES if rule.kind is Kind.DATE else _SECOND_BYTES + len(_ZONE)
    out = np.zeros((len(column), width), np.uint8)
    for size in np.unique(sizes):
        if not (size == _DAY_BYTES or _SECOND_BYTES <= size <= _LONGEST_TIME_BYTES):
            continue
        rows = np.flatnonzero(sizes == size)
        texts = data[starts[rows][:, None] + np.arange(size)]
        usual = _are_days(texts)
        zoned = np.zeros(len(rows), np.bool_)
        zones = np.broadcast_to(np.frombuffer(_ZONE, np.uint8), (len(rows), len(_ZONE)))
        if size > _DAY_BYTES:
            times, zoned = _are_times(texts)
            if size >= _SECOND_BYTES + len(_ZONE):
                without, has_z = _are_times(texts[:, : -len(_ZONE)])
                offset = _are_offsets(texts[:, -len(_ZONE) :]) & without & ~has_z
                zones = np.where(offset[:, None], texts[:, -len(_ZONE) :], zones)
                times, zoned = times | offset, zoned | offset
            usual &= times
        if rule.kind is Kind.DATE:
            out[rows, :_DAY_BYTES] = texts[:, :_DAY_BYTES]
        else:
            usual &= zoned | (rule.zone == "UTC")
            out[rows, : min(size, _SECOND_BYTES)] = texts[:, :_SECOND_BYTES]
            out[rows, _DAY_BYTES] = ord("T")
            if size == _DAY_BYTES:
                out[rows, _DAY_BYTES:_SECOND_BYTES] = np.frombuffer(b"T00:00:00", np.uint8)
            out[rows, _SECOND_BYTES:] = zones
        known[rows] = usual
    return _texts(out, known), known


def _texts(characters: Bytes, filled: Flags) -> pa.StringArray:
    """Return rows of equally many characters as texts, null where they are not filled."""
    offsets = np.zeros(len(filled) + 1, np.int32)
    np.cumsum(filled * characters.shape[1], out=offsets[1:])
    valid = pa.py_buffer(np.packbits(filled, bitorder="little"))
    data = characters[filled] if not filled.all() else characters
    return pa.StringArray.from_buffers(len(filled), pa.py_buffer(offsets), pa.py_buffer(data), valid)


def _number(texts: Bytes, *places: int) -> tuple[npt.NDArray[np.int16], Flags]:
    """Return the number that the characters at these places are, and whether all of them are digits."""
    value, digits = np.zeros(len(texts), np.int16), np.ones(len(texts), np.bool_)
    for place in places:
        digit = texts[:, place] - np.uint8(ord("0"))  # what is less wraps round
        digits &= digit <= 9  # noqa: PLR2004 - the largest digit
        value = value * np.int16(10) + np.where(digits, digit, 0).astype(np.int16)
    return value, digits


def _are_days(texts: Bytes) -> Flags:
    year, years = _number(texts, 0, 1, 2, 3)
    month, months = _number(texts, 5, 6)
    day, days = _number(texts, 8, 9)
    good: Flags = years & months & days & (texts[:, 4] == ord("-")) & (texts[:, 7] == ord("-"))
    leap = (month == 2) & (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))  # noqa: PLR2004 - February
    good &= (day >= 1) & (day <= _DAYS[month] + leap) & (year >= _FIRST_YEAR)
    for placeholder in _PLACEHOLDER_YEARS:
        good &= year != placeholder
    good &= (year != 1900) | (month != 1) | (day != 1)  # noqa: PLR2004 - a placeholder, too
    return good


def _are_times(texts: Bytes) -> tuple[Flags, Flags]:
    """Return the rows that end with a time, and those of them that end with `Z`."""
    hour, hours = _number(texts, 11, 12)
    minute, minutes = _number(texts, 14, 15)
    second, seconds = _number(texts, 17, 18)
    good: Flags = hours & minutes & seconds & (texts[:, 13] == ord(":")) & (texts[:, 16] == ord(":"))
    good &= (texts[:, 10] == ord("T")) | (texts[:, 10] == ord(" "))
    good &= (hour < 24) & (minute < 60) & (second < 60)  # noqa: PLR2004 - of a clock
    rest = texts[:, _SECOND_BYTES:]
    zoned = np.zeros(len(texts), np.bool_)
    if rest.shape[1]:
        zoned = rest[:, -1] == ord("Z")
        if rest.shape[1] > 1:  # decimals and Z, or decimals only
            _, decimals = _number(rest, *range(1, rest.shape[1] - 1))
            _, last = _number(rest, rest.shape[1] - 1)
            good &= (rest[:, 0] == ord(".")) & decimals & (last | zoned)
            good &= (rest.shape[1] > 2) | ~zoned  # noqa: PLR2004 - a point, a digit and Z
            good &= rest.shape[1] - 1 - zoned <= 9  # noqa: PLR2004 - nanoseconds
        else:
            good &= zoned
    return good, zoned


def _are_offsets(texts: Bytes) -> Flags:
    """Return the rows that are a difference to UTC such as `+01:00`, which is sent as it is written."""
    hour, hours = _number(texts, 1, 2)
    minute, minutes = _number(texts, 4, 5)
    ahead = texts[:, 0] == ord("+")
    good: Flags = (ahead | (texts[:, 0] == ord("-"))) & hours & minutes & (texts[:, 3] == ord(":"))
    total = hour * 60 + minute
    good &= (minute < 60) & (total <= _FARTHEST_MINUTES) & (ahead | (total > 0))  # noqa: PLR2004 - of an hour
    return good
