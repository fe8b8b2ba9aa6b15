"""What a run sends has a name: the same exactly when the data, the way it is mapped and the place are."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.definitions.exports import (
    CompleteWhen,
    ConsentColumn,
    DataMatching,
    Export,
    FieldMatch,
    WhenEmpty,
    Winner,
)
from exporter.definitions.schedules import WithEveryRefresh
from exporter.errors import NotReady
from exporter.pipeline.sources import fingerprint, identity, refreshes_of
from tests.builders import HOST, make_export, people, write_segment
from tests.fakes import Fakes, make_fakes

MATCHING = DataMatching(email="EMail", first_name="FirstName", last_name="LastName", phone="Telephone")
"""That of `make_export`."""


@pytest.fixture
def fakes() -> Fakes:
    fakes = make_fakes()
    write_segment(fakes, people(3), name="a")
    write_segment(fakes, people(4), name="b")
    return fakes


def name_of(fakes: Fakes, host: str = HOST, **changes: Any) -> str:
    export: Export = make_export(fakes, **({"segments": ("a", "b")} | changes))
    return identity(host, export, fingerprint(refreshes_of(fakes.services, export)))


@pytest.mark.parametrize(
    "changes",
    [{}, {"display_name": "Other"}, {"schedule": WithEveryRefresh()}, {"max_contacts": 5}, {"skip_unchanged": False}],
)
def test_what_does_not_change_what_is_sent_does_not_change_the_name(fakes: Fakes, changes: dict[str, Any]) -> None:
    assert name_of(fakes, **changes) == name_of(fakes)


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "other.api-us1.com"},
        {"list_id": 2},
        {"segments": ("a",)},
        {"run_automations": True},
        {"data_matching": DataMatching(email="EMail")},
        {"consent_column": ConsentColumn(column="FirstName", value="yes")},
        {"encoding": "windows-1252"},
        {"data_matching": MATCHING.model_copy(update={"winner": Winner(column="FirstName")})},
        {"data_matching": MATCHING.model_copy(update={"winner": Winner(column="LastName")})},
        {"data_matching": MATCHING.model_copy(update={"fill_empty": True})},
        {"consent_column": ConsentColumn(column="FirstName", condition="isNot", value="yes")},
        {"consent_column": ConsentColumn(column="FirstName", condition="isEmpty")},
    ],
)
def test_what_changes_what_is_sent_changes_the_name(fakes: Fakes, changes: dict[str, Any]) -> None:
    assert name_of(fakes, **changes) != name_of(fakes)


def test_each_rule_for_rows_of_one_address_has_a_name_of_its_own(fakes: Fakes) -> None:
    matchings = [
        MATCHING.model_copy(update={"winner": winner, "fill_empty": fill_empty})
        for winner in (None, Winner(column="FirstName"), Winner(column="LastName"))
        for fill_empty in (False, True)
    ]
    consents = [None, ConsentColumn(column="FirstName", condition="isEmpty")]
    consents += [ConsentColumn(column="FirstName", condition=way, value="x") for way in ("equals", "isNot")]
    names = {name_of(fakes, data_matching=m, consent_column=c) for m in matchings for c in consents}
    assert len(names) == 6 * 4


def test_whatever_an_export_says_of_values_has_a_name_of_its_own(fakes: Fakes) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"date_order": "dmy"},
        {"decimal_mark": ","},
        {"separator": ","},
        {"yes": ("1",)},
        {"on_bad_value": "rejectRow"},
        {"when_empty": WhenEmpty(text="x")},
    ]
    fields = [FieldMatch(column="FirstName", field="7", **change) for change in changes]
    matchings = [MATCHING.model_copy(update={"fields": (field,)}) for field in fields]
    matchings += [
        MATCHING.model_copy(update=change) for change in ({"time_zone": "Asia/Jakarta"}, {"no_value_texts": False})
    ]
    assert len({name_of(fakes, data_matching=matching) for matching in matchings}) == len(matchings)
    assert name_of(fakes, data_matching=matchings[0]).endswith(
        '"phone":"Telephone","fields":[{"column":"FirstName","field":"7"}]},"run_automations":false,"consent_column":null}'
    )


def test_an_export_without_such_rules_has_the_name_that_earlier_releases_gave_it(fakes: Fakes) -> None:
    consent = ConsentColumn(column="FirstName", value="yes")
    name = name_of(fakes, consent_column=consent)
    assert name.endswith('"run_automations":false,"consent_column":{"column":"FirstName","value":"yes"}}')
    assert not {word for word in ("winner", "fill", "condition", "equals") if word in name.lower()}


def test_an_export_of_several_segments_starts_when_none_has_changed_for_the_quiet_time() -> None:
    fakes = make_fakes(SEGMENT_QUIET_S="300")
    export = make_export(fakes, segments=("a", "b"))
    write_segment(fakes, people(3), name="a")
    fakes.clock.sleep(200)
    write_segment(fakes, people(3), name="b")
    fakes.clock.sleep(200)  # the first has been quiet for long enough, the second has not
    with pytest.raises(NotReady) as caught:
        refreshes_of(fakes.services, export)
    assert caught.value.retry_after_s == 100
    assert len(refreshes_of(fakes.services, export, settled=False)) == 2
    fakes.clock.sleep(100)
    assert [refresh.segment for refresh in refreshes_of(fakes.services, export)] == ["a", "b"]


def test_an_export_may_say_itself_when_its_segments_are_complete() -> None:
    fakes = make_fakes(SEGMENT_QUIET_S="300")
    write_segment(fakes, people(3), name="a")
    marked = make_export(fakes, segments=("a",), complete_when=CompleteWhen(marker="_DONE"))
    with pytest.raises(NotReady):
        refreshes_of(fakes.services, marked)
    fakes.segments.write("a/_DONE", b"")
    assert refreshes_of(fakes.services, marked)
    patient = make_export(fakes, segments=("a",), complete_when=CompleteWhen(minutes=10))
    fakes.clock.sleep(599)
    with pytest.raises(NotReady):
        refreshes_of(fakes.services, patient)
    fakes.clock.sleep(1)
    assert refreshes_of(fakes.services, patient)


def test_how_an_export_has_its_files_read_is_its_own_word(fakes: Fakes) -> None:
    fakes.segments.write("a/b.csv.zip", b"x")
    for day in (25, 26):
        fakes.segments.write(f"a/Seg_202611{day}.csv", "Email,\u00dc\np@example.com,x\n".encode("cp1252"))
    reading = {"files": "newest", "ignore": ("*.zip", "a_1.csv"), "encoding": "windows-1252"}
    (refresh,) = refreshes_of(fakes.services, make_export(fakes, segments=("a",), **reading))
    (partition,) = refresh.partitions
    assert (partition.file.path, partition.encoding) == ("a/Seg_20261126.csv", "windows-1252")
    assert not any(left.why.warns for left in refresh.left_out)


def test_files_that_were_written_again_are_other_data(fakes: Fakes) -> None:
    before = name_of(fakes)
    write_segment(fakes, people(3), name="a")
    assert name_of(fakes) != before


def test_a_sign_of_life_comes_while_thousands_of_files_are_looked_into() -> None:
    fakes = make_fakes()
    for number in range(600):
        fakes.segments.write(f"many/{number}.csv", b"EMail\n")
    beats: list[int] = []
    refreshes_of(fakes.services, make_export(fakes, segments=("many",)), heartbeat=lambda: beats.append(1))
    assert len(beats) == 2
