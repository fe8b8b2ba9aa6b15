"""What connections and exports have in common."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from exporter.definitions.connections import Connection
from exporter.definitions.exports import Export, ExportDefinition
from exporter.definitions.resources import SENT
from tests.unit.definitions.members import AUDITED, CONNECTION, EXPORT


@pytest.mark.parametrize("bad", ["", "0" * 64, "Main", "main-", "a b", "../x"])
def test_ids_are_safe_in_the_names_of_blobs(bad: str) -> None:
    with pytest.raises(ValidationError):
        Connection.model_validate(CONNECTION | {"id": bad})
    with pytest.raises(ValidationError):
        Export.model_validate({**EXPORT, **AUDITED, "id": bad})
    assert Export.model_validate({**EXPORT, **AUDITED, "id": "0" * 63}).id == "0" * 63


TURNS = [
    *map(chr, (*range(0x20), 0x7F, 0x85, 0x61C, 0x200E, 0x200F)),
    *map(chr, range(0x2028, 0x202F)),
    *map(chr, range(0x2066, 0x206A)),
]
HARMLESS = [
    " ",
    "~",
    "\x80",
    "\x84",
    "\x86",
    "\u061b",
    "\u061d",
    "\u200d",
    "\u2010",
    "\u2027",
    "\u202f",
    "\u2065",
    "\u206a",
]


def sent(**members: object) -> ExportDefinition:
    return ExportDefinition.model_validate(EXPORT | members, context=SENT)


@pytest.mark.parametrize("character", TURNS)
def test_a_name_that_is_sent_neither_breaks_nor_turns_the_text_around_it(character: str) -> None:
    with pytest.raises(ValidationError):
        sent(displayName=f"a{character}b")


@pytest.mark.parametrize("character", HARMLESS)
def test_a_name_may_hold_any_other_character(character: str) -> None:
    assert sent(displayName=f"a{character}b").display_name == f"a{character}b"


def test_a_refused_text_is_told_in_words() -> None:
    with pytest.raises(ValidationError, match="must be one line without characters that change the direction of text"):
        sent(displayName="a\u202eb")
    with pytest.raises(ValidationError, match="must not hold the character NUL"):
        sent(dataMatching={"email": "a\0"})


def test_a_column_that_is_sent_holds_no_nul() -> None:
    assert sent(dataMatching={"email": "a\u202eb"}).data_matching.email == "a\u202eb"
    for column in ("\0", "a\0b"):
        with pytest.raises(ValidationError):
            sent(dataMatching={"email": column})


def test_what_was_stored_before_stays_readable() -> None:
    stored = EXPORT | {"displayName": "a\u202eb", "dataMatching": {"email": "a\0b"}}
    assert ExportDefinition.model_validate(stored).display_name == "a\u202eb"


def test_who_last_changed_a_resource_may_be_unknown() -> None:
    assert Connection.model_validate(CONNECTION).updated_by_role is None
