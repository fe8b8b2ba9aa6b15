"""What an export is told about its segment before it is saved: by the first rows, whatever else they hold."""

from __future__ import annotations

from typing import BinaryIO

import pytest

from exporter.contacts.matching import Consent, Mapping
from exporter.errors import NotReady, Stop
from exporter.queries.fit import FIRST_ROWS, check_fit
from exporter.queries.reading import look
from exporter.source.files import SegmentFile
from tests.fakes import Fakes, make_fakes
from tests.planning import Row, csv_file

NOBODY = ("nobody", "Ada", "")
COLUMNS = ("EMail", "FirstName", "OptIn")
MAPPING = Mapping("EMail", first_name="FirstName", consent=Consent("OptIn", "yes"))


@pytest.fixture
def fakes() -> Fakes:
    return make_fakes()


def fit(fakes: Fakes, *parts: list[Row], mapping: Mapping = MAPPING) -> None:
    for number, rows in enumerate(parts):
        fakes.segments.write(f"people/{number}.csv", csv_file(rows, COLUMNS))
    check_fit(fakes.services, look(fakes.services, "people"), mapping)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("ada@example.com", "Ada", "yes")],
        [NOBODY, NOBODY, ("ada@example.com", "Ada", "yes")],
        [("ada@example.com", "Ada", "no")],
        [("ada@example.com", "\x01", "yes")],
        [*[NOBODY] * (FIRST_ROWS - 1), (" ada@example.com ", "Ada", "yes")],
    ],
    ids=["no rows", "one", "not the first", "no consent", "a value that cannot be sent", "the last one looked at"],
)
def test_one_address_among_the_first_rows_is_enough(fakes: Fakes, rows: list[Row]) -> None:
    fit(fakes, rows)


def test_what_the_rows_have_instead_of_addresses_is_counted_and_not_shown(fakes: Fakes) -> None:
    with pytest.raises(Stop) as caught:
        fit(fakes, [NOBODY, ("", "Ada", "yes"), ("nobody", "Eve", "yes"), ("too", "few")])
    assert caught.value.code == "mapping_fits_no_row"
    told = caught.value.message
    assert "the first 4 rows has one (invalid_email_no_at: 2, missing_email: 1, wrong_field_count: 1)" in told
    assert "nobody" not in told


def test_rows_after_the_first_thousand_do_not_count(fakes: Fakes) -> None:
    with pytest.raises(Stop, match=f"the first {FIRST_ROWS} rows"):
        fit(fakes, [*[NOBODY] * FIRST_ROWS, ("ada@example.com", "Ada", "yes")])


def test_rows_of_further_files_do_not_count(fakes: Fakes) -> None:
    with pytest.raises(Stop, match="the first 1 rows"):
        fit(fakes, [NOBODY], [("ada@example.com", "Ada", "yes")])


def test_columns_are_looked_for_before_rows(fakes: Fakes) -> None:
    with pytest.raises(Stop) as caught:
        fit(fakes, [NOBODY], mapping=Mapping("EMail", phone="Fax"))
    assert caught.value.code == "column_missing"


def test_a_file_that_is_replaced_meanwhile_is_told(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.segments.write("people/0.csv", csv_file([NOBODY], COLUMNS))
    refresh = look(fakes.services, "people")
    original = fakes.segments.open

    def replaced(file: SegmentFile, buffer_bytes: int = 0) -> BinaryIO:
        reader = original(file)
        fakes.segments.write("people/0.csv", csv_file([], COLUMNS))
        return reader

    monkeypatch.setattr(fakes.segments, "open", replaced)
    with pytest.raises(NotReady) as caught:
        check_fit(fakes.services, refresh, MAPPING)
    assert caught.value.code == "source_changing"


def test_a_file_of_another_encoding_is_said_to_be_that(fakes: Fakes) -> None:
    rows = [("j@example.com", "J\u00f6rg", "yes")] * 3
    fakes.segments.write("people/0.csv", csv_file(rows, COLUMNS).decode().encode("cp1252"))
    with pytest.raises(Stop, match=r"looks like windows-1252: set 'Encoding' \(encoding\) of the export") as caught:
        check_fit(fakes.services, look(fakes.services, "people"), MAPPING)
    assert caught.value.code == "mapping_fits_no_row"
