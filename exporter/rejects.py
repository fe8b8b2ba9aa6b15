"""rejects.csv: every row that did not become a confirmed contact, for people. RFC 4180, and safe in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import NamedTuple

from exporter.reasons import Reason

COLUMNS = ("file", "row", "customerId", "email", "reason", "explanation")

# Without a byte order mark, Excel does not read UTF-8: https://support.microsoft.com/office/8a935af5-3416-4edd-ba7e-3dfd2bc4a032
HEADER = ("\ufeff" + ",".join(COLUMNS) + "\r\n").encode()


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


def lines(rejects: Iterable[Reject]) -> bytes:
    """Return the lines of rejects."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(
        (_harmless(path), row, _harmless(customer_id), _harmless(email), reason, explanation)
        for path, row, customer_id, email, reason, explanation in rejects
    )
    return text.getvalue().encode()


def _harmless(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would run: https://owasp.org/www-community/attacks/CSV_Injection."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text
