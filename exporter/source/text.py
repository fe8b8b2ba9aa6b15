"""The text of a file as UTF-8, in chunks: decompressed and decoded, whatever it was stored as."""

from __future__ import annotations

import codecs
import itertools
import re
import zlib
from collections.abc import Iterable, Iterator
from encodings.aliases import aliases
from typing import BinaryIO

from exporter.errors import Stop
from exporter.source.files import SegmentFile
from exporter.source.formats.csv_records import MAX_ROW_BYTES

READ_BYTES = (
    1 << 16
)  # of compressed data at a time, since what follows a gzip member is copied, and a member can be tiny
CHUNK_BYTES = MAX_ROW_BYTES - 2 * READ_BYTES  # with what was left over, most chunks make one block of MAX_ROW_BYTES
MAX_INFLATED_BYTES, MAX_RATIO = 1 << 30, 100  # a gzip file may hold 1 GiB plus a hundred times its size
GZIP = b"\x1f\x8b"
_GZIP_WBITS = 31  # a gzip header and checksum: https://docs.python.org/3/library/zlib.html#zlib.decompress

ENCODINGS = {
    "utf-8": "utf-8",
    "utf-16": "utf-16-le",  # without a mark, and without zero bytes that tell more, as Windows writes it
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "us-ascii": "utf-8",
    **{f"windows-{number}": f"cp{number}" for number in (874, *range(1250, 1259))},
    **{f"iso-8859-{part}": f"iso8859-{part}" for part in (*range(2, 9), 10, *range(13, 17))},
    "iso-8859-1": "cp1252",
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
    "ibm437": "cp437",
    "ibm850": "cp850",
    "ibm852": "cp852",
    "ibm866": "cp866",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "macintosh": "mac-roman",
    "shift_jis": "cp932",
    "euc-jp": "euc-jp",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "big5": "big5hkscs",
    "euc-kr": "cp949",
}
"""The encodings that may be stated, by their IANA names (https://www.iana.org/assignments/character-sets), with
Python's codecs. Where a program writes more than the name says, it is read too, as browsers do:
https://encoding.spec.whatwg.org/#names-and-labels. All of them keep the line ends, commas and quotes of ASCII apart."""

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16le"), (codecs.BOM_UTF16_BE, "utf-16be"))
_UNICODE = ("utf-8", "utf-16-le", "utf-16-be")
_SEEN_BYTES = 4_096  # of a text tell whether it is UTF-16 without a mark
_FOREIGN = re.compile(r"[^\x00-\x7f]")
_HIGH = re.compile(rb"[\x80-\xff]")
_HIGH_RUN = re.compile(rb"[\x80-\xff]{3,}")
_WESTERN = re.compile(
    rb"[\x8a\x8c\x8e\x9a\x9c\x9e\x9f\xaa\xba\xc0-\xd6\xd8-\xf6\xf8-\xff"  # letters of Windows-1252
    rb"\x80\x82\x84\x85\x91-\x97\x99\xa0\xa1\xa7\xa9\xab\xae\xb0\xb2\xb4\xb7\xbb\xbd\xbf]"  # its usual signs
)


def text_of(stream: BinaryIO, file: SegmentFile, encoding: str = "utf-8") -> Iterator[bytes]:
    """Yield the text of a file as UTF-8, without byte order mark, in chunks; only the last one is empty.

    `encoding` is a name that `codec_of` knows; what the file itself says comes first, as in `encoding_of`. Bytes that
    the encoding does not have become bytes that UTF-8 does not have, so that their row is rejected.
    """
    chunks = unpacked(stream, file)
    first = next(chunks, b"")
    codec, mark = encoding_of(first, encoding)
    yield from filter(None, decoded(itertools.chain([first[mark:]], chunks), codec))
    yield b""


def unpacked(stream: BinaryIO, file: SegmentFile, *, whole: bool = True) -> Iterator[bytes]:
    """Yield what a file holds, decompressed, in chunks; without `whole`, the file goes on where `stream` ends."""
    start = stream.read(READ_BYTES)
    compressed = start.startswith(GZIP)
    pieces = itertools.chain([start], _pieces(stream, READ_BYTES if compressed else CHUNK_BYTES))
    chunks = _joined(_inflate(pieces, file, whole=whole) if compressed else pieces)
    first = next(chunks, b"")
    if compressed and first.startswith(GZIP):
        raise Stop.of("gzip_nested", file=file.path)
    yield from filter(None, itertools.chain([first], chunks))


def codec_of(name: str) -> str | None:
    """Return Python's codec for the name of an encoding, in whatever case, with `-` or `_`; None: it is not read."""
    return _CODECS.get(_letters(name))


def encoding_of(beginning: bytes, stated: str = "utf-8") -> tuple[str, int]:
    """Return how a text that begins so is encoded, and how many bytes its byte order mark has.

    A byte order mark says more than what was `stated`. Where neither says more than Unicode, UTF-16 without a mark is
    told by its zero bytes.
    """
    for mark, encoding in _MARKS:
        if beginning.startswith(mark):
            return encoding, len(mark)
    return (_utf16_without_mark(beginning) if codec_of(stated) in _UNICODE else None) or stated, 0


def decoded(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Return a text in UTF-8; what is invalid becomes invalid UTF-8."""
    codec = codec_of(encoding)
    if codec is None:
        raise ValueError(encoding)
    return iter(chunks) if codec == "utf-8" else _joined(_from_codec(chunks, codec))


def looks_like(sample: bytes) -> str | None:
    """Return "windows-1252" for a text that is not UTF-8 and reads well in that encoding; None otherwise.

    The end of `sample` may cut a character in two. A few bytes that are wrong do not make UTF-8 another encoding, nor
    does Windows-1252 have words of foreign letters only, as other encodings read in it seem to have.
    """
    text = codecs.getincrementaldecoder("utf-8")(errors="replace").decode(sample)
    wrong = text.count("\ufffd")
    sound = len(_FOREIGN.findall(text)) - wrong
    high, usual = len(_HIGH.findall(sample)), len(_WESTERN.findall(sample))
    in_runs = sum(map(len, _HIGH_RUN.findall(sample)))
    western = wrong > sound and usual >= 0.9 * high and in_runs <= 0.5 * high
    return "windows-1252" if western else None


def _letters(name: str) -> str:
    return re.sub(r"[-_ ]", "", name.strip().lower())


def _codecs() -> dict[str, str]:
    """Return the codecs by the letters of each name that Python knows for an encoding that is read."""
    names = {name.replace("-", "_"): codec for name, codec in ENCODINGS.items()}
    read = {aliases.get(name, name): codec for name, codec in names.items()}
    return {
        **{_letters(alias): read[of] for alias, of in aliases.items() if of in read},
        **{_letters(python): codec for python, codec in read.items()},
        **{_letters(codec): codec for codec in ENCODINGS.values()},
        **{_letters(name): codec for name, codec in ENCODINGS.items()},
    }


_CODECS = _codecs()


def _utf16_without_mark(beginning: bytes) -> str | None:
    """Return which UTF-16 a text is whose characters have a zero byte each time in the same half, else None."""
    seen = beginning[:_SEEN_BYTES]
    even, odd = seen[::2].count(0), seen[1::2].count(0)
    if max(even, odd) < max(3, len(seen) / 8) or min(even, odd) > max(even, odd) / 10:
        return None
    return "utf-16le" if odd > even else "utf-16be"


def _pieces(stream: BinaryIO, size_bytes: int) -> Iterator[bytes]:
    while piece := stream.read(size_bytes):
        yield piece


def _joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield small pieces together: each chunk costs time, whatever its size."""
    gathered: list[bytes] = []
    size_bytes = 0
    for piece in filter(None, pieces):
        gathered.append(piece)
        size_bytes += len(piece)
        if size_bytes >= CHUNK_BYTES:
            yield b"".join(gathered)
            gathered, size_bytes = [], 0
    if gathered:
        yield b"".join(gathered)


def _inflate(pieces: Iterable[bytes], file: SegmentFile, *, whole: bool) -> Iterator[bytes]:
    """Yield what the members of a gzip file hold, bounded: https://www.rfc-editor.org/rfc/rfc1952."""
    max_bytes = MAX_INFLATED_BYTES + MAX_RATIO * file.size_bytes
    inflated_bytes = 0
    member = zlib.decompressobj(wbits=_GZIP_WBITS)
    for piece in pieces:
        rest = piece
        while True:
            if member.eof:
                rest = rest.lstrip(b"\0")  # a member may be padded with zeros
                if not rest:
                    break
                member = zlib.decompressobj(wbits=_GZIP_WBITS)
            try:
                inflated = member.decompress(rest, READ_BYTES)
            except zlib.error as error:
                raise Stop.of("gzip_damaged", file=file.path) from error
            yield inflated
            inflated_bytes += len(inflated)
            if inflated_bytes > max_bytes:
                sizes = {"sizeBytes": file.size_bytes, "mostBytes": max_bytes}
                raise Stop.of("gzip_too_dense", file=file.path, ratio=MAX_RATIO, **sizes)
            rest = member.unused_data if member.eof else member.unconsumed_tail
            if not rest and len(inflated) < READ_BYTES:
                break
    if whole and not member.eof:
        raise Stop.of("gzip_truncated", file=file.path)


def _from_codec(chunks: Iterable[bytes], codec: str) -> Iterator[bytes]:
    # What is invalid becomes a surrogate of its own, and that invalid UTF-8.
    decoder = codecs.getincrementaldecoder(codec)("surrogatepass" if codec.startswith("utf-16") else "surrogateescape")
    for chunk in chunks:
        for start in range(0, len(chunk), READ_BYTES):  # in pieces, since the text may be longer
            yield decoder.decode(chunk[start : start + READ_BYTES]).encode(errors="surrogatepass")
    if decoder.getstate()[0]:  # half a character
        yield b"\xff"
