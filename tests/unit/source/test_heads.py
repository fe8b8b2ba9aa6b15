"""What the beginning of a file tells: its format by its bytes, and how a CSV file is to be read."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import lzma
import random
import tarfile
import zipfile
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.errors import Stop
from exporter.reasons import Reason
from exporter.source import heads
from exporter.source.files import SegmentFile
from exporter.source.formats.csv_records import Syntax
from exporter.source.heads import HEAD_BYTES, Format, Head, first_record, read_head, refuse_format
from exporter.source.names import is_header
from tests.unit.source.one_file import SMALL_ROW_BYTES, OneFile, small_limits

HEADER = "Id,Email,First Name\n"
ROWS = "1,a@example.com,Ann\n2,b@example.com,Bob\n"


def file_of(data: bytes, path: str = "s.csv") -> SegmentFile:
    return SegmentFile(path, len(data), "e", 0.0)


def head_of(data: bytes | str, path: str = "s.csv", **stated: str | None) -> Head:
    data = data.encode() if isinstance(data, str) else data
    return read_head(OneFile(data), file_of(data, path), **stated)  # type: ignore[arg-type]  # delimiter, encoding


def zipped(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, HEADER)
    return packed.getvalue()


def parquet() -> bytes:
    stored = io.BytesIO()
    pq.write_table(pa.table({"Email": ["a@example.com"]}), stored)
    return stored.getvalue()


def tar() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.csv"))
    return packed.getvalue()


def noise() -> bytes:
    return random.Random(1).randbytes(1_000)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ((HEADER + ROWS).encode(), Format.CSV),
        (parquet(), Format.PARQUET),
        (parquet()[:4], Format.PARQUET),
        (b"PAR1 and then nothing", Format.PARQUET),
        (b"PARE\x41\0\0\0", Format.PARQUET),
        (b"PAR1a\n\0", Format.PARQUET),
        (b"PAR1,PAR2,Email\n1,2,a@example.com\n", Format.CSV),
        (b"", Format.EMPTY),
        (codecs.BOM_UTF8, Format.EMPTY),
        (zipped("a.csv"), Format.ZIP),
        (zipped(), Format.ZIP),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), Format.SPREADSHEET),
        (zipped("xl/worksheets/sheet1.xml"), Format.SPREADSHEET),
        (zipped("preview.jpg", "Index/Document.iwa"), Format.SPREADSHEET),
        (b"PK\x03\x04" + b"\0" * 26 + b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet", Format.SPREADSHEET),
        (b"PK\x03\x04" + b"\n" * 26 + b"xl/workbook.xml", Format.SPREADSHEET),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504, Format.SPREADSHEET),
        (b"ORC\x0a\x03\0\0\0" + b"\x12" * 40, Format.ORC),
        (b"ORCID,Email\n1,a@example.com\n", Format.CSV),
        (b"Obj\x01\x04\x14avro.codec", Format.AVRO),
        (b"ARROW1\0\0\xff\xff\xff\xff", Format.ARROW),
        (b'{"Email": "a@example.com"}\n', Format.JSON),
        (b'\xef\xbb\xbf [\n {"Email": "a@example.com"}]', Format.JSON),
        ('{"Email": "a@example.com"}'.encode("utf-16"), Format.JSON),
        (b"[Id],[Email]\n1,a@example.com\n", Format.CSV),
        (b"<?xml version='1.0'?><Error/>", Format.XML),
        (b"<!DOCTYPE note><note/>", Format.XML),
        (b"\n<!DOCTYPE html><html></html>", Format.HTML),
        (b"<table><tr><td>Email</td></tr></table>", Format.HTML),
        (b"<Email>,<Name>\na@example.com,Ann\n", Format.CSV),
        (b"%PDF-1.7\n", Format.PDF),
        (b"\x28\xb5\x2f\xfd\x04\x58", Format.ZSTD),
        (bz2.compress(HEADER.encode()), Format.BZIP2),
        (bz2.compress(b""), Format.BZIP2),
        (lzma.compress(HEADER.encode()), Format.XZ),
        (b"\x04\x22\x4d\x18\x64\x40", Format.LZ4),
        (b"\xff\x06\x00\x00sNaPpY", Format.SNAPPY),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", Format.SEVEN_ZIP),
        (b"Rar!\x1a\x07\x01\x00", Format.RAR),
        (tar(), Format.TAR),
        (b"Email,Note\na@example.com,".ljust(256) + b"Mustard\n", Format.CSV),
        (b"\n" * 257 + b"ustar\x0000", Format.TAR),
        (noise(), Format.BINARY),
        (b"SQLite format 3\0" + b"\0" * 80, Format.BINARY),
        (b"a\x01b\x01c\x01d\n" * 20, Format.CSV),
        (b"\xff" + b"\x01" * 16, Format.CSV),
        (b"\xff" + b"\x01" * 17, Format.BINARY),
        (b"\0aaaaaaaa\0aaaaaa" * 20, Format.CSV),
        (b"\0aaaaaaaa\0aaaaaa" * 20 + b"\0", Format.BINARY),
        (b"Email\n" + b"M\xfcller, a note, and more of it\x01\n" * 40, Format.CSV),
    ],
    ids=lambda value: value.name if isinstance(value, Format) else str(len(value)),
)
def test_a_format_is_told_by_bytes_also_within_gzip(data: bytes, kind: Format) -> None:
    assert head_of(data).format is kind
    within = Format.PACKED_PARQUET if kind is Format.PARQUET else kind
    assert head_of(gzip.compress(data)).format is within


def test_what_is_not_read_is_refused_as_what_it_is_with_what_to_do() -> None:
    data = zipped("xl/workbook.xml")
    refusal = refuse_format(file_of(data, "list.csv"), head_of(data, "list.csv"))
    assert refusal.code == "format_unsupported"
    assert refusal.message == (
        "Expected list.csv to be CSV, plain or in gzip, or Parquet; by its first bytes it is a spreadsheet."
        " Save it as CSV UTF-8."
    )


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Format.ZIP, "a zip archive. Store the files that it holds."),
        (Format.ZSTD, "compressed with Zstandard. Store it as it is, or compressed with gzip."),
        (Format.PACKED_PARQUET, "gzip around Parquet. Parquet compresses its columns itself: store it without gzip."),
        (Format.JSON, "JSON. Store it as CSV UTF-8 or Parquet."),
        (Format.XML, "XML. Store it as CSV UTF-8 or Parquet."),
    ],
)
def test_what_to_do_depends_on_the_format(kind: Format, words: str) -> None:
    assert refuse_format(file_of(b""), Head(kind)).message.endswith(f"it is {words}")


def test_a_file_without_text_is_read_as_csv_usually_is() -> None:
    assert head_of(b"") == Head(Format.EMPTY, "utf-8", None, ",", quoted=True, separator_line=False, names=(), rows=())


@pytest.mark.parametrize("kind", [kind for kind in Format if kind not in {"csv", "parquet", "empty"}])
def test_each_refusal_is_a_sentence_and_an_advice(kind: Format) -> None:
    message = refuse_format(file_of(b""), Head(kind)).message
    assert f"it is {kind}. S" in message or f"it is {kind}. Parquet" in message
    assert message.endswith(".")


@pytest.mark.parametrize(
    "data",
    [
        HEADER + ROWS,
        (HEADER + ROWS).replace("\n", "\r\n"),
        "\r\n\n" + HEADER + "\n" + ROWS,
        "\ufeff" + HEADER + ROWS,
        "Id, Email , First Name\n" + ROWS,
        '"Id", "Email", "First Name"\n' + ROWS,
        HEADER + ROWS[:-1],
    ],
)
def test_names_and_rows_are_the_first_lines(data: str) -> None:
    head = head_of(data)
    assert head.names == ("Id", "Email", "First Name")
    assert head.rows == (("1", "a@example.com", "Ann"), ("2", "b@example.com", "Bob"))
    assert (head.delimiter, head.encoding, head.looks_like, head.separator_line) == (",", "utf-8", None, False)


@pytest.mark.parametrize("data", ["\n", '"Id"x,Email\n', '"Id\nEmail\n'])
def test_there_are_no_names_where_no_row_can_be_read(data: str) -> None:
    assert head_of(data).names == ()


def test_rows_that_cannot_be_read_are_left_out() -> None:
    head = head_of(HEADER.encode() + b'1,x\n2,M\xfcller,y\n3,"a"b,c\n4,d,e\n')
    assert head.rows == (("4", "d", "e"),)


def test_rows_are_a_hundred_at_most() -> None:
    assert len(head_of(HEADER + ROWS * 60).rows) == 100


@pytest.mark.parametrize(
    ("data", "delimiter", "names"),
    [
        ("Id,Name;x\n", ",", ("Id", "Name;x")),
        ("Id;Name\n", ";", ("Id", "Name")),
        ("Id\tName\n", "\t", ("Id", "Name")),
        ("Id|Name\n", "|", ("Id", "Name")),
        ('"Id, or";"Name, first";Phone\n', ";", ("Id, or", "Name, first", "Phone")),
        ("Email;Phone, home, work, other\na;1\nb;2\n", ";", ("Email", "Phone, home, work, other")),
        ("Email,Likes;and;more\na,x\nb,y\n", ",", ("Email", "Likes;and;more")),
        ("Email;Name, first\na;b, c\nd;e, f\n", ";", ("Email", "Name, first")),
        ("Email;Name, first, second\na;b, c, d\n", ";", ("Email", "Name, first, second")),
        ("a|b,c\n1|2,3\n4|5,6\n7|8,9,9\n", "|", ("a", "b,c")),
        ("Email\na@example.com\n", ",", ("Email",)),
        ("Email\na;b\n", ",", ("Email",)),
        ("a|b\nx\ny\n", "|", ("a", "b")),  # better than none
        ('Email,x;"b\nc";d,e', ",", ("Email", 'x;"b')),  # no rows agree no better than rows do
    ],
)
def test_the_delimiter_is_the_one_with_which_header_and_rows_agree(
    data: str, delimiter: str, names: tuple[str, ...]
) -> None:
    head = head_of(data)
    assert (head.delimiter, head.names) == (delimiter, names)


def test_a_few_broken_rows_do_not_change_the_delimiter() -> None:
    assert head_of("Email;Name|x\n" + "a;b|c\n" * 97 + "d|e\n" * 3).delimiter == ";"


@pytest.mark.parametrize("path", ["a.tsv", "folder/a.TSV", "a.tab", "a.tsv.gz"])
def test_tab_is_what_some_names_say(path: str) -> None:
    data = b"Email\tTopics, all, of, them\na\tb\n"
    packed = gzip.compress(data) if path.endswith("gz") else data
    assert head_of(packed, path).names == ("Email", "Topics, all, of, them")
    assert head_of(packed, path, delimiter=",").delimiter == ","
    assert (head_of(b"a,b\n", path).names, head_of(b"a,b\n", path).delimiter) == (("a,b",), "\t")
    assert head_of(b"a,b\n", f"{path}.csv").delimiter == ","


@pytest.mark.parametrize("line", ["sep=;\r\n", "SEP=;\n", '"sep=;"\r\n', "\n sep=;\n".replace(" ", ""), "sep=;;; \n"])
@pytest.mark.parametrize("stated", [None, ","])
def test_a_separator_line_tells_the_delimiter_and_is_no_row(line: str, stated: str | None) -> None:
    head = head_of(line + "Id;Email,x\n1;2\n", "a.tsv", delimiter=stated)
    assert (head.separator_line, head.delimiter, head.names, head.rows) == (
        True,
        ";",
        ("Id", "Email,x"),
        (("1", "2"),),
    )


@pytest.mark.parametrize("line", ["sep=", "sep=x", "sep=\u00e9", 'sep="', "separator=;", "x,sep=;"])
def test_another_line_is_no_separator_line(line: str) -> None:
    assert not head_of(line + "\nId;Email\n").separator_line


def test_where_quotes_are_text_they_split_nothing_and_stay() -> None:
    data = b'Id,"Name, first"\n1,a,b\n'
    head = read_head(OneFile(data), file_of(data), quoted=False)
    assert (head.names, head.quoted) == (("Id", '"Name', 'first"'), False)


@pytest.mark.parametrize(
    ("stored_as", "stated", "told"),
    [
        ("utf-8-sig", None, "utf-8"),
        ("utf-8-sig", "windows-1252", "utf-8"),
        ("utf-16", None, "utf-16le"),
        ("utf-16-be", None, "utf-16be"),
        ("cp1252", "windows-1252", "windows-1252"),
        ("cp1251", "windows-1251", "windows-1251"),
    ],
)
def test_text_is_decoded_as_the_file_says_or_else_as_stated(stored_as: str, stated: str | None, told: str) -> None:
    place = "Улица" if stored_as == "cp1251" else "Straße"
    head = head_of(f"Email;{place}\na;b\n".encode(stored_as), encoding=stated)
    assert (head.names, head.encoding, head.looks_like) == (("Email", place), told, None)


def test_names_in_windows_1252_are_read_as_such_and_the_head_says_so() -> None:
    head = head_of(b"Email,Stra\xdfe\na@example.com,b\n")
    assert (head.names, head.rows) == (("Email", "Straße"), (("a@example.com", "b"),))
    assert (head.encoding, head.looks_like) == ("utf-8", "windows-1252")
    assert head_of(b"Email,\x81\n").names == ("Email", "\ufffd")


class Counted(OneFile):
    """Counts what is asked for."""

    asked: list[int]
    opened: SegmentFile

    def open(self, file: SegmentFile, buffer_bytes: int = 0) -> BinaryIO:
        self.asked, self.opened = [buffer_bytes], file

        class Stream(io.BytesIO):
            def read(stream, size: int | None = -1, /) -> bytes:  # noqa: N805 - `self` is the file
                self.asked.append(size or 0)
                return super().read(size)

        return Stream(self._data)


@pytest.mark.parametrize("packed", [False, True])
def test_no_more_than_the_beginning_is_read(*, packed: bool) -> None:
    lines = "".join(f"{number},{number * number}@example.com,x\n" for number in range(100_000))
    data = (HEADER + lines).encode()
    files = Counted(gzip.compress(data) if packed else data)
    head = read_head(files, file_of(data))
    assert (files.asked, files.opened) == ([262_144, 262_144], file_of(data))
    assert (len(head.names), len(head.rows)) == (3, 100)


def test_a_gzip_file_of_which_only_the_beginning_is_read_is_not_truncated() -> None:
    data = gzip.compress(noise().hex().encode() + random.Random(2).randbytes(2 * HEAD_BYTES), 1)
    assert head_of(data).format is Format.BINARY
    assert head_of(gzip.compress(HEADER.encode() + b"x" * 9_000_000)).names == ("Id", "Email", "First Name")


@pytest.mark.parametrize(("cut", "code"), [(-9, "gzip_truncated"), (None, "gzip_nested")])
def test_a_damaged_gzip_file_is_refused(cut: int | None, code: str) -> None:
    data = gzip.compress(gzip.compress(HEADER.encode()) if cut is None else HEADER.encode())[:cut]
    with pytest.raises(Stop) as caught:
        head_of(data)
    assert caught.value.code == code


def test_a_row_that_the_beginning_does_not_hold_whole_is_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = gzip.compress(f"{HEADER}1,a,b\n2,,{'x' * HEAD_BYTES}\n".encode())
    assert head_of(packed).rows == (("1", "a", "b"),)
    monkeypatch.setattr(heads, "HEAD_BYTES", len(HEADER) + len(ROWS) - 2)
    assert len(head_of(HEADER + ROWS).rows) == 1
    monkeypatch.setattr(heads, "HEAD_BYTES", len(HEADER) - 2)
    assert head_of(HEADER + ROWS).names == ()


def test_a_last_row_without_a_line_end_is_a_row_where_the_whole_file_was_read() -> None:
    row = "1,a,"
    data = f"{HEADER}{row}".ljust(HEAD_BYTES, "x").encode()
    assert len(head_of(gzip.compress(data)).rows) == 1
    assert head_of(gzip.compress(data + b"x")).rows == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_beginning_in_many_chunks_is_one_text(encoding: str) -> None:
    with small_limits():
        head = head_of(gzip.compress((HEADER + ROWS * 9).encode(encoding)))
    assert head.names == ("Id", "Email", "First Name")
    assert head.rows == (("1", "a@example.com", "Ann"), ("2", "b@example.com", "Bob")) * 9


@pytest.mark.parametrize(
    ("data", "final", "first"),
    [
        (b"", False, None),
        (b"", True, None),
        (b"a,b\nc", False, ([b"a", b"b"], 4)),
        (b"a,b", False, None),
        (b"a,b", True, ([b"a", b"b"], 3)),
        (b"x" * (SMALL_ROW_BYTES + 2), False, None),
        (b"x" * (SMALL_ROW_BYTES + 3), False, (Reason.ROW_TOO_LARGE, SMALL_ROW_BYTES + 3)),
    ],
)
def test_a_first_row_ends_with_its_line_or_the_file_or_is_too_large(data: bytes, first: object, *, final: bool) -> None:
    with small_limits():
        assert first_record(data, Syntax(",", quoted=True), final=final) == first


@given(data=st.binary(max_size=200), packed=st.booleans())
@example(data=b"\xff\xff\n", packed=False)
def test_nothing_that_a_file_holds_is_an_error(*, data: bytes, packed: bool) -> None:
    if not data.startswith(b"\x1f\x8b"):
        head_of(gzip.compress(data) if packed else data)


# Letters that spell no usual name, and whatever means something to a CSV reader.
TEXTS = st.text("abc \u00e9,;\t|\"'\n\r", max_size=8)
HEADERS = ("Email", "E-Mail-Adresse", "Vorname", "Telephone", "メールアドレス")


@given(
    columns=st.integers(1, 4).flatmap(
        lambda count: st.lists(st.tuples(TEXTS, *[TEXTS] * count), min_size=3, max_size=8)
    ),
    usual=st.sampled_from(HEADERS),
    last=st.booleans(),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
)
@example(
    columns=[("", ";;"), (";;", ""), (";;", "")], usual="Email", last=False, delimiter=",", quoting=0, line_end="\n"
)
def test_delimiter_and_names_of_any_table_with_a_usual_name_are_found(
    *, columns: list[tuple[str, ...]], usual: str, last: bool, delimiter: str, quoting: int, line_end: str
) -> None:
    first, *rows = columns
    header = (*first[1:], usual) if last else (usual, *first[1:])
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=line_end).writerows([header, *rows])  # type: ignore[arg-type]  # one of csv's constants
    head = head_of(text.getvalue())
    assert (head.delimiter, head.names) == (delimiter, tuple(name.strip() for name in header))
    assert is_header(head.names, ())
