"""CSV: RFC 4180 to the letter, and what is not costs one row, read in both ways."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.reasons import Reason
from exporter.source.formats import csv_blocks
from exporter.source.formats.csv_records import Syntax
from exporter.source.rows import Row
from tests.unit.source.one_file import SMALL_ROW_BYTES, rows, small_limits

TOO_LARGE = Reason.ROW_TOO_LARGE


def only_careful(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(csv_blocks, "rows_of", lambda *_: None)


@pytest.fixture(params=["fast", "careful"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "careful":
        only_careful(monkeypatch)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a,b\nc,d\n", [("a", "b"), ("c", "d")]),
        (b"a,b\r\nc,d\r\n", [("a", "b"), ("c", "d")]),
        (b"a,b\rc,d\r", [("a", "b"), ("c", "d")]),
        (b"a,b\nc,d\r\ne,f\rg,h", [("a", "b"), ("c", "d"), ("e", "f"), ("g", "h")]),
        (b"a,b", [("a", "b")]),
        (b'"a","b"', [("a", "b")]),
        (b'a,b\nc,"d"', [("a", "b"), ("c", "d")]),
        (b"", []),
        (b"\n\r\n\n", []),
        (b"\na,b\n\n\nc,d\n\n", [("a", "b"), ("c", "d")]),
        (b",\n", [("", "")]),
        (b'"",""\n', [("", "")]),
        (b'"a,b",c\n', [("a,b", "c")]),
        (b'"a\nb","c\r\nd"\n', [("a\nb", "c\r\nd")]),
        (b'"a\rb",c\n', [("a\rb", "c")]),
        (b'"say ""hi""",""""\n', [('say "hi"', '"')]),
        (b"a b , c \n", [("a b ", " c ")]),
        (b'a, "b, c"\n  "d",  ""\n', [("a", "b, c"), ("d", "")]),
        (b'a, "b ""c"""\n "d\ne", "f\r\ng"\r\n', [("a", 'b "c"'), ("d\ne", "f\r\ng")]),
        (b'a, "b" c\n "d"e,f\n', [("a", ' "b" c'), (' "d"e', "f")]),
        (b'a, "b"', [("a", "b")]),
        (b'6" nail,5\' 2"\n', [('6" nail', "5' 2\"")]),
        ("\u00e9,\U0001f600\n".encode(), [("\u00e9", "\U0001f600")]),
        (b"NULL,NaN\nnull,N/A\n", [("NULL", "NaN"), ("null", "N/A")]),
        (b"007,1E+10\n+49,-6854\n", [("007", "1E+10"), ("+49", "-6854")]),
        (b"a\x00b,\x01\n", [("a\x00b", "\x01")]),
    ],
)
@pytest.mark.usefixtures("way")
def test_a_legal_file_is_read_as_it_is(data: bytes, expected: list[Row]) -> None:
    assert rows(data, 2) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a,b\nx\nc,d\n", [("a", "b"), Reason.WRONG_FIELD_COUNT, ("c", "d")]),
        (b"a,b\nx,y,z\nc,d\n", [("a", "b"), Reason.WRONG_FIELD_COUNT, ("c", "d")]),
        (b"a,b\nx,\xff\nc,d\n", [("a", "b"), Reason.NOT_UTF8, ("c", "d")]),
        (b"a,b\nJ\xfcrgen,y\nc,d\n", [("a", "b"), Reason.NOT_UTF8, ("c", "d")]),
        (b'a,b\n"x"y,z\nc,d\n', [("a", "b"), Reason.MALFORMED_QUOTES, ("c", "d")]),
        (b'a,b\n"x,y\nc,d\n', [("a", "b"), Reason.UNCLOSED_QUOTE, ("c", "d")]),
        (b'a,b\nx, "y\nc,d\n', [("a", "b"), Reason.UNCLOSED_QUOTE, ("c", "d")]),
        (b'a,b\nx,\t"y"\nc,"d" \n', [("a", "b"), ("x", '\t"y"'), Reason.MALFORMED_QUOTES]),
        (b'a,b\nx,"y', [("a", "b"), Reason.UNCLOSED_QUOTE]),
        (b'a,b\nx"y,"z\nw"\nc,d\n', [("a", "b"), Reason.MALFORMED_QUOTES, ('w"',), ("c", "d")]),
        (b'"a ""b",c\n"x" ,y\nc,d\n', [('a "b', "c"), Reason.MALFORMED_QUOTES, ("c", "d")]),
    ],
)
@pytest.mark.usefixtures("way")
def test_a_row_that_cannot_be_read_costs_its_line_only(data: bytes, expected: list[Row]) -> None:
    expected = [row if isinstance(row, Reason) or len(row) == 2 else Reason.WRONG_FIELD_COUNT for row in expected]
    assert rows(data, 2) == expected


@pytest.mark.usefixtures("way")
def test_a_row_of_four_mebibytes_is_read_and_one_byte_more_is_too_large() -> None:
    text = b"x" * (4 * 1024 * 1024 - 2)
    assert rows(text + b",y\na,b\n", 2) == [(text.decode(), "y"), ("a", "b")]
    assert rows(text + b"x,y\na,b\n", 2) == [TOO_LARGE, ("a", "b")]


@pytest.mark.usefixtures("way")
def test_a_row_is_not_utf8_wherever_the_bytes_are() -> None:
    assert rows(b"a,\xe9,c\nd,e,f\n", 3, wanted=[0]) == [Reason.NOT_UTF8, ("d",)]


def test_without_quote_style_quotes_are_text() -> None:
    data = b'"a";b"\n"";"\n'
    assert rows(data, 2, delimiter=";", quoted=False) == [('"a"', 'b"'), ('""', '"')]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters_split_as_the_comma_does(delimiter: str) -> None:
    data = f'a,1{delimiter}"b{delimiter}\n2"\n'.encode()
    assert rows(data, 2, delimiter=delimiter) == [("a,1", f"b{delimiter}\n2")]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("quote", [b"", b'"'])
def test_a_row_beyond_the_limit_is_rejected_and_the_next_one_read(quote: bytes) -> None:
    def row(size: int) -> bytes:
        return quote + b"x" * (size - 2 * len(quote) - 2) + quote + b",y"

    data = row(SMALL_ROW_BYTES) + b"\na,b\n" + row(SMALL_ROW_BYTES + 1) + b"\nc,d\n" + row(20 * SMALL_ROW_BYTES)
    with small_limits():
        largest, *others = rows(data, 2)
    assert not isinstance(largest, Reason)
    assert others == [("a", "b"), TOO_LARGE, ("c", "d"), TOO_LARGE]


def test_a_forgotten_quote_swallows_no_more_than_its_line() -> None:
    lines = [b"%d,x\n" % number for number in range(500)]
    lines[20] = b'20,"x\n'
    with small_limits():
        found = rows(b"".join(lines), 2)
    assert found == [Reason.ROW_TOO_LARGE if n == 20 else (str(n), "x") for n in range(500)]


def test_a_field_of_ten_megabytes_rejects_its_row_only() -> None:
    data = b"a,b\nc," + b"x" * 10_000_000 + b"\nd,e\n"
    assert rows(data, 2) == [("a", "b"), TOO_LARGE, ("d", "e")]


def test_a_row_of_ten_thousand_columns_rejects_itself_only() -> None:
    assert rows(b"a,b\n" + b"," * 9_999 + b"\nc,d\n", 2) == [("a", "b"), Reason.WRONG_FIELD_COUNT, ("c", "d")]


def test_a_byte_order_mark_within_the_text_is_text_even_where_a_block_begins() -> None:
    with small_limits(chunk_bytes=4, read_bytes=4):
        assert rows(b"a,b\n\xef\xbb\xbfc,d\n", 2) == [("a", "b"), ("\ufeffc", "d")]


def test_many_flawed_rows_are_all_found() -> None:
    data = b"".join(b"%d,x\n" % n if n % 3 else b"%d\n" % n for n in range(1_000))
    assert rows(data, 2) == [(str(n), "x") if n % 3 else Reason.WRONG_FIELD_COUNT for n in range(1_000)]


@pytest.mark.parametrize("line_end", [b"\r", b"\n", b"\r\n"])
def test_the_work_for_a_line_depends_on_its_length_and_not_on_the_file(line_end: bytes) -> None:
    class Counting(bytes):
        looked_at = 0

        def find(self, part: bytes, start: int, end: int) -> int:  # type: ignore[override]
            found = super().find(part, start, end)
            Counting.looked_at += (min(end, len(self)) if found < 0 else found) - start
            return found

    data = Counting((b"a" * 5_000 + b"," + line_end) * 800)
    assert len([r for r, _, _ in Syntax(",", quoted=True).records(data, final=True) if r]) == 800
    assert Counting.looked_at < 40 * len(data)


# What Python's csv module can write: no NUL, and a line end only inside of quotes.
FIELDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
DIALECTS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from(",;\t|"),
        "lineterminator": st.sampled_from(["\n", "\r\n", "\r"]),
        "quoting": st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    }
)


@given(
    st.integers(1, 4).flatmap(lambda count: st.lists(st.tuples(*[FIELDS] * count), min_size=1, max_size=12)),
    DIALECTS,
    st.integers(4, 64),
)
def test_a_legal_file_is_read_as_pythons_csv_module_reads_it(
    table: list[tuple[str, ...]], dialect: dict[str, object], chunk_bytes: int
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, **dialect).writerows(table)  # type: ignore[arg-type]  # the parts of a dialect
    data = text.getvalue()
    delimiter = str(dialect["delimiter"])
    oracle = [tuple(row) for row in csv.reader(io.StringIO(data, newline=""), delimiter=delimiter) if row]
    with small_limits(4 << 20, chunk_bytes):
        assert rows(b"\xef\xbb\xbf" + data.encode(), len(table[0]), delimiter=delimiter) == oracle


@pytest.mark.usefixtures("way")
def test_where_blanks_delimit_none_is_before_a_quoted_field() -> None:
    assert rows(b'a  "b c"\n', 3, delimiter=" ") == [("a", "", "b c")]


@given(
    st.integers(1, 4).flatmap(lambda count: st.lists(st.tuples(*[FIELDS] * count), min_size=1, max_size=8)),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.integers(4, 64),
)
def test_blanks_before_quoted_fields_are_dropped_as_pythons_csv_module_does(
    table: list[tuple[str, ...]], delimiter: str, line_end: str, chunk_bytes: int
) -> None:
    lines = (
        delimiter.join(" " * (index % 3) + '"' + field.replace('"', '""') + '"' for index, field in enumerate(row))
        for row in table
    )
    data = line_end.join(lines) + line_end
    oracle = csv.reader(io.StringIO(data, newline=""), delimiter=delimiter, skipinitialspace=True)
    expected = [tuple(row) for row in oracle]
    with small_limits(4 << 20, chunk_bytes):
        assert rows(b"\xef\xbb\xbf" + data.encode(), len(table[0]), delimiter=delimiter) == expected
