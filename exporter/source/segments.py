"""The place where segments land: which segments there are, and the newest complete refresh of one.

Layouts: a folder with a `model.json` (Common Data Model, as Customer Insights writes it:
https://learn.microsoft.com/dynamics365/customer-insights/data/export-azure-blob-storage); a plain folder of files; one
file. Customer Insights documents no marker of completeness, so a refresh counts as complete when everything that
`model.json` lists is there, in one folder, without a newer folder next to it, and unmodified for a while.
"""

from __future__ import annotations

import codecs
import difflib
import hashlib
import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

from exporter.errors import NotReady, Stop
from exporter.ports import Changed
from exporter.source.files import SegmentFile, SegmentFiles
from exporter.source.heads import read_head
from exporter.source.model_json import Listed
from exporter.source.names import is_header
from exporter.source.readers import MAX_COLUMNS, Partition, parquet_columns
from exporter.source.rows import Column

_DATED = re.compile(r"(?P<table>.*/)(?P<refresh>\d{4}/\d\d/\d\d/\d{4})/(?P<file>[^/]+)")
_PLAIN_FILE = re.compile(r"[^._][^/]*\.(?:csv|csv\.gz|tsv|txt|txt\.gz|parquet)", re.IGNORECASE)
_MODEL = "model.json"


@dataclass(frozen=True, slots=True)
class Refresh:
    """One complete state of a segment, pinned: the files, their versions and how to read them.

    `refreshed_at` is in epoch seconds; `fingerprint` is the same if and only if the files are.
    """

    segment: str
    refreshed_at: float
    columns: tuple[Column, ...]
    partitions: tuple[Partition, ...]
    fingerprint: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SegmentInfo:
    """A segment as listed; `refreshed_at` is in epoch seconds."""

    name: str
    refreshed_at: float
    files: int
    size_bytes: int
    columns: tuple[Column, ...]


def list_segments(files: SegmentFiles, prefix: str) -> list[SegmentInfo]:
    """Return the segments below the folder `prefix`, by name; those that cannot be read now have no columns."""
    landing = _Landing(files, prefix)
    return [landing.info(name) for name in landing.names()]


def find_refresh(
    files: SegmentFiles, prefix: str, name: str, now: float, quiet_s: float, known: Collection[str] = ()
) -> Refresh:
    """Return the newest complete refresh of a segment.

    `name` is `<folder of model.json>/<Table>`, or `<Table>` alone where only one folder has it, or the path of a plain
    folder or file; all below the folder `prefix`. `now` is in epoch seconds; a refresh is complete when none of its
    files was modified in the last `quiet_s` seconds. `known` are column names that tell a header like the usual ones.

    Raises `NotReady` (`refresh_in_flight`) while the segment is being written, and `Stop`: `segment_not_found`,
    `segment_ambiguous`, `segment_mixed`, `model_unreadable`, `partition_outside`, `columns_differ`; and what `readers`
    raises.
    """
    landing = _Landing(files, prefix)
    return landing.refresh(landing.resolve(name), now, quiet_s, known)


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of a model.json: `root` is the folder of that file, with its slash."""

    root: str
    model: SegmentFile
    entity: dict[str, Any]


class _Landing:
    """The folder `prefix`: its files, the tables that a model.json describes, and plain segments."""

    def __init__(self, files: SegmentFiles, prefix: str) -> None:
        self._files = files
        self._prefix = f"{prefix.strip('/')}/".removeprefix("/")
        self._found = {file.path: file for file in files.list(self._prefix).files}
        self._tables: dict[str, _Table] = {}
        self._unreadable: list[SegmentFile] = []
        for file in self._found.values():
            if file.path.rsplit("/", 1)[-1] == _MODEL:
                self._read_model(file)

    def _read_model(self, listed: SegmentFile) -> None:
        read = self._files.read(listed.path)
        if read is None:
            return
        model, data = read
        root = model.path.removesuffix(_MODEL)
        try:
            entities = orjson.loads(data.removeprefix(codecs.BOM_UTF8))["entities"]
            for entity in entities:
                self._tables[(root + str(entity["name"])).removeprefix(self._prefix)] = _Table(root, model, entity)
        except (ValueError, TypeError, KeyError):
            self._unreadable.append(model)

    def names(self) -> list[str]:
        """Return the names of all segments, in alphabetical order."""
        roots = tuple(table.root for table in self._tables.values())
        plain = {
            self._plain_name(path)
            for path in self._found
            if _PLAIN_FILE.fullmatch(path.rsplit("/", 1)[-1]) and not (roots and path.startswith(roots))
        }
        return sorted(plain | self._tables.keys())

    def _plain_name(self, path: str) -> str:
        name = path.removeprefix(self._prefix)
        return name.rsplit("/", 1)[0] if "/" in name else name

    def info(self, name: str) -> SegmentInfo:
        """Describe a segment, whether or not it is complete."""
        try:
            refresh = self.refresh(name, now=math.inf, quiet_s=0)
        except (Stop, NotReady, Changed):
            return SegmentInfo(name, 0.0, 0, 0, ())
        sizes = [partition.file.size_bytes for partition in refresh.partitions]
        return SegmentInfo(name, refresh.refreshed_at, len(sizes), sum(sizes), refresh.columns)

    def resolve(self, name: str) -> str:
        """Return the full name of the segment that `name` refers to."""
        wanted = name.strip("/")
        if wanted in self._tables or self._plain_files(wanted):
            return wanted
        matches = sorted(full for full in self._tables if full.rsplit("/", 1)[-1] == wanted)
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise Stop("segment_ambiguous", f"There are several segments {wanted!r}. Use one of: {', '.join(matches)}.")
        if self._unreadable:
            raise _unreadable(self._unreadable[0], "it has no list of entities")
        names = self.names()
        near = difflib.get_close_matches(wanted, names, n=5, cutoff=0.4) or names[:5]
        raise Stop(
            "segment_not_found",
            f"There is no segment {wanted!r} below {self._prefix or 'the container'!r}."
            f" {'The nearest names are: ' + ', '.join(near) if near else 'There is none at all'}.",
        )

    def _plain_files(self, name: str) -> list[SegmentFile]:
        path = self._prefix + name
        if path in self._found:
            return [self._found[path]]
        return [
            file
            for file in self._found.values()
            if file.path.startswith(f"{path}/") and _PLAIN_FILE.fullmatch(file.path.removeprefix(f"{path}/"))
        ]

    def refresh(self, name: str, now: float, quiet_s: float, known: Collection[str] = ()) -> Refresh:
        """Return the newest complete refresh of the segment with that full name."""
        if table := self._tables.get(name):
            return self._table_refresh(name, table, now, quiet_s)
        files = self._plain_files(name)
        _check_quiet(files, now, quiet_s)
        return _plain_refresh(self._files, name, files, known)

    def _table_refresh(self, name: str, table: _Table, now: float, quiet_s: float) -> Refresh:
        try:
            columns = tuple(
                Column(str(attribute["name"]), str(attribute.get("dataType", "unclassified")))
                for attribute in table.entity["attributes"]
            )
            listed = [Listed.from_model(partition) for partition in table.entity.get("partitions") or ()]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise _unreadable(table.model, f"the entity {table.entity.get('name')} is not as expected") from error
        paths = [self._path(partition.location, table) for partition in listed]
        unlisted = self._check_complete(table, paths)
        files = [self._found[path] for path in paths]
        _check_quiet([table.model, *files, *unlisted], now, quiet_s)
        if unlisted:
            raise Stop(
                "segment_mixed",
                f"The folder of {files[0].path} holds {len(unlisted)} files that {table.model.path} does not list"
                f" (first: {unlisted[0].path!r}). Export the segment again.",
            )
        partitions, warnings = [], []
        for entry, file in zip(listed, files, strict=True):
            partition, recognized = self._partition(entry, file, columns)
            partitions.append(partition)
            if recognized:
                warnings.append(f"{file.path} begins with the column names although model.json does not say so.")
        times = [entry.refreshed_at for entry in listed if entry.refreshed_at is not None] or [
            file.modified for file in files or [table.model]
        ]
        return _refresh(name, max(times), columns, partitions, warnings)

    def _path(self, location: str, table: _Table) -> str:
        """Return the path within the container. Only the path of a location is used, never its host."""
        url = urlsplit(location)
        path = unquote(url.path).lstrip("/").partition("/")[2] if url.scheme else table.root + unquote(url.path)
        if not path.startswith(self._prefix) or not path.isprintable() or {"..", ".", ""} & set(path.split("/")):
            raise Stop(
                "partition_outside",
                f"{table.model.path} lists a partition outside {self._prefix or 'the container'!r}."
                " Only files below the configured folder are read.",
            )
        return path

    def _check_complete(self, table: _Table, paths: list[str]) -> list[SegmentFile]:
        """Return the unlisted files of the refresh's folder. Raises when the refresh is not complete."""
        missing = [path for path in paths if path not in self._found]
        if missing:
            raise NotReady(
                "refresh_in_flight",
                f"{table.model.path} lists {len(paths)} files, of which {len(missing)} are missing (first:"
                f" {missing[0]!r}). The segment is being written, or its export has failed.",
            )
        if len({path.rpartition("/")[0] for path in paths}) > 1 or len(set(paths)) < len(paths):
            raise Stop(
                "segment_mixed",
                f"Expected {table.model.path} to list files of one folder, each once, for {table.entity['name']}; it"
                " lists files of several refreshes. Export the segment again.",
            )
        dated = [match for path in paths[:1] if (match := _DATED.fullmatch(path))]
        return [] if not dated else self._check_newest(dated[0], paths)

    def _check_newest(self, listed: re.Match[str], paths: list[str]) -> list[SegmentFile]:
        folder = []
        for path, file in self._found.items():
            found = _DATED.fullmatch(path)
            if found is None or found["table"] != listed["table"]:
                continue
            if found["refresh"] > listed["refresh"]:
                raise NotReady(
                    "refresh_in_flight",
                    f"{found['table']}{found['refresh']} is newer than what model.json lists ({listed['refresh']})."
                    " The segment is being written, or its export has failed.",
                )
            if found["refresh"] == listed["refresh"] and path not in paths and _PLAIN_FILE.fullmatch(found["file"]):
                folder.append(file)
        return folder

    def _partition(self, listed: Listed, file: SegmentFile, columns: tuple[Column, ...]) -> tuple[Partition, bool]:
        """Return how to read a file, and whether it begins with a header that model.json does not mention."""
        if file.path.lower().endswith(".parquet"):
            return Partition(file, "parquet"), False
        if listed.has_header:
            return Partition(file, "csv", listed.delimiter, has_header=True, quoted=listed.quoted), False
        head = read_head(self._files, file, delimiter=listed.delimiter, quoted=listed.quoted)
        names = [column.name.lower() for column in columns]
        recognized = [name.lower() for name in head.names] == names
        return Partition(file, "csv", listed.delimiter, has_header=recognized, quoted=listed.quoted), recognized


def _plain_refresh(files: SegmentFiles, name: str, found: list[SegmentFile], known: Collection[str]) -> Refresh:
    """Return the refresh of files that describe themselves: CSV with a header, or Parquet."""
    partitions: list[Partition] = []
    columns: tuple[Column, ...] | None = None
    for file in found:
        if file.size_bytes == 0:
            continue
        if file.path.lower().endswith(".parquet"):
            partition, of_file = Partition(file, "parquet"), parquet_columns(files, file)
        else:
            partition, of_file = _with_header(files, file, known)
        if columns is not None and [column.name for column in of_file] != [column.name for column in columns]:
            raise Stop(
                "columns_differ",
                f"Expected {file.path} to have the columns of {partitions[0].file.path}; it has others."
                " Keep files of one kind in a folder, or export one of the files by its own path.",
            )
        columns = columns or of_file
        partitions.append(partition)
    return _refresh(name, max(file.modified for file in found), columns or (), partitions, [])


def _with_header(
    files: SegmentFiles, file: SegmentFile, known: Collection[str]
) -> tuple[Partition, tuple[Column, ...]]:
    head = read_head(files, file)
    if not is_header(head.names, known):
        # What was found is not shown: without a header it is personal data.
        raise Stop(
            "header_missing",
            f"Expected the first row of {file.path} to hold column names (one has to be a usual name such as"
            " Email, or one of the data matching, and none an address); it does not. Add a header row, or a"
            " model.json that names the columns.",
        )
    columns = tuple(Column(name, "string") for name in head.names)
    return Partition(file, "csv", head.delimiter, has_header=True), columns


def _refresh(
    name: str, refreshed_at: float, columns: Sequence[Column], partitions: Sequence[Partition], warnings: Sequence[str]
) -> Refresh:
    if len(columns) > MAX_COLUMNS:
        raise Stop(
            "too_many_columns", f"The segment {name} has {len(columns)} columns; at most {MAX_COLUMNS} are read."
        )
    fingerprint = hashlib.sha256()
    for file in sorted((partition.file for partition in partitions), key=lambda file: file.path):
        fingerprint.update(orjson.dumps([file.path, file.etag, file.size_bytes]))
    return Refresh(name, refreshed_at, tuple(columns), tuple(partitions), fingerprint.hexdigest(), tuple(warnings))


def _check_quiet(files: Iterable[SegmentFile], now: float, quiet_s: float) -> None:
    quiet_from = max((file.modified for file in files), default=0.0) + quiet_s
    if now < quiet_from:
        raise NotReady(
            "refresh_in_flight",
            f"Files of the segment were modified within the last {quiet_s:g} seconds; it may not be complete yet.",
            retry_after_s=quiet_from - now,
        )


def _unreadable(model: SegmentFile, why: str) -> Stop:
    return Stop(
        "model_unreadable",
        f"Expected {model.path} to be a Common Data Model description of tables, but {why}. Run the export in Customer"
        " Insights again.",
    )


STALE_S = 8 * 86_400.0
"""Customer Insights refreshes scheduled segments at least weekly, so an older refresh deserves a warning."""


def stale(refreshes: Sequence[Refresh], now: float) -> list[str]:
    """Return a warning for each refresh that is old."""
    return [
        f"The segment {r.segment} was last refreshed {(now - r.refreshed_at) / 86_400:.0f} days ago. Customer Insights"
        " does not refresh static segments, and deactivates unused segments."
        for r in refreshes
        if now - r.refreshed_at > STALE_S
    ]
