"""What the beginning of a file tells: what it is, how it is to be read, and the names of its columns."""

from __future__ import annotations

import codecs
import contextlib
import io
import itertools
import re
from dataclasses import dataclass
from enum import StrEnum

from exporter.errors import Stop
from exporter.reasons import Reason
from exporter.source.files import SegmentFile, SegmentFiles
from exporter.source.formats.csv_records import WINDOW_BYTES, CsvRecord, Syntax
from exporter.source.names import is_usual
from exporter.source.text import GZIP, decoded, encoding_of, looks_like, unpacked

HEAD_BYTES = 256 << 10
"""At most this much of a file is read to learn how to read it."""
DELIMITERS = ",;\t|"
MOST_ROWS = 100
_SEPARATOR_LINE = re.compile(rb'[\r\n]*+"?sep=([^\w"\r\n\0])(?:\1| )*+"?(?:\r\n?|\n|\Z)', re.IGNORECASE)
_TAB_NAME = re.compile(r".*\.(?:tsv|tab)(?:\.gz)?", re.IGNORECASE | re.DOTALL)


class Format(StrEnum):
    """What a file is by its bytes, whatever its name: two kinds are read, the others refused as what they are."""

    CSV = "csv"
    PARQUET = "parquet"
    EMPTY = "empty"
    PACKED_PARQUET = "gzip around Parquet"
    ZIP = "a zip archive"
    SPREADSHEET = "a spreadsheet"
    ORC = "an ORC file"
    AVRO = "an Avro file"
    ARROW = "an Arrow file"
    JSON = "JSON"
    XML = "XML"
    HTML = "a web page"
    PDF = "a PDF document"
    ZSTD = "compressed with Zstandard"
    BZIP2 = "compressed with bzip2"
    XZ = "compressed with xz"
    LZ4 = "compressed with LZ4"
    SNAPPY = "compressed with Snappy"
    SEVEN_ZIP = "a 7-Zip archive"
    RAR = "a RAR archive"
    TAR = "a tar archive"
    BINARY = "no text"


_SIGNS = (
    # The letters of the first two may begin a column's name, so that more than these is looked at.
    (re.compile(rb"PAR[1E](?:\Z|[^\w,;|\t\r\n]|.{0,63}?[\x00-\x08])", re.DOTALL), Format.PARQUET),
    (re.compile(rb"ORC.{0,255}?[\x00-\x08]", re.DOTALL), Format.ORC),
    (
        re.compile(
            rb"(?=PK\x03\x04).*?PK\x03\x04.{26}"  # the name of an entry follows: an Excel, OpenDocument or Numbers file
            rb"(?:xl/|mimetypeapplication/vnd\.oasis\.opendocument\.spreadsheet|Index/Document\.iwa)",
            re.DOTALL,
        ),
        Format.SPREADSHEET,
    ),
    (re.compile(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), Format.SPREADSHEET),  # Excel before 2007, or with a password
    (re.compile(rb"PK(?:\x03\x04|\x05\x06)"), Format.ZIP),
    (re.compile(rb"Obj\x01"), Format.AVRO),
    (re.compile(rb"ARROW1\0"), Format.ARROW),
    (re.compile(rb"%PDF-"), Format.PDF),
    (re.compile(rb"\x28\xb5\x2f\xfd"), Format.ZSTD),
    (re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), Format.BZIP2),
    (re.compile(rb"\xfd7zXZ\0"), Format.XZ),
    (re.compile(rb"\x04\x22\x4d\x18"), Format.LZ4),
    (re.compile(rb"\xff\x06\0\0sNaPpY"), Format.SNAPPY),
    (re.compile(rb"7z\xbc\xaf\x27\x1c"), Format.SEVEN_ZIP),
    (re.compile(rb"Rar!\x1a\x07"), Format.RAR),
    (re.compile(rb".{257}ustar(?:\0|  \0)", re.DOTALL), Format.TAR),
)
_TEXT_SIGNS = (
    (re.compile(rb'\s*+(?:\{\s*+["}]|\[\s*+[\[{"\]])'), Format.JSON),
    (re.compile(rb"\s*+<(?:!doctype html|html|table)", re.IGNORECASE), Format.HTML),
    (re.compile(rb"\s*+<(?:\?xml|!--|!doctype)", re.IGNORECASE), Format.XML),
)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_FEW_CONTROLS = 16  # do not make a text something else
_CASES = {
    Format.PACKED_PARQUET: "parquet",
    Format.SPREADSHEET: "spreadsheet",
    **dict.fromkeys((Format.ZIP, Format.SEVEN_ZIP, Format.RAR, Format.TAR), "archive"),
    **dict.fromkeys((Format.ZSTD, Format.BZIP2, Format.XZ, Format.LZ4, Format.SNAPPY), "compressed"),
}
"""What has to be done about a file, by its format: the cases of "format_unsupported"."""


@dataclass(frozen=True, slots=True)
class Head:
    """What the beginning of a file tells; of what is not CSV, only the format.

    `encoding`: how to decode the text, a name that `text.codec_of` knows. `looks_like`: "windows-1252" where the text
    is said to be UTF-8, is not, and reads well in that encoding. `separator_line`: the file begins with a line like
    `sep=;`, which is no row. `names`: the first row, trimmed; empty where there is none, or none that can be read.
    `rows`: of the next 100 rows those that can be read and have as many fields.
    """

    format: Format
    encoding: str = "utf-8"
    looks_like: str | None = None
    delimiter: str = ","
    quoted: bool = True
    separator_line: bool = False
    names: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def read_head(
    files: SegmentFiles,
    file: SegmentFile,
    *,
    delimiter: str | None = None,
    quoted: bool = True,
    encoding: str | None = None,
) -> Head:
    """Return what the first `HEAD_BYTES` of a file tell; `delimiter` and `encoding` are what is stated of it, if any.

    The file's own word comes first: a line `sep=`, a byte order mark. Raises `Stop` for a damaged gzip file.
    """
    with contextlib.closing(files.open(file, HEAD_BYTES)) as stream:
        stored = stream.read(HEAD_BYTES)
    whole = len(stored) < HEAD_BYTES
    beginning = b""
    for chunk in unpacked(io.BytesIO(stored), file, whole=whole):
        beginning += chunk
        if len(beginning) > HEAD_BYTES:
            whole = False
            break
    beginning = beginning[:HEAD_BYTES]
    encoding, mark = encoding_of(beginning, encoding or "utf-8")
    text = b"".join(decoded([beginning[mark:]], encoding))
    kind = _format_of(beginning, text)
    if kind is Format.PARQUET and stored.startswith(GZIP):
        kind = Format.PACKED_PARQUET
    if kind is not Format.CSV:
        return Head(kind)
    return _csv_head(text, file, encoding, delimiter, quoted=quoted, whole=whole)


def refuse_format(file: SegmentFile, head: Head) -> Stop:
    """Return the refusal of a file that is neither CSV nor Parquet: what it is, and what to do."""
    case = {"case": _CASES[head.format]} if head.format in _CASES else {}
    return Stop.of("format_unsupported", file=file.path, format=head.format.name.lower(), **case)


def first_record(data: bytes, syntax: Syntax, *, final: bool) -> tuple[CsvRecord, int] | None:
    """Return the first row and where the next one begins; None when `data` ends earlier, and more may follow."""
    # Only one window is examined, so that a first row without an end cannot fill the memory.
    return syntax.record_at(data, 0, final=final or len(data) > WINDOW_BYTES) if data else None


def names_of(record: CsvRecord) -> tuple[str, ...]:
    """Return the fields of a first row as column names: UTF-8, else Windows-1252; none when it cannot be read."""
    if isinstance(record, Reason):
        return ()
    try:
        return tuple(field.decode().strip() for field in record)
    except UnicodeDecodeError:
        return tuple(field.decode("cp1252", errors="replace").strip() for field in record)


def _csv_head(
    text: bytes, file: SegmentFile, encoding: str, delimiter: str | None, *, quoted: bool, whole: bool
) -> Head:
    line = _SEPARATOR_LINE.match(text)
    if line:
        text, delimiter = text[line.end() :], line[1].decode()
    elif delimiter is None and _TAB_NAME.fullmatch(file.path):
        delimiter = "\t"
    samples = [_Sample(text, each, quoted=quoted, final=whole) for each in delimiter or DELIMITERS]
    best = max(samples, key=_Sample.likelihood)
    return Head(
        Format.CSV,
        encoding,
        looks_like(text),
        best.delimiter,
        quoted,
        separator_line=line is not None,
        names=best.names,
        rows=best.rows(),
    )


class _Sample:
    """The beginning of a text, split by one delimiter."""

    def __init__(self, text: bytes, delimiter: str, *, quoted: bool, final: bool) -> None:
        records = Syntax(delimiter, quoted=quoted).records(text, final=final)
        found = (record for record, _, _ in records if record != [])
        self.delimiter = delimiter
        self.names = names_of(next(found, []))
        self._records = list(itertools.islice(found, MOST_ROWS))

    def likelihood(self) -> tuple[float, bool, int]:
        """Return how well this delimiter fits, to be compared; one that splits nothing fits worst.

        The rows agree with the header in their number of fields, in tenths, since a few rows may be broken; a whole
        field of the header is a usual name; and there are many of them.
        """
        count = len(self.names)
        if count <= 1:
            return 0.0, False, 0
        agree = sum(not isinstance(record, Reason) and len(record) == count for record in self._records)
        share = agree / len(self._records) if self._records else 1.0
        named = any(is_usual(name) and not set(DELIMITERS) & set(name) for name in self.names)
        return round(share, 1), named, count

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """Return the rows that can be read, as text."""
        rows = []
        for record in self._records:
            if not isinstance(record, Reason) and len(record) == len(self.names):
                with contextlib.suppress(UnicodeDecodeError):
                    rows.append(tuple(field.decode() for field in record))
        return tuple(rows)


def _format_of(beginning: bytes, text: bytes) -> Format:
    """Return what a file is: its first bytes, and those as UTF-8."""
    if not text:
        return Format.EMPTY
    for start, signs in ((beginning, _SIGNS), (text, _TEXT_SIGNS)):
        for sign, kind in signs:
            if sign.match(start):
                return kind
    controls = len(_CONTROL.findall(text))
    if controls > max(_FEW_CONTROLS, len(text) / 32) and (not _is_utf8(text) or text.count(0) > len(text) / 8):
        return Format.BINARY
    return Format.CSV


def _is_utf8(text: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(text)  # the end may cut a character in two
    except UnicodeDecodeError:
        return False
    return True
