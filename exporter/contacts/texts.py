"""What is done to every text before anything is decided by it: cleaning, and telling that a text means "no value".

One list and one function each, the same for all columns. What was done is a `Notice`, which is counted by contact.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

BLANKS = " \t\r\n\u00a0"  # the last one comes from spreadsheets and web pages
_OF_PROGRAMS = ("null", "(null)", "<null>", "[null]", "\\n", "none", "nan", "nat", "<na>", "n/a", "undefined")
_OF_SPREADSHEETS = (
    *("#n/a", "#ref!", "#value!", "#name?", "#num!", "#null!", "#div/0!", "#spill!", "#calc!", "#error!", "#field!"),
    *("#blocked!", "#unknown!", "#connect!", "#getting_data"),
    *("#nv", "#bezug!", "#wert!", "#zahl!", "#n/d", "#nom?", "#valeur!", "#nombre!", "#\u00a1ref!", "#\u00a1valor!"),
)
NO_VALUE_TEXTS = frozenset((*_OF_PROGRAMS, *_OF_SPREADSHEETS))
"""Texts that programs write where there is no value, without case: databases (`\\N` is what MySQL and Hive write),
Python and pandas, JavaScript, and the errors of a spreadsheet's cells."""
LINE_BREAKS = "\x0b\x0c\x85\u2028\u2029"
"""What other systems end a line with; 0x0B is what Office does within a cell."""
INVISIBLE = "\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
"""Characters that nobody sees, as a class of a regular expression: of width zero, and marks of direction, which come
with telephone numbers that were copied. Joiners (U+200C, U+200D) stay: words of several languages need them."""
_JOINERS = "\u200c\u200d"
_CONTROL = "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"
_UNUSUAL = re.compile(f"[{_CONTROL}{LINE_BREAKS}{INVISIBLE}]")
_TO_DROP = {"control": re.compile(f"[{_CONTROL}]"), "invisible": re.compile(f"[{INVISIBLE}]")}
_LINE_BREAK = re.compile(f"[{LINE_BREAKS}]")


class Notice(StrEnum):
    """Something that was cleaned in the values of a contact, by its code; `sentences` has the sentences."""

    NO_VALUE = "no_value"
    TRIMMED = "trimmed"
    LINE_BREAKS = "line_breaks"
    CONTROL_CHARACTERS = "control_characters"
    INVISIBLE = "invisible"
    ADDRESS_CLEANED = "address_cleaned"
    PUNYCODE = "punycode"
    WHOLE_NUMBER = "whole_number"


def cleaned(text: str, notices: set[Notice]) -> str:
    """Return a text without what nobody sees; what was done is added to `notices`."""
    if not _UNUSUAL.search(text):
        return text
    text, breaks = _LINE_BREAK.subn("\n", text)
    text, controls = _TO_DROP["control"].subn("", text)
    text, invisible = _TO_DROP["invisible"].subn("", text)
    notices.update(
        notice
        for notice, count in (
            (Notice.LINE_BREAKS, breaks),
            (Notice.CONTROL_CHARACTERS, controls),
            (Notice.INVISIBLE, invisible),
        )
        if count
    )
    return text


def trimmed(text: str, notices: set[Notice]) -> str:
    """Return a text without blanks around it; it is a notice if anything else is left."""
    bare = text.strip(BLANKS)
    if bare and len(bare) < len(text):
        notices.add(Notice.TRIMMED)
    return bare


def means_no_value(text: str) -> bool:
    """Whether a text without blanks around it is one of `NO_VALUE_TEXTS`."""
    return text.lower() in NO_VALUE_TEXTS


_LONGEST_NORMALIZED = 1_000
"""Normalizing takes time by the square of the length where accents follow one another, and nothing so long is named."""


def folded(text: str) -> str:
    """Return a text so that texts are equal if they differ in case, outer blanks, and what nobody sees."""
    bare = cleaned(text, set()).strip()
    if len(bare) <= _LONGEST_NORMALIZED:
        bare = unicodedata.normalize("NFC", bare)
    return bare.casefold()


def without_joiners(text: str) -> str:
    """Return a text without joiners, which have no place in an address."""
    return text.translate(dict.fromkeys(map(ord, _JOINERS)))
