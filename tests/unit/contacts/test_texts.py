"""Every text is cleaned in one way, and what was done is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.contacts.texts import (
    NO_VALUE_TEXTS,
    Notice,
    cleaned,
    folded,
    means_no_value,
    trimmed,
    without_joiners,
)
from exporter.sentences import sentence


@pytest.mark.parametrize(
    ("text", "clean", "notices"),
    [
        ("Ada", "Ada", []),
        ("X", "X", []),
        ("a\tb\r\nc", "a\tb\r\nc", []),
        ("a\x0bb\x0cc\x85d\u2028e\u2029f", "a\nb\nc\nd\ne\nf", [Notice.LINE_BREAKS]),
        ("\x00a\x08\x0e\x1f\x7f\x80\x84\x86\x9fb", "ab", [Notice.CONTROL_CHARACTERS]),
        ("\ufeffa\u200b\u200e\u202a\u2060\u2069\u00adb", "ab", [Notice.INVISIBLE]),
        ("\u0646\u200c\u0627 \U0001f468\u200d\U0001f469", "\u0646\u200c\u0627 \U0001f468\u200d\U0001f469", []),
        ("\x00\x0b\u200b", "\n", [Notice.CONTROL_CHARACTERS, Notice.INVISIBLE, Notice.LINE_BREAKS]),
    ],
)
def test_what_nobody_sees_is_dropped_and_line_breaks_become_one_kind(
    text: str, clean: str, notices: list[Notice]
) -> None:
    seen: set[Notice] = set()
    assert cleaned(text, seen) == clean
    assert seen == set(notices)


def test_what_was_done_has_a_stable_code_and_words() -> None:
    assert [str(notice) for notice in Notice] == [notice.value for notice in Notice]
    assert [str(notice) for notice in Notice] == [
        *("no_value", "trimmed", "line_breaks", "control_characters", "invisible", "address_cleaned", "punycode"),
        "whole_number",
    ]
    assert all(": 7. " in sentence(notice, {"contacts": 7}) for notice in Notice)


@given(st.text())
def test_a_clean_text_stays_as_it_is(text: str) -> None:
    once = cleaned(text, set())
    seen: set[Notice] = set()
    assert cleaned(once, seen) == once
    assert not seen
    assert len(once) <= len(text)


@pytest.mark.parametrize(
    ("text", "bare", "told"),
    [
        (" a\u00a0", "a", True),
        ("a", "a", False),
        (" \t ", "", False),
        ("", "", False),
        ("XaX", "XaX", False),
        ("\u2003a", "\u2003a", False),
    ],
)
def test_blanks_around_a_text_are_told_unless_there_is_nothing_else(text: str, bare: str, *, told: bool) -> None:
    seen: set[Notice] = set()
    assert trimmed(text, seen) == bare
    assert seen == ({Notice.TRIMMED} if told else set())


@pytest.mark.parametrize(
    "text",
    [
        *(
            "NULL",
            "null",
            r"\N",
            "(null)",
            "<NULL>",
            "[null]",
            "None",
            "NaN",
            "nan",
            "NaT",
            "<NA>",
            "N/A",
            "n/a",
            "#N/A",
        ),
        *("#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!", "#DIV/0!", "#SPILL!", "#CALC!", "undefined"),
    ],
)
def test_what_programs_write_for_nothing_means_no_value(text: str) -> None:
    assert means_no_value(text)


@pytest.mark.parametrize("text", ["", "Nuller", "Nan Goldin", "NA", "No", "0", "-", "Nil", "n", "\\", "None of these"])
def test_what_people_write_is_a_value(text: str) -> None:
    assert not means_no_value(text)


def test_texts_that_mean_no_value_are_in_lower_case() -> None:
    assert {text.lower() for text in NO_VALUE_TEXTS} == NO_VALUE_TEXTS


def test_case_blanks_and_the_encoding_of_accents_do_not_tell_texts_apart() -> None:
    assert folded(" CAFE\u0301\u00a0") == folded("caf\u00e9")
    assert folded("Stra\u00dfe") == folded("STRASSE")
    assert folded("a b") != folded("ab")
    assert folded("\u2003A\u200b\u00a0") == "a"
    assert folded("a" + "\u0301\u0323" * 1_000) == "a" + "\u0301\u0323" * 1_000  # too long to be normalized


def test_joiners_have_no_place_in_an_address() -> None:
    assert without_joiners("a\u200cb\u200dXc") == "abXc"
