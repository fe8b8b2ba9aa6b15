"""The console says every reason in each of its languages, and draws it as what it is."""

import json
import re
from pathlib import Path

import pytest

from exporter.contacts.texts import Notice
from exporter.contacts.values import Flaw
from exporter.reasons import Bucket, Reason

CONSOLE = Path(__file__).parents[2] / "console" / "src"
LANGUAGES = ("en", "id")
LOOK = {
    Bucket.DUPLICATE: {"duplicate"},
    Bucket.REJECTED: {"left", "rules"},
    Bucket.REJECTED_BY_ACTIVECAMPAIGN: {"refused"},
    Bucket.UNCONFIRMED: {"unconfirmed", "notSent"},
}
"""How the rows of a bucket may look; those of `rules` and `duplicate` count as left out on purpose."""


def texts(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((CONSOLE / "texts" / f"{language}.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_has_a_name_and_says_what_to_do(language: str) -> None:
    known = {key.removeprefix("reason.") for key in texts(language) if key.startswith("reason.")}
    expected = {f"{reason}{part}" for reason in Reason for part in ("", ".do")}
    assert known - {"duplicate_email.row", "no_consent.row"} == expected  # these name the row that is why


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_why_a_value_does_not_fit_has_a_text_and_says_what_to_do(language: str) -> None:
    known = {key.removeprefix("value.") for key in texts(language) if re.fullmatch(r"value\.\w+(\.do)?", key)}
    assert known == {f"{flaw.value}{part}" for flaw in Flaw for part in ("", ".do")}


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_that_is_cleaned_has_a_text(language: str) -> None:
    known = {key.split(".")[1] for key in texts(language) if key.startswith("notice.")}
    assert known == set(Notice)


def test_every_reason_looks_like_what_it_is() -> None:
    source = (CONSOLE / "rules" / "tally.ts").read_text(encoding="utf-8")
    table = re.search(r"const LOOKS[^{]*\{(.*?)\n\};", source, re.DOTALL)
    assert table
    looks = dict(re.findall(r'^\s+(\w+): "(\w+)",$', table[1], re.MULTILINE))
    by_code = {str(reason): reason for reason in Reason}
    assert looks.keys() == by_code.keys()
    assert {code for code, look in looks.items() if look not in LOOK[by_code[code].group.bucket]} == set()
    assert {code for code, look in looks.items() if look == "rules"} == {Reason.NO_CONSENT}
    styles = (CONSOLE / "styles" / "tally.css").read_text(encoding="utf-8")
    drawn = set(re.findall(r"^\.k-(\w+) \{", styles, re.MULTILINE))
    assert set(looks.values()) <= drawn
