"""rejects.csv: a spreadsheet reads back what the file said, and runs none of it."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.reasons import Reason
from exporter.tally.rejects import COLUMNS, HEADER, Reject, lines

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


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_sentence_and_a_code_of_its_own(reason: Reason) -> None:
    assert reason.explanation.endswith(".")
    assert reason.value == reason.name.lower()
