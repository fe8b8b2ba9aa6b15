"""What a folder holds: files of data, what belongs to them, and what is not read, judged by names and sizes alone.

Writers leave more in a folder than data: https://spark.apache.org/docs/latest/sql-data-sources-parquet.html (partition
discovery), https://docs.databricks.com/aws/en/archive/compute/dbio-commit (`_started_`, `_committed_`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import groupby
from typing import Literal, Self
from urllib.parse import unquote

from exporter.errors import Culprit, NotReady, Stop
from exporter.source.files import SegmentFile

type Which = Literal["all", "newest"]

MODEL = "model.json"
_KEY = re.compile(r"([^/=]+)=([^/]*)")
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"  # how Hive and Spark write a key that is null
_READABLE = re.compile(r"(?:[^.]+|.*\.(?:csv|tsv|tab|psv|txt|dat|parquet|parq|pq|gz))", re.IGNORECASE | re.DOTALL)
_OTHER_DATA = re.compile(r".*\.(?:zip|xlsx?|xlsb|ods|orc|avro|jsonl?|ndjson|xml|bz2|xz|zst|7z|rar)", re.IGNORECASE)
_COMPANION = re.compile(
    r"model\.json|manifest(?:\.json)?|.*\.(?:cdm\.json|manifest|crc|md5|sha1|sha256|sha512)", re.IGNORECASE
)
_TABLES = {
    r"((?:.*/)?)_delta_log/": "Delta Lake",
    r"((?:.*/)?)\.hoodie/": "Apache Hudi",
    r"((?:.*/)?)metadata/[^/]+\.metadata\.json(?:\.gz)?\Z": "Apache Iceberg",
}
_UNFINISHED = re.compile(r"_temporary$|_started_")  # of Hadoop's committer, and of Databricks'
_DAY = r"(?:19|20)\d\d(?P<s>[-_. ]?)(?:0[1-9]|1[0-2])(?P=s)(?:0[1-9]|[12]\d|3[01])"
_TIME = r"(?:[-_. T]{0,2}(?:[01]\d|2[0-3])[-_.:]?[0-5]\d(?:[-_.:]?[0-5]\d)?Z?)?"
_DAY_FIRST = r"(?:0[1-9]|[12]\d|3[01])\.(?:0[1-9]|1[0-2])\.(?:19|20)\d\d"
_UNCLEAR = r"(?:0[1-9]|[12]\d|3[01])(?P<u>[-_ ])(?:0[1-9]|[12]\d|3[01])(?P=u)(?:19|20)\d\d"  # day or month first
_MONTH = r"(?:19|20)\d\d[-_.](?:0[1-9]|1[0-2])(?![-_.]?\d)"
_WEEK = r"(?:19|20)\d\d[-_. ]?[wW](?:0[1-9]|[1-4]\d|5[0-3])"
_KEYS = (
    r"(?<![^/])(?i:year|yyyy|y)=(?:19|20)\d\d/(?i:month|mm|m)=(?:0?[1-9]|1[0-2])"
    r"(?:/(?i:day|dd|d)=(?:0?[1-9]|[12]\d|3[01]))?(?:/(?i:hour|hh|h)=\d\d?)?"
)
_EPOCH = r"1\d{9}(?:\d{3})?"  # seconds or milliseconds, as exports to Adobe Campaign are named
_STAMP = re.compile(
    rf"(?<!\d)(?=[\dyY])(?:(?:{_DAY}|{_DAY_FIRST}|{_UNCLEAR}){_TIME}|{_WEEK}|{_MONTH}|{_KEYS}|{_EPOCH})(?!\d)"
)


_NUMBERS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+")
APART_S = 300.0
"""Files without dates in their names that were written closer together are taken for parts of one data set."""


class Why(StrEnum):
    """Why a file of a segment's folder is not read."""

    words: str

    def __new__(cls, code: str, words: str) -> Self:
        """Make a member that equals its code."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.words = words
        return member

    @property
    def warns(self) -> bool:
        """Whether nobody asked for it, so that a run without the file is not `successful`."""
        return self in {Why.OTHER_FORMAT, Why.SUBFOLDER, Why.UNLISTED}

    EMPTY = ("empty", "empty")
    IGNORED = ("ignored", "as the export says")
    OLDER = ("older", "older than the newest")
    OTHER_FORMAT = ("otherFormat", "of another format, by its name")
    SUBFOLDER = ("subfolder", "in a subfolder, which is a segment of its own")
    UNLISTED = ("unlisted", "not listed by model.json")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not read, and why."""

    path: str
    why: Why


@dataclass(frozen=True, slots=True)
class Contents:
    """The files of data in a folder, the newest first, and what was left out, by path.

    `before`: under `newest`, the files of the time before.
    """

    data: tuple[SegmentFile, ...]
    left_out: tuple[LeftOut, ...]
    before: tuple[SegmentFile, ...] = ()


def contents(
    folder: str, files: Iterable[SegmentFile], *, which: Which | None = None, ignore: Collection[str] = ()
) -> Contents:
    """Sort the files below `folder` (a path that ends in a slash).

    `ignore` holds patterns with `*` and `?`, as `is_ignored` takes them.

    Raises `Stop` ("files_ambiguous") where names differ only in a date or time and `which` does not say whether all of
    them are the segment or the newest, and where it cannot be told which are the newest.
    """
    files_of_data: list[SegmentFile] = []
    left_out: list[LeftOut] = []
    for file in files:
        below = file.path.removeprefix(folder)
        if _is_companion(below):
            continue
        why = Why.IGNORED if is_ignored(folder, file.path, ignore) else _why_not(below)
        if why:
            left_out.append(LeftOut(file.path, why))
        else:
            files_of_data.append(file)
    groups = _by_age(folder, files_of_data, which)
    left_out += [LeftOut(file.path, Why.OLDER) for group in groups[1:] for file in group]
    chosen, before = (*groups, (), ())[:2]
    data = [file for file in chosen if not _is_empty(file)]
    left_out += [LeftOut(file.path, Why.EMPTY) for file in chosen if _is_empty(file)]
    return Contents(tuple(data), tuple(sorted(left_out, key=lambda left: left.path)), tuple(before))


def _is_empty(file: SegmentFile) -> bool:
    # An empty file of text is a part without rows; an empty Parquet file is damaged, which its reader says.
    return file.size_bytes == 0 and not is_named_parquet(file.path)


def _is_companion(below: str) -> bool:
    *folders, name = below.split("/")
    hidden = any(part.startswith(("_", ".")) and not _KEY.fullmatch(part) for part in (*folders, name))
    return hidden or _COMPANION.fullmatch(name) is not None


def _why_not(below: str) -> Why | None:
    *folders, name = below.split("/")
    if not all(map(_KEY.fullmatch, folders)):
        return Why.SUBFOLDER
    return None if _READABLE.fullmatch(name) else Why.OTHER_FORMAT


def is_named_parquet(path: str) -> bool:
    """Whether a file says by its name that it is Parquet."""
    return path.lower().endswith((".parquet", ".parq", ".pq"))


def is_data(path: str) -> bool:
    """Whether a file may be read, by its path: it is called like data, and neither it nor a folder is a companion."""
    return not _is_companion(path) and _READABLE.fullmatch(path.rpartition("/")[2]) is not None


def is_ignored(folder: str, path: str, ignore: Collection[str]) -> bool:
    """Return whether a path, what of it is below the folder, or its last part fits one of the patterns, in any case."""
    forms = {form.lower() for form in (path, path.removeprefix(folder), path.rpartition("/")[2])}
    # Brackets are no signs here: people have them in the names of their files.
    patterns = (pattern.lower().replace("[", "[[]") for pattern in ignore)
    return any(fnmatchcase(form, pattern) for pattern in patterns for form in forms)


def _by_age(folder: str, data: Sequence[SegmentFile], which: Which | None) -> list[list[SegmentFile]]:
    """Return the files, the newest first, in groups: all of them, or those of a time each if only the newest are read.

    The time of a file is the date of its folders and name where others differ from it only in that, else when it was
    modified. An empty file without such a date says nothing about time: it is in the first group.
    """
    stamps = {file.path: _stamps(file.path.removeprefix(folder)) for file in data}
    times: dict[tuple[int, str], set[str]] = defaultdict(set)
    for pairs in stamps.values():
        for level, (template, stamp) in enumerate(pairs):
            times[level, template].add(stamp)
    # Also the only file of its template has the time of others: today may have more parts than yesterday.
    known = {(level, stamp) for (level, _), found in times.items() if len(found) > 1 for stamp in found}
    dates = {
        path: tuple(stamp if (level, stamp) in known else "" for level, (_, stamp) in enumerate(pairs))
        for path, pairs in stamps.items()
    }
    dated = {path for path, date in dates.items() if any(date)}

    def age(file: SegmentFile) -> tuple[tuple[str, ...], float]:
        return dates[file.path], file.modified

    newest_first = sorted(sorted(data, key=lambda file: file.path), key=age, reverse=True)
    if which == "newest":
        told = [file for file in newest_first if file.path in dated or not _is_empty(file)]
        grouped = groupby(told, key=lambda file: (dates[file.path], None if file.path in dated else file.path))
        groups = [list(group) for _, group in grouped]
        if len(groups) > 1:
            series = {path: _series(pairs) for path, pairs in stamps.items()}
            unclear = any("?" in date for path in dated for date in dates[path])
            _check_one_newest(folder, groups, dated, series, unclear=unclear)
        untold = [file for file in newest_first if file.path not in dated and _is_empty(file)]
        return [[*(groups[0] if groups else ()), *untold], *groups[1:]]
    if dated and which is None:
        shown = [file for file in newest_first if file.path in dated]
        ends = {"newest": shown[0].path, "oldest": shown[-1].path}
        raise Stop.of("files_ambiguous", files=len(dated), folder=folder, **ends)
    return [newest_first]


def _check_one_newest(
    folder: str,
    groups: Sequence[Sequence[SegmentFile]],
    dated: Collection[str],
    series: Mapping[str, str],
    *,
    unclear: bool,
) -> None:
    """Refuse to take a part for the whole: the newest of one kind of names, or the last of several parts."""
    newest, before = groups[0][0], groups[1][0]
    if unclear:
        two = {"newest": newest.path, "other": before.path}
        raise Stop.of("files_ambiguous", case="day_or_month", folder=folder, **two)
    read = {series[file.path] for file in groups[0]}
    other = next((file for group in groups[1:] for file in group if series[file.path] not in read), None)
    if other:
        raise Stop.of("files_ambiguous", case="kinds", folder=folder, newest=newest.path, other=other.path)
    if newest.path not in dated and newest.modified - before.modified < APART_S:
        two = {"newest": newest.path, "other": before.path}
        raise Stop.of("files_ambiguous", case="parts", folder=folder, apartS=APART_S, **two)


def _series(pairs: Sequence[tuple[str, str]]) -> str:
    """Return what the names of a file's successors have in common: its own without dates, numbers and random ids."""
    (folders, date), (name, _) = pairs
    return _NUMBERS.sub("#", folders if date else name)


def _stamps(below: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return the dates and times of a file's folders and of its name as digits, each with what is around them.

    Two files differ only in a date if one pair of theirs has the same surroundings: each folder of Spark has names of
    its own for files, and in one folder only the names count.
    """
    folders, _, name = below.rpartition("/")
    template, stamp = _stamp(name)
    return _stamp(folders), (f"{folders}/{template}", stamp)


def _stamp(text: str) -> tuple[str, str]:
    """Return a text with its dates and times taken out, and those as digits that sort.

    `20261105` is the day of `05.11.2026` and of `year=2026/month=11/day=5`. A `?` before them says that nobody can tell
    the day from the month.
    """
    stamps = []

    def take(match: re.Match[str]) -> str:
        numbers = [number.zfill(2) for number in re.findall(r"\d+", match[0])]
        day_first = len(numbers[0]) == len("31")
        if day_first:
            numbers[:3] = reversed(numbers[:3])
        stamps.append("?" * (day_first and match[0][2] != ".") + "".join(numbers))
        return "<>"

    return _STAMP.sub(take, text), " ".join(stamps)


def keys_of(below: str) -> tuple[tuple[str, str], ...]:
    """Return the columns that the folders of a path name, with their values: `country=FR/part-0.csv`."""
    found = (_KEY.fullmatch(part) for part in below.split("/")[:-1])
    pairs = ((unquote(key[1]), unquote(key[2])) for key in found if key)
    return tuple((name, "" if value == _NO_VALUE else value) for name, value in pairs)


def segment_of(path: str) -> str | None:
    """Return the plain segment that a file belongs to, by its path: its folder, above `key=value` folders.

    A file without a folder is a segment of its own. None: it belongs to other files, or is not data by its name.
    """
    *folders, name = path.split("/")
    unfinished = next((place for place, part in enumerate((*folders, name)) if _UNFINISHED.match(part)), None)
    if unfinished is None and (_is_companion(path) or not (_READABLE.fullmatch(name) or _OTHER_DATA.fullmatch(name))):
        return None
    folders = folders[:unfinished]
    keys = next((place for place, part in enumerate(folders) if _KEY.fullmatch(part)), None)
    return "/".join(folders[:keys]) or (path if unfinished is None else None)


def tables(paths: Iterable[str]) -> dict[str, str]:
    """Return the folders of table formats, each with the name of its format."""
    found = ((path, sign, kind) for path in paths for sign, kind in _TABLES.items())
    return {match[1]: kind for path, sign, kind in found if (match := re.match(sign, path, re.DOTALL))}


def check_no_table(folder: str, roots: Mapping[str, str]) -> None:
    """Refuse the folder of a table format, what is below one, and one that has such a folder as a partition.

    `roots` is what `tables` returns.

    Files that such a table does not use any more stay in its folder: read as plain files, they bring back people who
    were deleted. Raises `Stop` ("table_format").
    """
    for root, kind in roots.items():
        keys = root.removeprefix(folder).split("/")[:-1] if root.startswith(folder) else [""]
        if folder.startswith(root) or all(map(_KEY.fullmatch, keys)):
            raise Stop.of("table_format", folder=folder, root=root, table=kind)


def check_finished(folder: str, paths: Iterable[str]) -> None:
    """Wait for a job that is still writing below `folder`. Raises `NotReady` ("refresh_in_flight")."""
    started: dict[str, str] = {}
    committed: set[str] = set()
    for path in paths:
        below = path.removeprefix(folder)
        *parents, name = below.split("/")
        if "_temporary" in parents or name == "_temporary":
            started[below] = path
        elif name.startswith("_started_"):
            started["/".join((*parents, name.removeprefix("_started_")))] = path
        elif name.startswith("_committed_"):
            committed.add("/".join((*parents, name.removeprefix("_committed_"))))
    unfinished = sorted(path for key, path in started.items() if key not in committed)
    if unfinished:
        raise NotReady.of("refresh_in_flight", case="job", folder=folder, file=unfinished[0])


def check_quiet(files: Sequence[SegmentFile], at: float, quiet_s: float) -> None:
    """Wait until none of the files was modified in the last `quiet_s` seconds; `at` is in epoch seconds.

    Raises `NotReady` ("refresh_in_flight").
    """
    newest = max(files, key=lambda file: file.modified, default=None)
    if newest and at < newest.modified + quiet_s:
        left_s = newest.modified + quiet_s - at
        raise NotReady.of("refresh_in_flight", Culprit.EXTERNAL, left_s, file=newest.path, quietS=quiet_s)


def check_marker(marker: SegmentFile | None, path: str, files: Sequence[SegmentFile]) -> None:
    """Wait for the file `path`, whose writing ends that of `files`. Raises `NotReady` ("refresh_in_flight")."""
    newest = max(files, key=lambda file: file.modified, default=None)
    if marker is None:
        raise NotReady.of("refresh_in_flight", case="no_marker", marker=path)
    if newest and newest.modified > marker.modified:
        raise NotReady.of("refresh_in_flight", case="old_marker", marker=path, newest=newest.path)
