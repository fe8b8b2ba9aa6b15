"""The place where segments land: which segments there are, and which files each of them is now.

Layouts: a folder with a `model.json` (Common Data Model, as Customer Insights writes it:
https://learn.microsoft.com/dynamics365/customer-insights/data/export-azure-blob-storage); a plain folder of files, with
or without `key=value` folders below it; one file. Customer Insights documents no marker of completeness, so a refresh
counts as complete when everything that `model.json` lists is there, in one folder, without a newer folder next to it,
and unmodified for a while.
"""

from __future__ import annotations

import codecs
import contextlib
import difflib
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

from exporter.errors import NotReady, Stop
from exporter.ports import Changed
from exporter.source import folders
from exporter.source.files import SegmentFile, SegmentFiles
from exporter.source.folders import Contents, LeftOut, Which, Why
from exporter.source.heads import Format, Head, read_head, refuse_format
from exporter.source.model_json import Listed
from exporter.source.names import holds_address, is_header
from exporter.source.readers import Partition, parquet_columns
from exporter.source.rows import Column
from exporter.source.text import codec_of
from exporter.warned import Warned

MAX_COLUMNS = 2_000  # Dataverse, with the widest tables that Customer Insights reads, has at most 1,024
COMPARED_NAMES, COMPARED_CHARACTERS = 1_000, 200  # to find the nearest to one that does not exist
HEARTBEAT_FILES = 256  # to look into one takes two or three requests, so these take some seconds
SETTLED_S = 86_400.0
"""A `model.json` that lists missing files and has not changed for so long describes files that are gone for good."""
_DATED = re.compile(r"(?P<table>.*/)(?P<refresh>\d{4}/\d\d/\d\d/\d{4})/(?P<file>[^/]+)")


class Layout(StrEnum):
    """How a segment is stored."""

    MODEL = "model.json"  # a table that a model.json describes
    FILE = "file"
    FOLDER = "folder"
    PARTITIONED_FOLDER = "partitionedFolder"  # with `key=value` folders below it, whose keys are columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What an export says of how its segments are read.

    `known` are column names that tell a header as the usual ones do; `which` says whether files whose names differ only
    in a date are read all, or only the newest; `ignore` are patterns of files to leave out. A refresh is complete when
    none of its files was modified in the last `quiet_s` seconds or, if there is a `marker`, when that file is there and
    newer. `encoding` is that of all files of text.
    """

    known: tuple[str, ...] = ()
    which: Which | None = None
    ignore: tuple[str, ...] = ()
    marker: str | None = None
    quiet_s: float = 0.0
    encoding: str | None = None


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
    layout: Layout = Layout.FOLDER
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[Warned, ...] = ()

    @property
    def files_not_read(self) -> int:
        """How many files were left out that nobody asked to leave out."""
        return sum(left.why.warns for left in self.left_out)

    def check_columns(self, names: Iterable[str]) -> None:
        """Check that every file holds these columns. Raises `Stop` ("column_missing_in_file")."""
        needed = tuple(names)
        times = Counter(column.name.lower() for column in self.columns)
        # Thousands of files hold the same thousands of columns: one of each kind is looked at.
        kinds = {
            (partition.columns, tuple(key for key, _ in partition.keys)): partition for partition in self.partitions
        }
        for partition in kinds.values():
            for name, place in zip(needed, partition.places(needed), strict=True):
                # Where one file has Name and name, the only one of another file may be either.
                other = place is not None and times[name.lower()] > 1 and partition.columns[place] != name
                if other or (place is None and partition.key(name) is None):
                    about = {"segment": self.segment, "file": partition.file.path}
                    raise Stop.of("column_missing_in_file", column=name, **about)


@dataclass(frozen=True, slots=True)
class SegmentInfo:
    """A segment as listed; `refreshed_at` is in epoch seconds. With a `problem`, it cannot be read now."""

    name: str
    layout: Layout | None = None
    refreshed_at: float | None = None
    files: int = 0
    size_bytes: int = 0
    columns: tuple[Column, ...] = ()
    problem: Stop | NotReady | None = None


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of a model.json: `root` is the folder of that file, with its slash."""

    root: str
    model: SegmentFile
    entity: dict[str, Any]


class Segments:
    """The segments below the folder `prefix`, as they were when this was made."""

    def __init__(self, files: SegmentFiles, prefix: str, heartbeat: Callable[[], None] = lambda: None) -> None:
        """List the files and read the `model.json` among them. Raises `Unavailable`.

        `heartbeat` is called each time that `HEARTBEAT_FILES` files have been looked into.
        """
        self._files = files
        self._heartbeat = heartbeat
        self._prefix = folder_of(prefix)
        listing = files.list(self._prefix)
        self._at = listing.at
        self._found = {file.path: file for file in listing.files}
        self._foreign_tables = folders.tables(self._found)
        self._tables: dict[str, _Table] = {}
        self._listed: dict[str, set[str]] = {}  # what the model.json of a folder lists, in whatever table
        self._unreadable: dict[str, SegmentFile] = {}
        for file in self._found.values():
            if file.path.rpartition("/")[2] == folders.MODEL:
                self._read_model(file)

    def _read_model(self, listed: SegmentFile) -> None:
        if listed.archived:
            self._unreadable[listed.path.removeprefix(self._prefix)] = listed
            return
        read = self._files.read(listed.path)
        if read is None:
            return
        model, data = read
        root = model.path.removesuffix(folders.MODEL)
        try:
            entities = orjson.loads(data.removeprefix(codecs.BOM_UTF8))["entities"]
            names = [(root + str(entity["name"])).removeprefix(self._prefix) for entity in entities]
            if len(set(names)) < len(names):
                raise ValueError
        except (ValueError, TypeError, KeyError):
            self._unreadable[model.path.removeprefix(self._prefix)] = model
            return
        tables = [_Table(root, model, entity) for entity in entities]
        self._tables.update(zip(names, tables, strict=True))
        self._listed[root] = {path for table in tables for path in _paths_listed(table)}

    @property
    def files_found(self) -> int:
        """How many files there are, of whatever segment."""
        return len(self._found)

    def names(self) -> list[str]:
        """Return the names of all segments, in alphabetical order."""
        described = tuple(table.root for table in self._tables.values()) + tuple(self._foreign_tables)
        plain = {
            name
            for path in self._found
            if not (described and path.startswith(described))
            and (name := folders.segment_of(path.removeprefix(self._prefix)))
        }
        foreign = {root.removeprefix(self._prefix).rstrip("/") for root in self._foreign_tables} - {""}
        return sorted(plain | foreign | self._tables.keys() | self._unreadable.keys())

    def info(self, name: str) -> SegmentInfo:
        """Describe a segment of `names`, whether or not it is complete; of plain files, only the first is looked at."""
        try:
            self._check_model(name)
            if table := self._tables.get(name):
                refresh = self._table_refresh(name, table, Reading())
                return _info(refresh, [partition.file for partition in refresh.partitions])
            layout, folder, contents = self._plain(name, Reading(which="all"))
            refresh = self._plain_refresh(name, layout, folder, replace(contents, data=contents.data[:1]), Reading())
        except (Stop, NotReady) as problem:
            return SegmentInfo(name, problem=problem)
        except Changed:
            return SegmentInfo(name, problem=NotReady.of("source_changing"))
        return _info(refresh, contents.data)

    def look(self, name: str, known: Sequence[str] = ()) -> Refresh:
        """Return a segment as `refresh` does, for somebody who looks at it before there is an export.

        Of files whose names differ only in a date, the newest are read, with a warning; or all of them, where these do
        not tell enough.
        """
        told: list[Warned] = []
        choices: tuple[Which | None, ...] = (None, "newest", "all")
        for which in choices:
            try:
                refresh = self.refresh(name, Reading(known=tuple(known), which=which))
            except Stop as problem:
                if problem.code != "files_ambiguous":
                    raise
                told.append(Warned.of(problem.code, **(problem.parameters or {})))
            else:
                return replace(refresh, warnings=(*told, *_of_encodings(refresh.partitions), *refresh.warnings))
        raise AssertionError("all of the files are never ambiguous")

    def mark(self, name: str) -> tuple[str, str]:
        """Return what to look at to see whether a segment was written again, and what it was; as in `moved`.

        Raises what `refresh` raises for its name.
        """
        full = self._resolve(name)
        if table := self._tables.get(full):
            return table.model.path, table.model.etag
        path = self._prefix + full
        if file := self._found.get(path):
            return path, file.etag
        folder = f"{path}/"
        return folder, _digest(file for each, file in self._found.items() if each.startswith(folder))

    def refresh(self, name: str, reading: Reading) -> Refresh:
        """Return the newest complete refresh of a segment.

        `name` is `<folder of model.json>/<Table>`, or `<Table>` alone where only one folder has it, or the path of a
        plain folder or file; all below the prefix.

        Raises `NotReady` (`refresh_in_flight`) while the segment is being written, and `Stop`: `segment_not_found`,
        `segment_ambiguous`, `segment_mixed`, `model_unreadable`, `partition_outside`, `partition_foreign`,
        `partition_without_location`, `files_missing`, `files_ambiguous`, `file_archived`, `table_format`,
        `format_unsupported`, `header_missing`, `header_differs`, `encoding_unknown`, `too_many_columns`; and what
        `heads` and `readers` raise.
        """
        full = self._resolve(name)
        if table := self._tables.get(full):
            return self._table_refresh(full, table, reading)
        layout, folder, contents = self._plain(full, reading)
        # Storage shows a file as empty while its first bytes are on their way.
        empty = (self._found[left.path] for left in contents.left_out if left.why is Why.EMPTY)
        involved = (*contents.data, *empty)
        if reading.marker is not None:
            path = folder + reading.marker
            folders.check_marker(self._found.get(path), path, involved)
        else:
            folders.check_quiet(involved, self._at, reading.quiet_s)
        return self._plain_refresh(full, layout, folder, contents, reading)

    def _resolve(self, name: str) -> str:
        """Return the full name of the segment that `name` refers to."""
        wanted = name.strip("/")
        self._check_model(wanted)
        if wanted in self._tables or self._is_plain(wanted):
            return wanted
        matches = sorted(full for full in self._tables if full.rpartition("/")[2] == wanted)
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise Stop.of("segment_ambiguous", segment=wanted, names=", ".join(matches))
        for unreadable in self._unreadable:
            self._check_model(unreadable)
        names = self.names()
        # Comparing two names takes the square of their length.
        few = [each for each in names if len(each) <= COMPARED_CHARACTERS][:COMPARED_NAMES]
        near = difflib.get_close_matches(wanted[:COMPARED_CHARACTERS], few, n=5, cutoff=0.4) or names[:5]
        nearest = {"near": ", ".join(near)} if near else {"case": "none"}
        raise Stop.of("segment_not_found", segment=wanted, folder=f"{self._files.container}/{self._prefix}", **nearest)

    def _check_model(self, name: str) -> None:
        """Refuse a `model.json` that cannot be read, by its path."""
        if model := self._unreadable.get(name):
            raise Stop.of("model_unreadable", model=_readable(model).path)

    def _is_plain(self, name: str) -> bool:
        folder = f"{self._prefix}{name}/"
        if self._prefix + name in self._found or folder in self._foreign_tables:
            return True
        return any(
            path.startswith(folder) and folders.segment_of(path.removeprefix(self._prefix)) == name
            for path in self._found
        )

    # Files that describe themselves.

    def _plain(self, name: str, reading: Reading) -> tuple[Layout, str, Contents]:
        """Return the layout of a plain segment, its folder with its slash, and its files."""
        path = self._prefix + name
        if file := self._found.get(path):
            folder = path[: path.rfind("/") + 1]
            folders.check_no_table(folder, self._foreign_tables)
            return Layout.FILE, folder, Contents((_readable(file),), ())
        folder = f"{path}/"
        below = [file for path, file in self._found.items() if path.startswith(folder)]
        folders.check_no_table(folder, self._foreign_tables)
        folders.check_finished(folder, [file.path for file in below])
        contents = folders.contents(folder, below, which=reading.which, ignore=reading.ignore)
        for file in contents.data:
            _readable(file)
        if not contents.data:
            _refuse_unreadable(folder, contents)
        partitioned = any(folders.keys_of(file.path.removeprefix(folder)) for file in contents.data)
        return Layout.PARTITIONED_FOLDER if partitioned else Layout.FOLDER, folder, contents

    def _plain_refresh(self, name: str, layout: Layout, folder: str, contents: Contents, reading: Reading) -> Refresh:
        columns: list[Column] = []
        named: set[str] = set()
        spelled: set[str] = set()
        same: dict[str, str] = {}
        alike: dict[tuple[str, ...], tuple[str, ...]] = {}
        partitions: list[Partition] = []
        left_out = list(contents.left_out)
        for number, file in enumerate(contents.data, 1):
            if number % HEARTBEAT_FILES == 0:
                self._heartbeat()
            keys = folders.keys_of(file.path.removeprefix(folder))
            described = _described(self._files, file, keys, reading)
            if described is None:
                left_out.append(LeftOut(file.path, Why.EMPTY))
                continue
            partition, own = described
            here = Counter(column.name.lower() for column in own)
            own = (*own, *(Column(key, "string") for key, _ in keys if key.lower() not in here))
            own = tuple(
                column
                for column in own
                if column.name.lower() not in named or (here[column.name.lower()] > 1 and column.name not in spelled)
            )
            named |= {column.name.lower() for column in own}
            spelled |= {column.name for column in own}
            columns += own
            _check_count(name, columns)
            # Thousands of files have the same thousands of columns.
            read = tuple(same.setdefault(column, column) for column in partition.columns)
            partitions.append(replace(partition, columns=alike.setdefault(read, read)))
        files = contents.data or tuple(self._found[left.path] for left in left_out)
        refreshed_at = max((file.modified for file in files), default=0.0)
        warnings = [*_half_as_large(contents), *_of_left_out(name, left_out)]
        return _refresh(name, layout, refreshed_at, columns, partitions, left_out, warnings)

    # Files that a model.json lists.

    def _table_refresh(self, name: str, table: _Table, reading: Reading) -> Refresh:
        try:
            columns = tuple(
                Column(str(attribute["name"]), str(attribute.get("dataType", "unclassified")))
                for attribute in table.entity["attributes"]
            )
            listed = [Listed.from_model(partition) for partition in table.entity.get("partitions") or ()]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            about = {"model": table.model.path, "table": str(table.entity.get("name"))}
            raise Stop.of("model_unreadable", case="entity", **about) from error
        _check_count(name, columns)
        paths, warnings = self._paths(table, [partition.location for partition in listed])
        for folder in {path[: path.rfind("/") + 1] for path in paths}:
            folders.check_no_table(folder, self._foreign_tables)
        unlisted = [path for path in self._check_complete(table, paths) if not _ignored(path, table, reading)]
        files = [_readable(self._found[path]) for path in paths]
        if reading.marker is None:
            involved = [table.model, *files, *(self._found[path] for path in unlisted)]
            folders.check_quiet(involved, self._at, reading.quiet_s)
        else:
            marker = (files[0].path if files else table.model.path).rpartition("/")[0] + f"/{reading.marker}"
            folders.check_marker(self._found.get(marker), marker, files)
        if unlisted:
            first = {"first": unlisted[0], "file": files[0].path}
            raise Stop.of("segment_mixed", case="unlisted", count=len(unlisted), model=table.model.path, **first)
        partitions = []
        for number, (entry, file) in enumerate(zip(listed, files, strict=True), 1):
            if number % HEARTBEAT_FILES == 0:
                self._heartbeat()
            partition, warning = _as_listed(self._files, table.model, entry, file, columns)
            partitions.append(partition)
            warnings += warning
        times = [entry.refreshed_at for entry in listed if entry.refreshed_at is not None] or [
            file.modified for file in files or [table.model]
        ]
        left_out = self._not_listed(table, paths, reading)
        warnings += _of_left_out(name, left_out)
        return _refresh(name, Layout.MODEL, max(times), columns, partitions, left_out, warnings)

    def _paths(self, table: _Table, locations: Sequence[str | None]) -> tuple[list[str], list[Warned]]:
        """Return the paths of a table's files within the container, and warnings."""
        if locations and None in locations:
            counts = {"count": locations.count(None), "files": len(locations)}
            raise Stop.of("partition_without_location", model=table.model.path, table=table.entity["name"], **counts)
        paths, others = [], set()
        for location in locations:
            container, path = _place(str(location), table)
            if not path.startswith(self._prefix) or not path.isprintable() or {"..", ".", ""} & set(path.split("/")):
                raise Stop.of(
                    "partition_outside", model=table.model.path, folder=f"{self._files.container}/{self._prefix}"
                )
            if container not in (None, self._files.container):
                if path not in self._found:
                    raise _foreign(table, container=container)
                others.add(container)
            paths.append(path)
        return paths, [
            Warned.of("files_of_other_container", model=table.model.path, other=other, container=self._files.container)
            for other in sorted(filter(None, others))
        ]

    def _check_complete(self, table: _Table, paths: list[str]) -> list[str]:
        """Return the unlisted files of the refresh's folder. Raises when the refresh is not complete."""
        missing = [path for path in paths if path not in self._found]
        if missing:
            counts = {"files": len(paths), "missing": len(missing)}
            about = {"model": table.model.path, "first": missing[0]}
            if self._at - table.model.modified > SETTLED_S:
                raise Stop.of("files_missing", **counts, **about)
            raise NotReady.of("refresh_in_flight", case="missing", **counts, **about)
        if len({path.rpartition("/")[0] for path in paths}) > 1 or len(set(paths)) < len(paths):
            raise Stop.of("segment_mixed", model=table.model.path, table=table.entity["name"])
        dated = _DATED.fullmatch(paths[0]) if paths else None
        return self._check_newest(dated, paths) if dated else []

    def _check_newest(self, listed: re.Match[str], paths: list[str]) -> list[str]:
        unlisted, known = [], set(paths)
        for path in self._found:
            found = _DATED.fullmatch(path) if path.startswith(listed["table"]) else None
            if found is None or found["table"] != listed["table"]:
                continue
            if found["refresh"] > listed["refresh"]:
                newest = f"{found['table']}{found['refresh']}"
                raise NotReady.of("refresh_in_flight", case="newer", newest=newest, listed=listed["refresh"])
            of_data = folders.is_data(path.removeprefix(self._prefix))
            if found["refresh"] == listed["refresh"] and path not in known and of_data:
                unlisted.append(path)
        return unlisted

    def _not_listed(self, table: _Table, paths: list[str], reading: Reading) -> list[LeftOut]:
        """Return the data beside a table's files that belongs to no table."""
        beside = {path.rpartition("/")[0] for path in paths}
        if not beside:
            return []
        listed = self._listed[table.root]
        return [
            LeftOut(path, Why.IGNORED if _ignored(path, table, reading) else Why.UNLISTED)
            for path in self._found
            if path.rpartition("/")[0] in beside
            and path not in listed
            and folders.segment_of(path.removeprefix(self._prefix))
        ]


def _paths_listed(table: _Table) -> Iterable[str]:
    """Yield the paths of a table's files, as far as they can be told."""
    partitions = table.entity.get("partitions")
    for entry in partitions if isinstance(partitions, list) else ():
        with contextlib.suppress(Stop):
            yield _place(str(entry.get("location")) if isinstance(entry, dict) else "", table)[1]


_FOREIGN = re.compile(r"(?!https?:|abfss?:|wasbs?:)[A-Za-z][A-Za-z0-9+.-]*:")


def _place(location: str, table: _Table) -> tuple[str | None, str]:
    """Return the container of a location, None if it is that of model.json, and the path within.

    Its host is not looked at, so that a copy of an account can be read. Raises `Stop` ("partition_foreign").
    """
    if foreign := _FOREIGN.match(location):
        raise _foreign(table, case="scheme", scheme=foreign[0].removesuffix(":"))
    try:
        url = urlsplit(location)
    except ValueError:
        raise _foreign(table, case="no_url") from None
    path = unquote(url.path)
    if not url.scheme:
        return None, table.root + path
    if "@" in url.netloc:  # abfss://<container>@<account>.dfs.core.windows.net/<path>
        return url.netloc.partition("@")[0], path.lstrip("/")
    container, _, rest = path.lstrip("/").partition("/")
    return container, rest


def _foreign(table: _Table, **where: str) -> Stop:
    return Stop.of("partition_foreign", model=table.model.path, table=table.entity["name"], **where)


def _ignored(path: str, table: _Table, reading: Reading) -> bool:
    return folders.is_ignored(table.root, path, reading.ignore)


def _as_listed(
    files: SegmentFiles, model: SegmentFile, entry: Listed, file: SegmentFile, columns: Sequence[Column]
) -> tuple[Partition, list[Warned]]:
    """Return how to read a file of a table, and warnings: most of all of a header that model.json does not mention."""
    if codec_of(entry.encoding) is None:
        about = {"model": model.path, "file": file.path}
        raise Stop.of("model_unreadable", case="encoding", encoding=str(entry.encoding), **about)
    head = read_head(files, file, delimiter=entry.delimiter, quoted=entry.quoted, encoding=entry.encoding)
    if _is_parquet(file, head):
        return _parquet(files, file, ())[0], []
    if head.format not in (Format.CSV, Format.EMPTY):
        raise refuse_format(file, head)
    names = tuple(column.name for column in columns)
    partition = replace(_csv(file, head, names), has_header=False)
    if names and sorted(map(str.lower, head.names)) == sorted(map(str.lower, names)):
        warnings = [] if entry.has_header else [Warned.of("header_not_announced", file=file.path)]
        return replace(partition, has_header=True, columns=head.names), warnings
    if entry.has_header and head.format is Format.CSV:
        # What was found is not shown: it may be personal data.
        raise Stop.of("header_differs", file=file.path, columns=len(names))
    return partition, []


def _described(
    files: SegmentFiles, file: SegmentFile, keys: tuple[tuple[str, str], ...], reading: Reading
) -> tuple[Partition, tuple[Column, ...]] | None:
    """Return how to read a file that describes itself, and its columns; None if it holds nothing."""
    if reading.encoding is not None and codec_of(reading.encoding) is None:
        raise Stop.of("encoding_unknown", encoding=reading.encoding)
    head = read_head(files, file, encoding=reading.encoding)
    if _is_parquet(file, head):
        partition, columns = _parquet(files, file, keys)
        if holds_address(partition.columns):
            # What was found is not shown: it is personal data.
            raise Stop.of("header_missing", case="parquet", file=file.path)
        return partition, columns
    if head.format is Format.EMPTY:
        return None
    if head.format is not Format.CSV:
        raise refuse_format(file, head)
    if not is_header(head.names, reading.known):
        # What was found is not shown: without a header it is personal data.
        raise Stop.of("header_missing", file=file.path)
    return _csv(file, head, head.names, keys), tuple(Column(name, "string") for name in head.names)


def _is_parquet(file: SegmentFile, head: Head) -> bool:
    """Whether to read a file as Parquet: by its bytes or, so that a damaged one is called that, by its name."""
    unclear = head.format in (Format.CSV, Format.EMPTY, Format.BINARY)
    return head.format is Format.PARQUET or (unclear and folders.is_named_parquet(file.path))


def _csv(file: SegmentFile, head: Head, names: tuple[str, ...], keys: tuple[tuple[str, str], ...] = ()) -> Partition:
    return Partition(
        file,
        "csv",
        names,
        keys,
        delimiter=head.delimiter,
        encoding=head.encoding,
        has_header=True,
        separator_line=head.separator_line,
        quoted=head.quoted,
        looks_like=head.looks_like,
    )


def _parquet(
    files: SegmentFiles, file: SegmentFile, keys: tuple[tuple[str, str], ...]
) -> tuple[Partition, tuple[Column, ...]]:
    columns = parquet_columns(files, file)
    return Partition(file, "parquet", tuple(column.name for column in columns), keys), columns


def _check_count(name: str, columns: Sequence[Column]) -> None:
    if len(columns) > MAX_COLUMNS:
        raise Stop.of("too_many_columns", segment=name, columns=len(columns), mostColumns=MAX_COLUMNS)


def _refresh(
    name: str,
    layout: Layout,
    refreshed_at: float,
    columns: Sequence[Column],
    partitions: Sequence[Partition],
    left_out: Sequence[LeftOut],
    warnings: Sequence[Warned],
) -> Refresh:
    fingerprint = hashlib.sha256()
    for file in sorted((partition.file for partition in partitions), key=lambda file: file.path):
        fingerprint.update(orjson.dumps([file.path, file.etag, file.size_bytes]))
    return Refresh(
        name,
        refreshed_at,
        tuple(columns),
        tuple(partitions),
        fingerprint.hexdigest(),
        layout,
        tuple(left_out),
        tuple(warnings),
    )


def folder_of(prefix: str) -> str:
    """Return the folder below which segments are, with its slash; empty for the whole container."""
    return f"{prefix.strip('/')}/".removeprefix("/")


def moved(files: SegmentFiles, marks: Mapping[str, str], whole: Callable[[], Sequence[SegmentFile]] | None) -> bool:
    """Return whether anything of `marks` was written, added or removed since `Segments.mark` returned it.

    One request for each: the properties of a `model.json` or of a file, or the listing of a folder. `whole`: returns
    all files below the prefix, if that is one request for all folders together. Raises `Unavailable`.
    """
    return any(mark != _mark_of(files, path, whole) for path, mark in marks.items())


def _mark_of(files: SegmentFiles, path: str, whole: Callable[[], Sequence[SegmentFile]] | None) -> str | None:
    if not path.endswith("/"):
        return files.etag(path)
    listed = whole() if whole else files.list(path).files
    return _digest(file for file in listed if file.path.startswith(path))


def _digest(files: Iterable[SegmentFile]) -> str:
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.path):
        digest.update(orjson.dumps([file.path, file.etag]))
    return digest.hexdigest()


def _info(refresh: Refresh, files: Sequence[SegmentFile]) -> SegmentInfo:
    size_bytes = sum(file.size_bytes for file in files)
    return SegmentInfo(refresh.segment, refresh.layout, refresh.refreshed_at, len(files), size_bytes, refresh.columns)


def _readable(file: SegmentFile) -> SegmentFile:
    if file.archived:
        raise Stop.of("file_archived", file=file.path)
    return file


def _refuse_unreadable(folder: str, contents: Contents) -> None:
    """Refuse a folder that holds files of which none is read, unless the newest are empty."""
    unread = [left for left in contents.left_out if left.why not in (Why.EMPTY, Why.OLDER)]
    if unread:
        first = {"file": unread[0].path, "why": unread[0].why.value}
        raise Stop.of("format_unsupported", case="folder", folder=folder, files=len(unread), **first)


def _of_encodings(partitions: Sequence[Partition]) -> Iterable[Warned]:
    foreign = [partition for partition in partitions if partition.looks_like]
    for partition in foreign[:1]:
        about = {"first": partition.file.path, "encoding": str(partition.looks_like)}
        yield Warned.of("files_not_utf8", files=len(foreign), **about)


def _half_as_large(contents: Contents) -> Iterable[Warned]:
    size_bytes, before_bytes = (sum(file.size_bytes for file in group) for group in (contents.data, contents.before))
    if 2 * size_bytes < before_bytes:
        newest = {"newest": contents.data[0].path} if contents.data else {"case": "empty"}
        yield Warned.of("newest_is_smaller", before=contents.before[0].path, **newest)


def _of_left_out(name: str, left_out: Sequence[LeftOut]) -> Iterable[Warned]:
    by_reason: dict[Why, list[str]] = defaultdict(list)
    for left in left_out:
        by_reason[left.why].append(left.path)
    for why, paths in by_reason.items():
        if why.warns:
            yield Warned.of("files_not_read", case=why.value, segment=name, files=len(paths), first=paths[0])
        elif why is not Why.EMPTY:
            yield Warned.of("files_left_out", segment=name, files=len(paths), why=why.value, first=paths[0])


STALE_S = 8 * 86_400.0
"""Customer Insights refreshes scheduled segments at least weekly, so an older refresh deserves a warning."""


def stale(refreshes: Sequence[Refresh], now: float) -> list[Warned]:
    """Return a warning for each refresh that is old."""
    return [
        Warned.of("refresh_old", segment=r.segment, days=round((now - r.refreshed_at) / 86_400))
        for r in refreshes
        if now - r.refreshed_at > STALE_S
    ]
