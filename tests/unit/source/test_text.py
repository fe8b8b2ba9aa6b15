"""What a file is stored as does not change its text: compression, encodings, byte order marks."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import Stop
from exporter.reasons import Reason
from exporter.source import text as source_text
from exporter.source.files import SegmentFile
from exporter.source.formats.csv_records import Syntax
from exporter.source.text import CHUNK_BYTES, ENCODINGS, READ_BYTES, codec_of, decoded, encoding_of, looks_like, text_of

TABLE = "1,Jürgen\n2,Zoë\n"
UTF8 = TABLE.encode()


def text(data: bytes, encoding: str = "utf-8") -> bytes:
    """Return the whole text of a file, which comes in chunks of which only the last one is empty."""
    *chunks, last = text_of(io.BytesIO(data), SegmentFile("s.csv", len(data), "e", 0.0), encoding)
    assert all(chunks)
    assert last == b""
    return b"".join(chunks)


def refused(data: bytes) -> str:
    with pytest.raises(Stop) as caught:
        text(data)
    return caught.value.code


@pytest.mark.parametrize(
    "data",
    [
        UTF8,
        codecs.BOM_UTF8 + UTF8,
        codecs.BOM_UTF16_LE + TABLE.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TABLE.encode("utf-16-be"),
        TABLE.encode("utf-16-le"),
        TABLE.encode("utf-16-be"),
        gzip.compress(UTF8),
        gzip.compress(codecs.BOM_UTF8 + UTF8),
        gzip.compress(TABLE.encode("utf-16-be")),
        gzip.compress(UTF8[:9]) + b"\0" * 9 + gzip.compress(UTF8[9:]) + b"\0" * 7,
    ],
    ids=["plain", "mark", "LE with mark", "BE with mark", "LE", "BE", "gzip", "gzip, mark", "gzip, BE", "gzip members"],
)
@pytest.mark.parametrize("read_bytes", [4, 1 << 16])
def test_compression_and_encoding_do_not_change_the_text(
    data: bytes, read_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_text, "READ_BYTES", read_bytes)
    assert text(data) == UTF8


@pytest.mark.parametrize("data", [b"", gzip.compress(b"")], ids=["plain", "gzip"])
def test_a_file_may_hold_nothing(data: bytes) -> None:
    assert text(data) == b""


def test_without_a_word_a_text_is_utf_8_and_what_is_invalid_stays_as_it_is() -> None:
    data = UTF8 + b"3,J\xfcrgen\n"
    assert b"".join(text_of(io.BytesIO(data), SegmentFile("s.csv", len(data), "e", 0.0))) == data


class Sizes(io.BytesIO):
    """Notes how much is asked for."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.asked: set[int | None] = set()

    def read(self, size: int | None = -1, /) -> bytes:
        self.asked.add(size)
        return super().read(size)


@pytest.mark.parametrize(("packed", "sizes"), [(False, {READ_BYTES, CHUNK_BYTES}), (True, {READ_BYTES})])
def test_a_file_is_read_in_pieces_and_its_text_comes_in_chunks(sizes: set[int], *, packed: bool) -> None:
    data = UTF8 * 400_000
    stored = gzip.compress(data, 1) if packed else data
    stream = Sizes(stored)
    chunks = list(text_of(stream, SegmentFile("s.csv", len(stored), "e", 0.0)))
    assert stream.asked == sizes
    assert max(map(len, chunks)) <= CHUNK_BYTES + READ_BYTES
    assert b"".join(chunks) == data


@pytest.mark.parametrize(("size_bytes", "chunks"), [(16, [64, 64, 16]), (21, [84, 84, 21])])
def test_small_pieces_come_together(size_bytes: int, chunks: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_text, "CHUNK_BYTES", 64)
    found = list(decoded([b"x" * size_bytes] * 9, "windows-1252"))
    assert found == [b"x" * length for length in chunks]


@pytest.mark.parametrize("stated", ENCODINGS)
@pytest.mark.parametrize("data", [codecs.BOM_UTF8 + UTF8, codecs.BOM_UTF16_BE + TABLE.encode("utf-16-be")])
def test_a_byte_order_mark_says_more_than_what_is_stated(data: bytes, stated: str) -> None:
    assert text(data, stated) == UTF8


@pytest.mark.parametrize(
    ("beginning", "expected"),
    [
        ("Имя;Адрес;e@example.com\n".encode("utf-16-le"), "utf-16le"),
        ("氏名,住所,a@example.com\n田中,東京都,b@example.com\n".encode("utf-16-be"), "utf-16be"),
        ("Ā,Ē,Ī,name,city\n".encode("utf-16-le"), "utf-16le"),
        ("a,b".encode("utf-16-le"), "utf-16le"),  # three zeros at least
        ("Ānames,city".encode("utf-16-le"), "utf-16le"),  # at most a tenth of them in the other half
        ("Āname,city".encode("utf-16-le"), "utf-8"),
        (b"\0a" * 512 + b"aa" * 1_536 + b"a", "utf-16be"),  # an eighth of 4,096 bytes at least
        (b"\0a" * 511 + b"aa" * 1_537 + b"\0a" * 2_000, "utf-8"),
        (b"a,\0\0\0\0\0,b\n", "utf-8"),
        (b"a\0b,\x01\n", "utf-8"),
        (b"id,name\n" + b"1,a\0\n" * 99, "utf-8"),
        (b"", "utf-8"),
    ],
)
def test_utf_16_without_a_mark_is_told_by_zero_bytes_in_the_same_half(beginning: bytes, expected: str) -> None:
    assert encoding_of(beginning) == (expected, 0)
    assert encoding_of(beginning, "windows-1252") == ("windows-1252", 0)
    for stated in ("utf-16le", "utf-16be"):
        assert encoding_of(beginning, stated) == (stated if expected == "utf-8" else expected, 0)


def test_stated_utf_16_is_read_where_nothing_else_tells_it() -> None:
    assert text("氏名\n".encode("utf-16-le"), "utf-16") == "氏名\n".encode()
    assert text("name\n".encode("utf-16-be"), "UTF-16") == b"name\n"


SAMPLES = {
    "windows-1250": "Łódź",
    "windows-1251": "Привет",
    "windows-1252": "€ “œ” ß",
    "windows-1253": "Καλημέρα",
    "windows-1254": "İğş",
    "windows-1255": "שלום",
    "windows-1256": "مرحبا",
    "windows-1257": "ąčę",
    "windows-1258": "đơ",
    "windows-874": "สวัสดี",
    "iso-8859-2": "Łódź",
    "iso-8859-5": "Привет",
    "iso-8859-15": "€ ß",
    "us-ascii": "plain",
    "koi8-r": "Привет",
    "koi8-u": "Їжак",
    "ibm850": "ñß",
    "macintosh": "ñß",
    "shift_jis": "東京①",  # with a sign that Windows added
    "euc-jp": "東京",
    "gb2312": "北京镕",  # with a letter that GBK added
    "gbk": "北京",
    "gb18030": "北京",
    "big5": "臺北",
    "euc-kr": "서울똠",  # with a syllable that Windows added
}


@pytest.mark.parametrize(("encoding", "sample"), SAMPLES.items())
@pytest.mark.parametrize("read_bytes", [1, 3, 1 << 16])
def test_a_stated_encoding_is_decoded(
    encoding: str, sample: str, read_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_text, "READ_BYTES", read_bytes)
    codec = codec_of(encoding)
    assert codec
    assert text(f"1,{sample}\n".encode(codec), encoding) == f"1,{sample}\n".encode()


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("UTF-8", "utf-8"),
        ("utf8", "utf-8"),
        ("US_ASCII", "utf-8"),
        ("Windows-1252", "cp1252"),
        ("windows_1252", "cp1252"),
        ("cp1252", "cp1252"),
        ("latin1", "cp1252"),
        ("ISO8859-1", "cp1252"),
        ("iso_8859-2", "iso8859-2"),
        ("Shift-JIS", "cp932"),
        ("sjis", "cp932"),
        ("koi8_r", "koi8-r"),
        ("latin2", "iso8859-2"),
        ("iso-8859-8", "iso8859-8"),
        ("latin5", "cp1254"),
        ("ISO-8859-10", "iso8859-10"),
        ("thai", "cp874"),
        ("iso-8859-12", None),
        ("ISO-8859-13", "iso8859-13"),
        ("iso-8859-16", "iso8859-16"),
        ("437", "cp437"),
        ("IBM852", "cp852"),
        ("IBM866", "cp866"),
        ("gb18030-2000", "gb18030"),
        ("mac_roman", "mac-roman"),
        ("macintosh", "mac-roman"),
        ("u8", "utf-8"),
        ("ks_c_5601-1987", "cp949"),
        ("korean", "cp949"),
        ("ujis", "euc-jp"),
        ("csKOI8R", "koi8-r"),
        ("utf-7", None),
        ("idna", None),
        ("rot13", None),
        ("../x", None),
        ("", None),
    ],
)
def test_an_encoding_is_known_by_its_names_however_they_are_written(name: str, codec: str | None) -> None:
    assert codec_of(name) == codec


def test_each_encoding_has_a_codec_of_python() -> None:
    assert all(codecs.lookup(codec) for codec in ENCODINGS.values())
    assert all(codec_of(name) == codec for name, codec in ENCODINGS.items())


def not_utf8(record: list[bytes] | Reason) -> bool:
    with contextlib.suppress(UnicodeDecodeError):
        b"".join([] if isinstance(record, Reason) else record).decode()
        return False
    return True


def records(data: bytes, encoding: str) -> list[list[bytes] | Reason]:
    found = Syntax(",", quoted=True).records(text(data, encoding), final=True)
    return [record for record, _, _ in found if record != []]


@pytest.mark.parametrize("encoding", [name for name in ENCODINGS if not name.startswith("utf-16")])
def test_bytes_that_the_encoding_does_not_have_cost_their_row_only(encoding: str) -> None:
    codec = codec_of(encoding)
    assert codec
    for byte in range(0x80, 0x100):
        wrong = bytes([byte])
        with contextlib.suppress(UnicodeDecodeError):
            wrong.decode(codec)
            continue
        before, row, after = records(b"a,b\nc," + wrong + b"\ne,f\n", encoding)
        assert (before, not_utf8(row), after) == ([b"a", b"b"], True, [b"e", b"f"])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16be"])
def test_half_a_character_costs_its_row_only(encoding: str) -> None:
    codec = codec_of(encoding)
    assert codec
    lone = codecs.encode("a,b\nc,\ud800\ne,f\n", codec, "surrogatepass")
    assert [not_utf8(row) for row in records(lone, encoding)] == [False, True, False]
    assert [not_utf8(row) for row in records("a,b\nc,d".encode(codec)[:-1], encoding)] == [False, True]
    assert text("a,b\n".encode(codec) + b"\0", encoding) == b"a,b\n\xff"


@given(data=st.binary(max_size=64), encoding=st.sampled_from(sorted(ENCODINGS)), read_bytes=st.integers(1, 8))
def test_a_text_is_the_same_in_pieces_of_any_size_and_nothing_in_it_is_an_error(
    data: bytes, encoding: str, read_bytes: int
) -> None:
    data = b"x" + data  # no mark, no gzip
    with pytest.MonkeyPatch.context() as patch:
        expected = text(data, encoding)
        patch.setattr(source_text, "READ_BYTES", read_bytes)
        assert text(data, encoding) == expected


def test_an_unknown_encoding_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="utf-7"):
        text(UTF8, "utf-7")


@pytest.mark.parametrize(
    ("sample", "encoding", "expected"),
    [
        ("Straße;Müller;Zoë", "cp1252", "windows-1252"),
        ("prix : 5\u00a0€ \u2013 « l\u2019été »", "cp1252", "windows-1252"),
        ("ASCII", "cp1252", None),
        ("Straße;Müller;Zoë", "utf-8", None),
        ("Привет, мир", "cp1251", None),
        ("東京都千代田区", "cp932", None),
        ("北京市", "gb18030", None),
        ("Zażółć gęślą jaźń, śnieżyć, łąka", "cp1250", None),
    ],
)
def test_western_text_that_is_not_utf_8_looks_like_windows_1252(
    sample: str, encoding: str, expected: str | None
) -> None:
    assert looks_like(sample.encode(encoding)) == expected


def test_one_wrong_byte_does_not_make_utf_8_another_encoding() -> None:
    assert looks_like("Jürgen, Zoë, Käthe\n".encode() + b"M\xfcller\n") is None
    assert looks_like("Straße, été, façade\n".encode() + b"M\xfcller\n") is None


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        (b"\xe4 " * 9 + b"\x81", "windows-1252"),  # nine of ten are usual
        (b"\xe4 " * 8 + b"\x81", None),
        (b"\xe4\xe4\xe4 \xe4 \xe4 \xe4", "windows-1252"),  # half of them stand alone or in pairs
        (b"\xe4\xe4\xe4 \xe4 \xe4", None),
        (b"T\x81r, \x81ber, M\x81ller", None),  # of MS-DOS
    ],
)
def test_most_signs_of_windows_1252_are_usual_and_not_side_by_side(sample: bytes, expected: str | None) -> None:
    assert looks_like(sample) == expected


def test_a_sample_may_end_within_a_character() -> None:
    assert looks_like("Jürgen ü".encode()[:-1]) is None


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (gzip.compress(UTF8)[:-9], "gzip_truncated"),
        (gzip.compress(UTF8)[:-4] + b"\1\2\3\4", "gzip_damaged"),
        (gzip.compress(UTF8) + b"garbage", "gzip_damaged"),
        (gzip.compress(UTF8) + b"XX\0", "gzip_damaged"),
        (gzip.compress(UTF8) + zlib.compress(UTF8), "gzip_damaged"),
        (gzip.compress(gzip.compress(UTF8)), "gzip_nested"),
    ],
    ids=["cut", "other checksum", "more behind it", "letters behind it", "zlib behind it", "twice"],
)
def test_a_damaged_gzip_file_is_refused(data: bytes, code: str) -> None:
    assert refused(data) == code


def test_a_damaged_gzip_file_is_named() -> None:
    with pytest.raises(Stop, match=r"s\.csv is not a valid gzip file"):
        text(b"\x1f\x8b" + b"x" * 9)


def test_a_gzip_bomb_is_refused_while_it_is_inflated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_text, "MAX_INFLATED_BYTES", 1 << 20)
    inflate = zlib.compressobj(9, wbits=31)
    assert refused(inflate.compress(b"\n" * (64 << 20)) + inflate.flush()) == "gzip_too_dense"


@pytest.mark.parametrize(("spare_bytes", "fits"), [(0, True), (-1, False)])
def test_a_gzip_file_holds_at_most_1_gib_and_a_hundred_times_its_size(
    spare_bytes: int, *, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (source_text.MAX_INFLATED_BYTES, source_text.MAX_RATIO) == (1_073_741_824, 100)
    lines = b"\n" * (1 << 20)
    packed = gzip.compress(lines)
    monkeypatch.setattr(source_text, "MAX_INFLATED_BYTES", len(lines) - 100 * len(packed) + spare_bytes)
    with contextlib.nullcontext() if fits else pytest.raises(Stop, match="at most 1 GiB plus 100 times its size"):
        assert text(packed) == lines


def test_output_that_fills_a_piece_exactly_is_not_taken_for_a_truncated_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_text, "READ_BYTES", 1_024)
    data = b"a,b\n" * 256 * 3
    assert text(gzip.compress(data)) == data
