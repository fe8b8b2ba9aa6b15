"""What a folder holds, by names and sizes alone."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import NotReady, Stop
from exporter.source import folders
from exporter.source.files import SegmentFile
from exporter.source.folders import Contents, Why, contents, keys_of, segment_of


def files(*names: str, size_bytes: int = 9) -> list[SegmentFile]:
    """Return files below `list/`, each written a second after the one before."""
    return [SegmentFile(f"list/{name}", size_bytes, name, float(second)) for second, name in enumerate(names)]


def read(*names: str, **choice: Any) -> list[str]:
    return [file.path.removeprefix("list/") for file in contents("list/", files(*names), **choice).data]


def left_out(*names: str, **choice: Any) -> dict[str, Why]:
    found = contents("list/", files(*names), **choice).left_out
    return {left.path.removeprefix("list/"): left.why for left in found}


# What is read, and what is not.


@pytest.mark.parametrize(
    "name",
    ["a.csv", "A.CSV", "a.tsv", "a.tab", "a.txt", "a.csv.gz", "part-00000", "part-00000.gz", "a.parquet",
     "b.c000.snappy.parquet", "manifest.csv", "model.json.csv", "a.md5.csv"],
)  # fmt: skip
def test_a_file_that_may_be_read_by_its_name_is_data(name: str) -> None:
    assert (read(name), left_out(name)) == ([name], {})


@pytest.mark.parametrize("name", ["a.csv.zip", "a.xlsx", "notes.pdf", "a.json", "a.orc", "part-0.snappy", "a.csv.bak"])
def test_any_other_file_is_named(name: str) -> None:
    assert left_out("a.csv", name) == {name: Why.OTHER_FORMAT}
    assert read("a.csv", name) == ["a.csv"]


@pytest.mark.parametrize(
    "name",
    ["_SUCCESS", ".part-0.crc", "a.csv.md5", "A.CSV.MD5", "_committed_1", "manifest.json", "default.manifest.cdm.json",
     folders.MODEL, "_metadata/a.csv", ".Trash/a.csv", "country=FR/_SUCCESS"],
)  # fmt: skip
def test_what_writers_leave_beside_the_data_passes_without_a_word(name: str) -> None:
    assert (read("a.csv", name), left_out("a.csv", name)) == (["a.csv"], {})


def test_files_in_folders_of_partitions_are_read_and_those_in_other_folders_are_named() -> None:
    names = ("a.csv", "country=FR/b.csv", "country=FR/day=1/c.csv", "_private=1/e.csv", "old/d.csv")
    assert set(read(*names)) == set(names) - {"old/d.csv"}
    assert left_out(*names) == {"old/d.csv": Why.SUBFOLDER}


def test_an_empty_file_of_text_is_a_part_without_rows_and_an_empty_parquet_file_is_damage() -> None:
    empty = files("a.csv", "b.parquet", "c.parq", "d.PQ", size_bytes=0)
    found = contents("list/", empty)
    assert [file.path for file in found.data] == ["list/d.PQ", "list/c.parq", "list/b.parquet"]
    assert [(left.path, left.why) for left in found.left_out] == [("list/a.csv", Why.EMPTY)]


def test_what_an_export_ignores_is_left_out_by_its_word() -> None:
    names = ("a.csv", "old.csv", "notes.pdf", "old/b.csv", "country=FR/day=1/old.csv")
    ignored = left_out(*names, ignore=("old.*", "*.pdf", "old/*"))
    assert left_out("Old.CSV", "o.csv", ignore=("old.*",)) == {"Old.CSV": Why.IGNORED}
    assert left_out("a [1].csv", "a 1.csv", ignore=("a [1].csv",)) == {"a [1].csv": Why.IGNORED}
    assert left_out("a/b.csv", ignore=("list/a/b.csv",)) == {"a/b.csv": Why.IGNORED}  # as warnings show it
    assert left_out("Old [1].csv", ignore=("Old [1].csv",)) == {"Old [1].csv": Why.IGNORED}
    assert ignored == dict.fromkeys(("old.csv", "notes.pdf", "old/b.csv", "country=FR/day=1/old.csv"), Why.IGNORED)


def test_why_a_file_is_not_read_equals_its_code() -> None:
    assert [*Why] == ["empty", "ignored", "older", "otherFormat", "subfolder", "unlisted"]
    assert [str(why) for why in Why] == [why.value for why in Why]
    assert Why.EMPTY.words == "empty"


def test_only_what_nobody_asked_for_keeps_a_run_from_being_successful() -> None:
    assert {why for why in Why if why.warns} == {Why.OTHER_FORMAT, Why.SUBFOLDER, Why.UNLISTED}


# One data set, or one file a run.


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("Seg_20261125.csv", "Seg_20261126.csv"),
        ("Seg 2026-11-25.csv", "Seg 2026-11-26.csv"),
        ("Seg_2026_11_25.csv.gz", "Seg_2026_11_26.csv.gz"),
        ("20261125T0415Z_Seg.csv", "20261125T1615Z_Seg.csv"),
        ("Seg_2026-11-25 04-15-00.csv", "Seg_2026-11-25 04-15-01.csv"),
        ("Demo_Churn_1613059542.csv", "Demo_Churn_1613145942.csv"),
        ("Seg_1613059542000.csv", "Seg_1613145942000.csv"),
        ("Seg_30.11.2026.csv", "Seg_01.12.2026.csv"),
        ("Seg_2026-11.csv", "Seg_2026-12.csv"),
        ("day=2026-11-25/part-0.csv", "day=2026-11-26/part-0.csv"),
        ("day=2026-11-25/part-0-5f1c.csv", "day=2026-11-26/part-0-90ab.csv"),  # as Spark names them
        ("year=2026/month=9/day=30/a.csv", "year=2026/month=10/day=1/b.csv"),
        ("Year=2026/Month=09/a.csv", "Year=2026/Month=10/a.csv"),
        ("day=2026-11-26/Seg_20261126_0415.csv", "day=2026-11-26/Seg_20261126_1615.csv"),
        ("Seg_2026-W52.csv", "Seg_2027-W01.csv"),
        ("2026w47.csv", "2026w48.csv"),
        ("Seg_05.11.2026 04-15.csv", "Seg_05.11.2026 16-15.csv"),
        ("Seg_05.11.2026 16-15.csv", "Seg_06.11.2026 04-15.csv"),
        # However a date is written, and whatever is written of it.
        ("Seg_2026_11_25.csv", "Seg_2026-11-26.csv"),
        ("Seg_2026-11-25.csv", "Seg_20261126.csv"),
        ("Seg_20261125_of_20261101.csv", "Seg_202611250415_of_20261101.csv"),
    ],
)
def test_files_whose_names_differ_only_in_a_date_are_not_guessed_about(older: str, newer: str) -> None:
    for names in ((older, newer), (newer, older)):  # whichever was written last
        with pytest.raises(Stop, match="differ only in a date or time") as caught:
            contents("list/", files(*names))
        assert caught.value.code == "files_ambiguous"
        assert "2 files below list/ have" in caught.value.message
        assert f"newest: list/{newer}, oldest: list/{older}" in caught.value.message
        assert read(*names, which="newest") == [newer]
        assert left_out(*names, which="newest") == {older: Why.OLDER}
        assert read(*names, which="all") == [newer, older]
    assert read(newer) == [newer]


@pytest.mark.parametrize(
    "names",
    [
        ("part-00000.csv", "part-00001.csv"),
        ("people.csv", "more.csv"),
        ("Seg_1.csv", "Seg_2.csv"),
        ("A_20261125.csv", "B_20261126.csv"),
        ("B_20261126.csv", "A_20261125.csv"),
        ("A_20261125.csv", "B_20261125.csv"),
        ("Seg_99999999.csv", "Seg_20261399.csv"),  # no dates
        ("part-0-tid-1613059542123456789.csv", "part-0-tid-1613059542123456790.csv"),
    ],
)
def test_other_names_belong_together_and_the_newest_file_comes_first(names: tuple[str, ...]) -> None:
    assert read(*names) == [*reversed(names)]


@pytest.mark.parametrize(
    "names",
    [
        ("at_20261125.csv", "de_20261125.csv", "de_20261126.csv"),
        ("people_20261125.csv", "people_20261126.csv", "vip.csv"),
        ("country=AT/day=2026-11-25/0.csv", "country=DE/day=2026-11-25/0.csv", "country=DE/day=2026-11-26/0.csv"),
        ("people.csv", "more.csv"),
    ],
)
def test_the_newest_of_one_kind_of_names_is_not_taken_for_all(names: tuple[str, ...]) -> None:
    with pytest.raises(Stop, match="below list/ to be of every kind of names") as caught:
        contents("list/", files(*names), which="newest")
    assert caught.value.code == "files_ambiguous"


@pytest.mark.parametrize(
    "names",
    [
        ("Seg_1.csv", "Seg_2.csv"),
        tuple(f"part-{n}-1a2b3c4{x}-0000-4abc-8def-0123456789{x}b" for n, x in ((1, "d"), (2, "e"))),
    ],
)
def test_without_dates_the_newest_is_the_last_unless_they_look_like_parts(names: tuple[str, str]) -> None:
    first, second = (SegmentFile(f"list/{name}", 9, "e", at) for name, at in zip(names, (900.0, 1200.0), strict=True))
    assert contents("list/", [first, second], which="newest").data == (second,)
    with pytest.raises(Stop, match="written within 300 seconds") as caught:
        contents("list/", [first, replace(second, modified=1199.9)], which="newest")
    assert caught.value.code == "files_ambiguous"


@pytest.mark.parametrize(
    "names",
    [
        ("26-11-2026.csv", "27-11-2026.csv"),
        ("11_26_2026.csv", "01_02_2027.csv"),
        ("26-11-2026 04.15.csv", "27-11-2026 04.15.csv"),
    ],
)
def test_dates_that_begin_with_day_or_month_are_seen_and_not_put_in_order(names: tuple[str, str]) -> None:
    for which, found in ((None, "differ only in a date"), ("newest", "cannot be told")):
        with pytest.raises(Stop, match=found) as caught:
            contents("list/", files(*names), which=which)  # type: ignore[arg-type]  # one of its values
        assert caught.value.code == "files_ambiguous"
    assert len(read(*names, which="all")) == 2


def test_all_parts_of_the_newest_date_are_the_newest() -> None:
    names = [f"Seg_{day}_{part}.csv" for day in ("20261125", "20261126") for part in (1, 2)]
    assert sorted(read(*names, which="newest")) == names[2:]
    found = contents("list/", files(*names), which="newest")
    assert sorted(file.path for file in found.before) == [f"list/{name}" for name in names[:2]]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (["Seg_20261125_1.csv"], ["Seg_20261126_1.csv", "Seg_20261126_2.csv"]),
        (["Seg_20261125_1.csv", "Seg_20261125_2.csv"], ["Seg_20261126_1.csv"]),
        (["day=2026-11-25/part-0-5f1c.csv"], ["day=2026-11-26/part-0-90ab.csv", "day=2026-11-26/part-1-90ab.csv"]),
        (["day=2026-11-25/c=DE/a.csv"], ["day=2026-11-26/c=DE/a.csv", "day=2026-11-26/c=FR/a.csv"]),
        (["c=DE/Seg_20261125.csv"], ["c=DE/Seg_20261126.csv", "c=FR/Seg_20261126.csv"]),
        (["day=2026-11-25/a_20261125.csv"], ["day=2026-11-26/a_20261126.csv", "day=2026-11-26/b.csv"]),
    ],
)
def test_the_newest_date_may_have_more_parts_than_others(older: list[str], newer: list[str]) -> None:
    assert sorted(read(*newer, *older, which="newest")) == newer
    assert left_out(*newer, *older, which="newest") == dict.fromkeys(older, Why.OLDER)


def test_an_empty_file_has_the_date_of_its_name() -> None:
    full, empty = files("Seg_20261125.csv")[0], SegmentFile("list/Seg_20261126.csv", 0, "e", 7.0)
    with pytest.raises(Stop, match="differ only in a date or time"):
        contents("list/", [full, empty])
    found = contents("list/", [full, empty], which="newest")
    assert (found.data, found.before) == ((), (full,))
    assert [left.why for left in found.left_out] == [Why.OLDER, Why.EMPTY]


def test_an_empty_file_without_a_date_is_not_the_newest() -> None:
    full, mark = files("a.csv")[0], SegmentFile("list/DONE", 0, "e", 7.0)
    assert contents("list/", [full, mark], which="newest").data == (full,)


def test_nothing_is_before_files_of_which_all_are_read() -> None:
    assert contents("list/", files("a.csv", "b.csv")).before == Contents((), ()).before == ()


def test_files_of_one_moment_are_in_the_order_of_their_names() -> None:
    alike = [SegmentFile(f"list/{name}.csv", 1, "e", 7.0) for name in "bca"]
    assert [file.path for file in contents("list/", alike).data] == ["list/a.csv", "list/b.csv", "list/c.csv"]


# Keys and names.


def test_the_folders_of_partitions_are_columns() -> None:
    assert keys_of("country=FR/city=S%C3%A8te/a.csv") == (("country", "FR"), ("city", "S\u00e8te"))
    assert keys_of("country=__HIVE_DEFAULT_PARTITION__/a=b.csv") == (("country", ""),)
    assert keys_of("a=b.csv") == ()


@pytest.mark.parametrize(
    ("path", "segment"),
    [
        ("people.csv", "people.csv"),
        ("people/a.csv", "people"),
        ("lake/people/a.parquet", "lake/people"),
        ("people/country=FR/day=1/a.csv", "people"),
        ("people/a.csv.zip", "people"),
        ("people/a.XLSX", "people"),
        ("people/a.zip.old", None),
        ("people/_temporary/0/task/part-0", "people"),
        ("people/country=FR/_started_1", "people"),
        ("people/_SUCCESS", None),
        ("people/a.md", None),
        ("_SUCCESS", None),
        ("_temporary/0/part-0", None),
        ("country=FR/a.csv", "country=FR/a.csv"),
    ],
)
def test_a_file_belongs_to_the_folder_above_its_partitions(path: str, segment: str | None) -> None:
    assert segment_of(path) == segment


def test_what_may_be_read_is_data_by_its_name_unless_it_is_a_companion() -> None:
    paths = ["a.csv", "b/a", "b.d/a", "b/c/part-0", "a.zip", "b/a.csvx", "_b/a.csv", "b/_SUCCESS"]
    assert [path for path in paths if folders.is_data(path)] == paths[:4]


# What is no plain folder, or not complete.


@pytest.mark.parametrize(
    ("sign", "kind"),
    [
        ("lake/people/_delta_log/00000000000000000000.json", "Delta Lake"),
        ("lake/people/.hoodie/hoodie.properties", "Apache Hudi"),
        ("lake/people/metadata/00001-1a2b.metadata.json", "Apache Iceberg"),
        ("lake/people/metadata/v1.metadata.json.gz", "Apache Iceberg"),
    ],
)
def test_the_folder_of_a_table_format_is_refused_by_name(sign: str, kind: str) -> None:
    roots = folders.tables([sign, "lake/other/a.csv", "lake/other/metadata/notes.json"])
    assert roots == {"lake/people/": kind}
    for folder in ("lake/people/", "lake/people/country=FR/", "lake/people/data/"):
        with pytest.raises(Stop, match=f"lake/people/ is a table of {kind}:") as caught:
            folders.check_no_table(folder, roots)
        assert caught.value.code == "table_format"
    for folder in ("lake/", "lake/other/", "lake/people2/"):
        folders.check_no_table(folder, roots)


def test_a_folder_whose_partition_is_a_table_is_refused() -> None:
    roots = folders.tables(["lake/people/country=FR/_delta_log/0.json", "a\nb/_delta_log/0.json"])
    for folder in ("lake/people/", "a\nb/"):
        with pytest.raises(Stop, match="is a table of Delta Lake"):
            folders.check_no_table(folder, roots)
    folders.check_no_table("lake/", roots)
    folders.check_no_table(
        "lake/people/", folders.tables(["country=FR/_delta_log/0", "lake/people/a=1/b/_delta_log/0"])
    )


@pytest.mark.parametrize(
    "left",
    [["_temporary/0/part-0"], ["_temporary"], ["_started_1"], ["_started_1", "_started_2", "_committed_2"],
     ["day=1/_started_1", "_committed_1"]],
)  # fmt: skip
def test_a_job_that_has_not_ended_is_waited_for(left: Sequence[str]) -> None:
    with pytest.raises(NotReady, match="A job is writing below list/") as caught:
        folders.check_finished("list/", ["list/a.csv", *(f"list/{name}" for name in left)])
    assert caught.value.code == "refresh_in_flight"
    assert f"it has left list/{left[0]} and not ended" in caught.value.message


@pytest.mark.parametrize("job", ["", "day=1/", "country=FR/day=1/"])
def test_a_job_that_has_ended_is_not_waited_for(job: str) -> None:
    left = [f"list/{job}_started_1", f"list/{job}_committed_1"]
    folders.check_finished("list/", [*left, "list/_SUCCESS", "list/a.csv"])


def test_only_what_is_below_a_folder_tells_of_a_job_there() -> None:
    folders.check_finished("_temporary/list/", ["_temporary/list/a.csv"])


def test_files_are_left_alone_for_the_quiet_time() -> None:
    two = files("a.csv", "b.csv")  # written at 0 and 1
    folders.check_quiet(two, 301.0, 300.0)
    with pytest.raises(NotReady, match="within the last 300 seconds") as caught:
        folders.check_quiet(two, 300.5, 300.0)
    assert (caught.value.code, caught.value.retry_after_s) == ("refresh_in_flight", 0.5)
    folders.check_quiet([], 300.0, 300.0)


def test_a_marker_completes_the_files_that_are_not_newer() -> None:
    early, late = files("a.csv", "_DONE")
    folders.check_marker(late, late.path, [early])
    folders.check_marker(early, early.path, [early])
    folders.check_marker(early, early.path, [])
    for marker, found in ((None, "there is none"), (early, "list/_DONE is newer")):
        with pytest.raises(NotReady, match=found) as caught:
            folders.check_marker(marker, "list/a.csv", [early, late])
        assert caught.value.code == "refresh_in_flight"


@given(
    st.lists(st.from_regex(r"\A(?:[a-z_.=/]|2026112[56]|\.csv){1,9}\Z"), unique=True),
    st.sampled_from(["all", "newest"]),
)
def test_every_file_is_read_left_out_or_a_companion(names: list[str], which: Any) -> None:
    found = None
    with contextlib.suppress(Stop):  # the newest cannot be told
        found = contents("list/", files(*names), which=which)
    if found is None:
        assert which == "newest"
        return
    told = [file.path for file in found.data] + [left.path for left in found.left_out]
    assert len(told) == len(set(told))
    silent = {f"list/{name}" for name in names} - set(told)
    assert all(any(part.startswith(("_", ".")) for part in path.removeprefix("list/").split("/")) for path in silent)
