"""rejects.csv: every row that did not become a confirmed contact, for people. RFC 4180, and safe in a spreadsheet."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import orjson

from exporter.activecampaign import bodies
from exporter.delivery.manifest import Manifest
from exporter.reasons import BY_CODE, Reason

COLUMNS = ("file", "row", "customerId", "email", "reason", "explanation")
# Without a byte order mark, Excel does not read UTF-8: https://support.microsoft.com/office/8a935af5-3416-4edd-ba7e-3dfd2bc4a032
BYTE_ORDER_MARK = codecs.BOM_UTF8
HEADER = BYTE_ORDER_MARK + ",".join(COLUMNS).encode() + b"\r\n"
csv.field_size_limit(2**31 - 1)
"""The csv module refuses cells of more than 128 KiB unless it is told otherwise, which holds for the whole process. A
cell of a report is as large as the file has it, and nothing else here reads with that module."""


class Reject(NamedTuple):
    """A row that was set aside: its file, its number among the data rows of that file (from 1), and why.

    Customer id and e-mail are as the file has them, empty where the row could not be read.
    """

    path: str
    row: int
    customer_id: str
    email: str
    reason: Reason
    explanation: str


def contact_rejects(
    manifest: Manifest, body: bytes, references: bytes, reasons: Mapping[int, Reason]
) -> Iterator[Reject]:
    """Yield the contacts of a batch at these positions as lines of the reject report."""
    emails, rows = bodies.addresses(body), orjson.loads(references)
    for position, reason in sorted(reasons.items()):
        row, customer_id, *_ = rows[position]
        yield Reject(*manifest.locate(row), customer_id or "", emails[position], reason, reason.explanation)


def lines(rejects: Iterable[Reject]) -> bytes:
    """Return rejects as lines of the report."""
    return "".join(
        f"{_cell(path)},{row},{_cell(customer_id)},{_cell(email)},{reason},{_cell(explanation)}\r\n"
        for path, row, customer_id, email, reason, explanation in rejects
    ).encode()


def line(cells: Iterable[str]) -> bytes:
    """Return cells as a line of a report."""
    return (",".join(map(_cell, cells)) + "\r\n").encode()


def remark(sentence: str) -> bytes:
    """Return a line that tells of no row: what somebody has to know who reads the report."""
    return line(("", "", "", "", "", sentence))


def reject_rows(pieces: Iterable[bytes]) -> Iterator[Reject]:
    """Read a reject report, or some whole lines of one, from its bytes in pieces; remarks are left out."""
    for path, row, customer_id, email, reason, explanation in csv.reader(_lines(pieces)):
        if reason in BY_CODE:  # the header has none
            yield Reject(_text(path), int(row), _text(customer_id), _text(email), BY_CODE[reason], _text(explanation))


class Counted:
    """The pieces of a report, passed on; `rows` is how many rows it had, once all pieces have been taken."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        """Count nothing yet."""
        self.rows = -1  # the header
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        """Yield the pieces. A line ends with a line feed; one within quotes belongs to a cell."""
        quoted = 0
        for piece in self._pieces:
            parts = piece.split(b'"')
            self.rows += sum(part.count(b"\n") for part in parts[quoted::2])
            quoted ^= (len(parts) - 1) & 1
            yield piece


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    rest = ""
    for text in codecs.iterdecode(pieces, "utf-8-sig"):
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            yield f"{line}\n"
    if rest:
        yield rest


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def _cell(text: str) -> str:
    """Return a text as a cell of the file: quoted where needed, and harmless.

    What a spreadsheet would run as a formula gets a leading apostrophe: https://owasp.org/www-community/attacks/CSV_Injection.
    """
    if _PLAIN.fullmatch(text):
        return text
    if text.startswith(_FORMULA):
        text = f"'{text}"
    quoted = text.replace('"', '""')
    return f'"{quoted}"'


_PLAIN = re.compile(r"(?![=+@\t-])[^\",\r\n]*+")


def _text(cell: str) -> str:
    """Return the text of a cell, without the apostrophe that `_cell` may have added."""
    return cell[1:] if cell.startswith("'") and cell.startswith(_FORMULA, 1) else cell
