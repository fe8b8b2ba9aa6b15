"""Compare the values of a column, of which nobody has said what they are: dates and times, or numbers.

A million values take 13 bytes each, in an array that numpy sorts. None is rounded: a whole number of 17 digits, as some
programs write a time, differs from the next one.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from exporter.contacts.texts import BLANKS

RANK = np.dtype([("kind", "u1"), ("value", "f8"), ("rest", "f4")])
"""Compared from left to right. `rest` is what the value has beyond a double, in units of its last place."""
type Ranks = npt.NDArray[np.void]
NEITHER, NUMBER, TIME = range(3)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_PLAIN_NUMBER = r"^[0-9]{1,15}$"  # a double holds each of them
_PLAIN_TIME = (  # a double holds its microseconds since 1970
    r"^(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"  # a day that every month has
    r"(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?ZONE)?$"
)
_ZONED = r"(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def ranks_of(column: pa.StringArray) -> Ranks:
    """Return the ranks of the values of a column; a null ranks as what is neither a date nor a number."""
    texts = pc.utf8_trim(column, BLANKS)
    ranks = np.zeros(len(texts), RANK)
    done = ~_flags(texts.is_valid())
    for pattern, kind, data_type in (
        (_PLAIN_NUMBER, NUMBER, pa.int64()),
        (_PLAIN_TIME.replace("ZONE", ""), TIME, pa.timestamp("us")),
        (_PLAIN_TIME.replace("ZONE)?", f"{_ZONED})"), TIME, pa.timestamp("us", "UTC")),
    ):
        plain = _flags(pc.match_substring_regex(texts, pattern)) & ~done
        if plain.any():
            values = texts.filter(pa.array(plain)).cast(data_type).cast(pa.int64()).to_numpy()
            ranks["kind"][plain], ranks["value"][plain] = kind, values
            done |= plain
    others = np.flatnonzero(~done)
    for place, text in zip(others.tolist(), texts.take(pa.array(others)).to_pylist(), strict=True):
        ranks[place] = rank_of(text)
    return ranks


def _flags(values: pa.BooleanArray) -> npt.NDArray[np.bool_]:
    """Return Booleans as a numpy array; null is false."""
    flags: npt.NDArray[np.bool_] = values.to_numpy(zero_copy_only=False) == np.True_
    return flags


def rank_of(text: str) -> tuple[int, float, float]:
    """Return the rank of a trimmed value. A time without a zone is in UTC; it counts to the microsecond."""
    if _NUMBER.fullmatch(text):
        return NUMBER, *_parts(Decimal(text))
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return NEITHER, 0.0, 0.0
    since = (time.replace(tzinfo=UTC) - _EPOCH) - (time.utcoffset() or timedelta())
    return TIME, *_parts(Decimal(since // _MICROSECOND))


def _parts(exact: Decimal) -> tuple[float, float]:
    value = float(exact)
    if math.isinf(value):
        return value, 0.0
    return value, float((exact - Decimal(value)) / Decimal(math.ulp(value)))
