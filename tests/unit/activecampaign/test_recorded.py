"""Answers as they were recorded and documented."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exporter.activecampaign.account import (
    ContactList,
    CustomField,
    ListingPage,
    User,
    read_fields_page,
    read_list,
    read_lists_page,
    read_user,
)
from exporter.activecampaign.imports import bulk_outcome, import_outcome
from exporter.activecampaign.outcomes import (
    Accepted,
    BulkOutcome,
    Completed,
    ContactFault,
    ImportOutcome,
    NotFound,
    RateLimited,
)
from exporter.activecampaign.wire import Answer, Reply
from tests.unit.activecampaign.answers import ID, answer, refused

OURS = Path(__file__).parents[2] / "shapes" / "activecampaign"
FOREIGN = Path(__file__).parents[4] / "shared" / "samples" / "activecampaign"
FOLDERS = [OURS, *([FOREIGN] if FOREIGN.is_dir() else [])]
RECORDED: dict[Path, tuple[Callable[[Reply], Any], object]] = {
    OURS / "get-fields.json": (
        lambda reply: read_fields_page(reply, 0),
        ListingPage(
            (
                CustomField(7, "Membership", "text", "MEMBERSHIP", (), frozenset()),
                CustomField(12, "Interests", "listbox", "INTERESTS", None, frozenset()),
            ),
            None,
        ),
    ),
    OURS / "get-field-that-is-not-there.json": (lambda reply: read_fields_page(reply, 0), NotFound()),
    OURS / "get-lists.json": (
        lambda reply: read_lists_page(reply, 0),
        ListingPage((ContactList(2, "Newsletter", None), ContactList(5, "Weekend offers", None)), None),
    ),
    OURS / "get-list.json": (read_list, ContactList(5, "Weekend offers", None)),
    OURS / "get-users-me.json": (read_user, User(4, "exporter")),
    OURS / "post-import-bulk-import.json": (bulk_outcome, Accepted("7c0f2d3e-58ab-4f16-9d1b-2a6e90c4b713", 250)),
    FOREIGN / "recorded-get-fields-200-anmol.json": (
        lambda reply: read_fields_page(reply, 0),
        ListingPage((CustomField(2, "Custom text", "text", "PERSTAG", (), frozenset()),), None),
    ),
    FOREIGN / "recorded-get-fields-200-mhenr.json": (
        lambda reply: read_fields_page(reply, 0),
        ListingPage((CustomField(414, "Custom text", "text", "PERSTAG", (), frozenset()),), None),
    ),
    FOREIGN / "recorded-get-fields-N-404-mhenr.json": (lambda reply: read_fields_page(reply, 0), NotFound()),
    FOREIGN / "recorded-get-lists-200-mhenr.json": (
        lambda reply: read_lists_page(reply, 0),
        ListingPage((ContactList(1, "Awesome List", None),), None),
    ),
    FOREIGN / "recorded-get-lists-N-200-anmol.json": (read_list, ContactList(65, "Awesome List", None)),
    FOREIGN / "recorded-get-lists-N-200-mhenr.json": (read_list, ContactList(3, "Awesome List", None)),
    FOREIGN / "recorded-get-users-me-200-mhenr.json": (read_user, User(1, "Jane")),
    FOREIGN / "recorded-post-import-bulk_import-200-anmol.json": (
        bulk_outcome,
        Accepted("3840817e-6908-41cc-92a6-469478d8994a", 1),
    ),
}
DOCUMENTED: dict[Path, tuple[list[BulkOutcome], list[ImportOutcome]]] = {
    OURS / "documented.json": (
        [
            Accepted("7c0f2d3e-58ab-4f16-9d1b-2a6e90c4b713", 12),
            refused((17, ContactFault.EMAIL)),
            RateLimited(60),
        ],
        [Completed(("no.dot@invalid", "apostrophe's@hotel.example"), 3), NotFound()],
    ),
    FOREIGN / "documented-bulk-import.json": (
        [Accepted(ID, 1), refused((230, ContactFault.EMAIL)), RateLimited(60)],
        [Completed(("invalid.email@invalidDomain", "invalid'character@example.com"), 4), NotFound()],
    ),
}


@pytest.mark.parametrize("folder", FOLDERS, ids=["ours", "foreign"][: len(FOLDERS)])
def test_every_answer_is_a_case(folder: Path) -> None:
    assert {*folder.iterdir()} == {path for path in (*RECORDED, *DOCUMENTED) if path.parent == folder}


@pytest.mark.parametrize("path", [path for path in RECORDED if path.parent in FOLDERS], ids=lambda path: path.stem)
def test_a_recorded_answer(path: Path) -> None:
    record = json.loads(path.read_text("utf-8"))
    headers = {key.lower(): value for key, value in record["headers"].items()}
    read, expected = RECORDED[path]
    assert read(Answer(record["status"], headers, record["response_body"].encode())) == expected


@pytest.mark.parametrize("path", [path for path in DOCUMENTED if path.parent in FOLDERS], ids=lambda path: path.stem)
def test_every_documented_answer(path: Path) -> None:
    pages = json.loads(path.read_text("utf-8"))

    def outcomes(page: str, read: Callable[[Reply], object]) -> list[object]:
        return [
            read(answer(int(status), example["value"].encode()))
            for status, response in pages[page]["responses"].items()
            for example in response["content"]["application/json"]["examples"].values()
        ]

    bulk_imports, infos = DOCUMENTED[path]
    assert outcomes("POST /import/bulk_import", bulk_outcome) == bulk_imports
    assert outcomes("GET /import/info", import_outcome) == infos
