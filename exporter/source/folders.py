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

from exporter.errors import NotReady, Stop
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
    r"((?:.*/)?)_delta_log/": "a Delta table",
    r"((?:.*/)?)\.hoodie/": "a Hudi table",
    r"((?:.*/)?)metadata/[^/]+\.metadata\.json$": "an Iceberg table",
}
_UNFINISHED = re.compile(r"_temporary$|_started_")  # of Hadoop's committer, and of Databricks'
_DAY = r"(?:19|20)\d\d(?P<s>[-_. ]?)(?:0[1-9]|1[0-2])(?P=s)(?:0[1-9]|[12]\d|3[01])"
_TIME = r"(?:[-_. T]{0,2}(?:[01]\d|2[0-3])[-_.:]?[0-5]\d(?:[-_.:]?[0-5]\d)?Z?)?"
_EPOCH = r"1\d{9}(?:\d{3})?"  # seconds or milliseconds, as exports to Adobe Campaign are named
_STAMP = re.compile(rf"(?<!\d)(?:{_DAY}{_TIME}|{_EPOCH})(?!\d)")


class Why(StrEnum):
    """Why a file of a segment's folder is not read.

    `warns`: nobody asked for it, so a run without the file is not `successful`.
    """

    words: str
    warns: bool

    def __new__(cls, code: str, words: str, warns: bool) -> Self:  # noqa: FBT001 - a column of the table
        """Make a member that equals its code."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.words, member.warns = words, warns
        return member

    EMPTY = ("empty", "empty", False)
    IGNORED = ("ignored", "left out by ignore", False)
    OLDER = ("older", "older than the newest", False)
    OTHER_FORMAT = ("otherFormat", "of another format, by its name", True)
    SUBFOLDER = ("subfolder", "in a subfolder, which is a segment of its own", True)
    UNLISTED = ("unlisted", "not listed by model.json", True)


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

    `ignore` holds patterns as of a shell, for the path below the folder or the name alone.

    Raises `Stop` ("files_ambiguous") where names differ only in a date or time and `which` does not say whether all of
    them are the segment or the newest.
    """
    data: list[SegmentFile] = []
    left_out: list[LeftOut] = []
    for file in files:
        below = file.path.removeprefix(folder)
        if _is_companion(below):
            continue
        why = _why_not(below, file.size_bytes, ignore)
        if why:
            left_out.append(LeftOut(file.path, why))
        else:
            data.append(file)
    groups = _by_age(folder, data, which)
    left_out += [LeftOut(file.path, Why.OLDER) for group in groups[1:] for file in group]
    chosen, before = (*groups, (), ())[:2]
    return Contents(tuple(chosen), tuple(sorted(left_out, key=lambda left: left.path)), tuple(before))


def _is_companion(below: str) -> bool:
    *folders, name = below.split("/")
    hidden = any(part.startswith(("_", ".")) and not _KEY.fullmatch(part) for part in (*folders, name))
    return hidden or _COMPANION.fullmatch(name) is not None


def _why_not(below: str, size_bytes: int, ignore: Collection[str]) -> Why | None:
    *folders, name = below.split("/")
    if is_ignored(below, ignore):
        return Why.IGNORED
    if not all(map(_KEY.fullmatch, folders)):
        return Why.SUBFOLDER
    if not _READABLE.fullmatch(name):
        return Why.OTHER_FORMAT
    # An empty file of text is a part without rows; an empty Parquet file is damaged, which its reader says.
    return Why.EMPTY if size_bytes == 0 and not is_named_parquet(name) else None


def is_named_parquet(path: str) -> bool:
    """Whether a file says by its name that it is Parquet."""
    return path.lower().endswith((".parquet", ".parq", ".pq"))


def is_ignored(below: str, ignore: Collection[str]) -> bool:
    """Return whether a path, or its last part, fits one of the patterns."""
    name = below.rpartition("/")[2]
    return any(fnmatchcase(below, pattern) or fnmatchcase(name, pattern) for pattern in ignore)


def _by_age(folder: str, data: Sequence[SegmentFile], which: Which | None) -> list[list[SegmentFile]]:
    """Return the files, the newest first, in groups: all of them, or those of a time each if only the newest are read.

    The time of a file is the date in its name where names differ only in that, else when it was modified.
    """
    stamps = {file.path: _stamp(file.path) for file in data}
    times: dict[str, set[str]] = defaultdict(set)
    for template, stamp in stamps.values():
        times[template].add(stamp)
    dated = {file.path for file in data if len(times[stamps[file.path][0]]) > 1}

    def age(file: SegmentFile) -> tuple[str, float]:
        return (stamps[file.path][1] if file.path in dated else "", file.modified)

    newest_first = sorted(sorted(data, key=lambda file: file.path), key=age, reverse=True)
    if which == "newest":
        groups = groupby(newest_first, key=lambda file: (age(file)[0], None if file.path in dated else file.path))
        return [list(group) for _, group in groups]
    if dated and which is None:
        shown = [file for file in newest_first if file.path in dated]
        raise Stop(
            "files_ambiguous",
            f"{len(dated)} files below {folder} have names that differ only in a date or time (newest:"
            f" {shown[0].path}, oldest: {shown[-1].path}). Set files of the export: newest, if each of them holds"
            " everybody; all, if they belong together.",
        )
    return [newest_first]


def _stamp(path: str) -> tuple[str, str]:
    """Return a path with its dates and times taken out, and those as digits."""
    stamps = (match[0] for match in _STAMP.finditer(path))
    return _STAMP.sub("<>", path), " ".join(re.sub(r"\D", "", stamp) for stamp in stamps)


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
    return {match[1]: kind for path, sign, kind in found if (match := re.match(sign, path))}


def check_no_table(folder: str, roots: Mapping[str, str]) -> None:
    """Refuse the folder of a table format, and what is below one; `roots` as `tables` returns them.

    Files that such a table does not use any more stay in its folder: read as plain files, they bring back people who
    were deleted. Raises `Stop` ("table_format").
    """
    for root, kind in roots.items():
        if folder.startswith(root):
            raise Stop(
                "table_format",
                f"Expected {folder} to hold plain files; {root} is {kind}: only its own log says which of its files are"
                " current, and the others hold people who were deleted. Let a query of that table write its rows to a"
                " folder of their own, as CSV or Parquet.",
            )


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
        raise NotReady(
            "refresh_in_flight",
            f"A job is writing below {folder}: it has left {unfinished[0]} and not ended. If no job is running, remove"
            " that file.",
        )


def check_quiet(files: Sequence[SegmentFile], at: float, quiet_s: float) -> None:
    """Wait until none of the files was modified in the last `quiet_s` seconds; `at` is in epoch seconds.

    Raises `NotReady` ("refresh_in_flight").
    """
    quiet_from = max((file.modified for file in files), default=0.0) + quiet_s
    if at < quiet_from:
        raise NotReady(
            "refresh_in_flight",
            f"Files of the segment were modified within the last {quiet_s:g} seconds; it may not be complete yet.",
            retry_after_s=quiet_from - at,
        )


def check_marker(marker: SegmentFile | None, path: str, files: Sequence[SegmentFile]) -> None:
    """Wait for the file `path`, whose writing ends that of `files`. Raises `NotReady` ("refresh_in_flight")."""
    newest = max(files, key=lambda file: file.modified, default=None)
    if marker is None or (newest and newest.modified > marker.modified):
        found = f"{newest.path} is newer" if marker and newest else "there is none"
        raise NotReady(
            "refresh_in_flight",
            f"Expected {path} to mark the segment as complete; {found}. It is being written, or completeWhen of the"
            " export names another file.",
        )
