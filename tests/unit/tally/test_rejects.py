"""rejects.csv: a spreadsheet reads back what the file said, and runs none of it; so do we, from pieces of any size."""

from __future__ import annotations

import csv
import io

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.delivery.manifest import Manifest, SourceEntry
from exporter.reasons import Reason
from exporter.tally.rejects import COLUMNS, HEADER, Counted, Reject, contact_rejects, lines, reject_rows, remark
from tests.fakes import START
from tests.runs import BUSY_PLAN

TEXTS = st.one_of(
    st.sampled_from(["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", ' "', "a,b", ""]), st.text(max_size=9)
)


def read(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_the_file_looks_like_this() -> None:
    """A byte order mark, since Excel takes the file for another encoding without one."""
    rejects = [
        Reject("a/1.csv", 7, "c-1", "jane@example.com", Reason.NO_CONSENT, "No consent."),
        Reject("a,b.csv", 8, "", 'say "hi"', Reason.NOT_UTF8, "=1+1\nX"),
    ]
    assert (HEADER + lines(rejects)).decode() == (
        "\ufefffile,row,customerId,email,reason,explanation\r\n"
        "a/1.csv,7,c-1,jane@example.com,no_consent,No consent.\r\n"
        '"a,b.csv",8,,"say ""hi""",not_utf8,"\'=1+1\nX"\r\n'
    )


@given(TEXTS, TEXTS, TEXTS)
def test_every_text_comes_back_with_an_apostrophe_at_the_most(path: str, customer_id: str, email: str) -> None:
    reject = Reject(path, 7, customer_id, email, Reason.NO_CONSENT, "No consent.")
    header, row = read(HEADER + lines([reject]))
    assert header == list(COLUMNS)
    assert [cell.removeprefix("'") for cell in row] == [
        cell.removeprefix("'") for cell in (path, "7", customer_id, email, "no_consent", "No consent.")
    ]


@given(TEXTS)
def test_no_cell_begins_with_what_a_spreadsheet_would_run(text: str) -> None:
    reject = Reject(text, 1, text, text, Reason.NO_CONSENT, text)
    (row,) = read(lines([reject]))
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for cell in row)


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)
REJECTS = st.builds(
    Reject,
    CELLS,
    st.integers(1, 10**9),
    CELLS,
    CELLS,
    st.sampled_from([Reason.MISSING_EMAIL, Reason.DUPLICATE_EMAIL]),
    st.sampled_from(["A sentence.", 'Row 1 of "a,\nb" is \u00e4\U0001f600.']),
)


@given(st.lists(REJECTS, max_size=4), st.lists(st.integers(0, 400), max_size=5))
def test_a_report_reads_the_same_in_whatever_pieces_it_comes(rejects: list[Reject], cuts: list[int]) -> None:
    data = HEADER + lines(rejects)
    ends = sorted({*(cut for cut in cuts if cut < len(data)), len(data)})
    pieces = [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    counted = Counted(pieces)
    found = list(reject_rows(counted))
    assert counted.rows == len(rejects)
    assert found == list(reject_rows([data]))
    assert [(row.row, row.reason) for row in found] == [(reject.row, reject.reason) for reject in rejects]


def test_some_lines_of_a_report_can_be_read_without_its_header() -> None:
    reject = Reject("people.csv", 7, "id", "two\nlines", Reason.INVALID_EMAIL_NO_AT, "No @.")
    assert list(reject_rows([lines([reject])])) == [reject]


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@1", "\t1", "\r1", "\n1", "'1", "''=1", "'", "1'", ""])
def test_a_row_is_read_as_it_was_told(text: str) -> None:
    reject = Reject(text, 7, text, text, Reason.INVALID_EMAIL_NO_AT, text)
    assert list(reject_rows([HEADER, lines([reject])])) == [reject]


def test_a_cell_of_several_megabytes_is_read() -> None:
    reject = Reject("people.csv", 7, "", 'x"' * (2 << 20), Reason.INVALID_EMAIL_NO_AT, "No @.")
    assert list(reject_rows([lines([reject])])) == [reject]


def test_a_remark_is_for_people_and_is_no_row() -> None:
    data = HEADER + remark("Nothing was sent.")
    assert read(data)[1] == ["", "", "", "", "", "Nothing was sent."]
    assert list(reject_rows([data])) == []


def test_contacts_of_a_batch_are_told_with_their_rows_in_the_order_of_the_batch() -> None:
    manifest = Manifest(
        payload="working/x",
        rejects="rejects/x",
        fingerprint="f",
        refreshed_utc=START,
        sources=(SourceEntry(path="a.csv", etag="e", rows=2), SourceEntry(path="b.csv", etag="e", rows=3)),
        envelope=("", "", ""),
        batches=(),
        plan=BUSY_PLAN,
    )
    body = orjson.dumps({"contacts": [{"email": f"p{n}@example.com"} for n in range(3)]})
    references = orjson.dumps([[1, "c1"], [3, None], [5, "c5", "c4"]])
    found = contact_rejects(manifest, body, references, {2: Reason.EXCLUDED, 1: Reason.NOT_SENT})
    assert list(found) == [
        Reject("b.csv", 1, "", "p1@example.com", Reason.NOT_SENT, Reason.NOT_SENT.explanation),
        Reject("b.csv", 3, "c5", "p2@example.com", Reason.EXCLUDED, Reason.EXCLUDED.explanation),
    ]
