"""The plan step as others would write it. Each function reads one headerless CSV file of a segment and writes what
`exporter.records.payload.PlanWriter` writes: bodies and row references to `payload`, set aside rows to `rejects`.

`with_csv` is also the oracle of the differential tests: the standard library's csv module, a regular expression, orjson
and a dictionary, in an order of steps that is easy to check by reading.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import unquote

import idna
import orjson

ADDRESS = re.compile(
    r"(?=.{1,64}@)(?=.{1,254}\Z)[\w!#$%&*+/=?^`{|}~-]+(\.[\w!#$%&*+/=?^`{|}~-]+)*@"
    r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}",
    re.ASCII | re.IGNORECASE,
)
BLANK = " \t\r\n\u00a0"
LINE_BREAK = re.compile("[\x0b\x0c\x85\u2028\u2029]")
UNSEEN = re.compile("[\0-\x08\x0e-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
NOTHING = {
    *(r"null", r"(null)", r"<null>", r"[null]", r"\n", r"none", r"nan", r"nat", r"<na>", r"n/a", r"undefined"),
    *("#n/a", "#ref!", "#value!", "#name?", "#num!", "#null!", "#div/0!", "#spill!", "#calc!", "#error!", "#field!"),
    *("#blocked!", "#unknown!", "#connect!", "#getting_data", "#nv", "#bezug!", "#wert!", "#zahl!"),
    *("#n/d", "#nom?", "#valeur!", "#nombre!", "#\u00a1ref!", "#\u00a1valor!"),
}
DAMAGED = re.compile(r"-\d+([.,]\d+)?|[+-]?\d+([.,]\d+)?[eE]\+?\d+")


@dataclass(frozen=True)
class Task:
    """Positions of the columns, and the envelope; `fields` are (position, id of the custom field).

    `consent` is (position, value in lower case); only `with_csv` looks at it, and at contacts too large for a request.
    """

    columns: int
    email: int
    first_name: int
    last_name: int
    phone: int
    fields: tuple[tuple[int, int], ...]
    customer_id: int
    previous_customer_id: int
    prefix: bytes
    contact_tail: bytes
    suffix: bytes
    max_contacts: int = 250
    max_bytes: int = 399_999
    consent: tuple[int, str] | None = None

    @property
    def room_bytes(self) -> int:
        """How many bytes the contacts of a request may have, with commas between them."""
        return self.max_bytes - len(self.prefix) - len(self.suffix)


Sink = Any  # anything with write(bytes)


def address_in(text: str) -> str:
    """Return the address in a cell: alone, after `mailto:`, or in angle brackets after a name."""
    found = UNSEEN.sub("", LINE_BREAK.sub("\n", text.strip(BLANK)))
    found = found.replace("\u200c", "").replace("\u200d", "").strip(BLANK)
    if found.lower() in NOTHING:
        return ""
    if found.endswith((";", ",", ".")):
        found = found[:-1].rstrip(BLANK)
    if found.endswith(">") and found.count("<") == found.count(">") == 1:
        found = found[found.index("<") + 1 : -1].strip(BLANK)
    if found.lower().startswith("mailto:"):
        found = unquote(found[len("mailto:") :].partition("?")[0]).strip(BLANK)
    local, _, domain = found.rpartition("@")
    if local.isascii() and not domain.isascii():
        with contextlib.suppress(idna.IDNAError):
            return f"{local}@{idna.encode(domain, uts46=True).decode()}"
    return found


def cleaned(text: str) -> str:
    """Return a text without what nobody sees, and empty if it means that there is no value."""
    found = UNSEEN.sub("", LINE_BREAK.sub("\n", text))
    return "" if found.strip(BLANK).lower() in NOTHING else found


def folded(text: str) -> str:
    """Return a text as it is compared with what allows sending."""
    seen = UNSEEN.sub("", LINE_BREAK.sub("\n", text)).strip()
    return unicodedata.normalize("NFC", seen).casefold()


def contact(task: Task, email: str, row: Any) -> bytes:
    """Return the JSON of a contact; `row` is indexed by position."""
    found: dict[str, Any] = {"email": email}
    for member in ("first_name", "last_name", "phone"):
        if value := cleaned(row[getattr(task, member)]).strip(BLANK):
            found[member] = value
    phone = found.get("phone", "")
    if DAMAGED.fullmatch(phone):
        del found["phone"]
    elif re.fullmatch(r"\+?\d+\.0", phone):
        found["phone"] = phone[:-2]
    values = [(number, cleaned(row[at])) for at, number in task.fields]
    fields = [{"id": number, "value": value} for number, value in values if value.strip(BLANK)]
    if fields:
        found["fields"] = fields
    return orjson.dumps(found)[:-1] + task.contact_tail


def reference(task: Task, number: int, row: Any) -> bytes:
    """Return what names the row of a contact."""
    previous = row[task.previous_customer_id]
    return orjson.dumps([number, row[task.customer_id] or None, *([previous] if previous else [])])


def rows_with_csv(file: BinaryIO) -> Iterator[list[str]]:
    """Yield the rows of a file that is legal CSV in UTF-8."""
    with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
        yield from filter(None, csv.reader(text))


def with_csv(file: BinaryIO, task: Task, payload: Sink, rejects: Sink) -> list[str]:
    """The standard library's csv module and orjson, row by row."""

    def says_no(row: list[str]) -> bool:
        return bool(len(row) == task.columns and task.consent and folded(row[task.consent[0]]) != task.consent[1])

    held_back: set[str] = set()
    if task.consent:
        data = file.read()
        held_back = {address_in(row[task.email]).lower() for row in rows_with_csv(io.BytesIO(data)) if says_no(row)}
        file = io.BytesIO(data)

    def contacts() -> Iterator[tuple[bytes, bytes]]:
        seen: dict[int, int] = {}
        lines = csv.writer(out := io.StringIO(newline=""))
        for number, row in enumerate(rows_with_csv(file), 1):
            whole = len(row) == task.columns
            email = address_in(row[task.email]) if whole else ""
            if says_no(row):
                lines.writerow((number, row[task.customer_id], email, "no consent"))
            elif not whole or not ADDRESS.fullmatch(email):
                lines.writerow((number, row[task.customer_id] if whole else "", email, "invalid"))
            elif len(text := contact(task, email, row)) > task.room_bytes:
                lines.writerow((number, row[task.customer_id], email, "too large"))
            elif email.lower() in held_back:
                lines.writerow((number, row[task.customer_id], email, "no consent"))
            elif (first := seen.setdefault(hash(email.lower()), number)) != number:
                lines.writerow((number, row[task.customer_id], email, f"duplicate of {first}"))
            else:
                yield text, reference(task, number, row)
            if out.tell() > 1 << 20:
                rejects.write(out.getvalue().encode())
                out.seek(0)
                out.truncate()
        rejects.write(out.getvalue().encode())

    return write_batches(contacts(), task, payload)


def write_batches(contacts: Iterable[tuple[bytes, bytes]], task: Task, payload: Sink) -> list[str]:
    """Cut contacts into batches; one that is smaller than ten takes contacts from the one before, as far as it can."""
    room = task.room_bytes
    before: list[tuple[bytes, bytes]] = []
    batch: list[tuple[bytes, bytes]] = []
    digests: list[str] = []
    size = 0

    def close() -> None:
        nonlocal before, batch, size
        for _ in range(min(10 - len(batch), (len(before) - len(batch)) // 2)):
            size += len(before[-1][0]) + 1
            if size - 1 > room:
                break
            batch.insert(0, before.pop())
        write(before)
        before, batch, size = batch, [], 0

    def write(batch: list[tuple[bytes, bytes]]) -> None:
        if batch:
            body = task.prefix + b",".join([text for text, _ in batch]) + task.suffix
            digests.append(hashlib.sha256(body).hexdigest())
            payload.write(body)
            payload.write(b"[" + b",".join([row for _, row in batch]) + b"]")

    for one in contacts:
        if len(batch) == task.max_contacts or size + len(one[0]) > room:
            close()
        batch.append(one)
        size += len(one[0]) + 1
    close()
    write(before)
    return digests


def with_pandas(file: BinaryIO, task: Task, payload: Sink, rejects: Sink) -> list[str]:
    """Pandas with care: in chunks, only the columns that are needed, texts stay texts, checks on whole columns."""
    import pandas as pd  # noqa: PLC0415 - nobody else here shall pay for it

    sent = [task.first_name, task.last_name, task.phone, *(at for at, _ in task.fields)]
    needed = sorted({task.email, task.customer_id, task.previous_customer_id, task.columns - 1, *sent})

    def contacts() -> Iterator[tuple[bytes, bytes]]:
        seen: dict[int, int] = {}
        for chunk in pd.read_csv(
            file,
            header=None,
            names=range(task.columns),
            usecols=needed,
            dtype=str,
            keep_default_na=False,
            # Pandas does not tell a field that is not there from an empty one; in this data the last is never empty.
            na_values={task.columns - 1: [""]},  # type: ignore[dict-item]  # columns are named by numbers here
            chunksize=100_000,
        ):
            number = chunk.index + 1
            whole = chunk[task.columns - 1].notna()
            email = chunk[task.email].fillna("").map(address_in)
            good = whole & email.str.fullmatch(ADDRESS)
            first = [
                seen.setdefault(hash(one), at) if ok else at
                for one, at, ok in zip(email.str.lower(), number, good, strict=True)
            ]
            fresh = good & (number == first)
            aside = chunk[~fresh]
            rejects.write(
                pd.DataFrame({"row": number[~fresh], "id": aside[task.customer_id], "email": email[~fresh]})
                .to_csv(index=False, header=False)
                .encode()
            )
            kept = chunk[fresh]
            columns = [kept[at].tolist() if at in kept else [None] * len(kept) for at in range(task.columns)]
            for at, address, *row in zip(number[fresh].tolist(), email[fresh].tolist(), *columns, strict=True):
                yield contact(task, address, row), reference(task, at, row)

    return write_batches(contacts(), task, payload)
