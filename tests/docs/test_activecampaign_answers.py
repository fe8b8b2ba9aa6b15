"""The page on ActiveCampaign's answers says what the code does."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from exporter.activecampaign import imports
from exporter.activecampaign.outcomes import BulkOutcome, ImportOutcome
from exporter.activecampaign.wire import Answer, Reply
from exporter.tally.findings import SAMPLE

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "activecampaign-answers.md"


def table(heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading, without its head."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_every_outcome_is_explained_in_the_words_of_the_code() -> None:
    outcomes = dict.fromkeys((*get_args(BulkOutcome), *get_args(ImportOutcome)))
    expected = []
    for outcome in outcomes:
        meaning, _, next_step = inspect.cleandoc(outcome.__doc__ or "").partition("\n\n")
        expected.append([f"`{outcome.__name__}`", " ".join(meaning.split()), " ".join(next_step.split())])
    assert table("The outcomes") == expected


CASES = [
    pytest.param(read, int(status), re.sub("^nothing$", "", body).strip("`"), outcome.strip("`"), id=f"{status} {body}")
    for heading, read in (
        ("Answers to a bulk import", imports.bulk_outcome),
        ("Answers about an import", imports.import_outcome),
    )
    for statuses, body, outcome in table(heading)
    for status in statuses.split(", ")
]


@pytest.mark.parametrize(("read", "status", "body", "outcome"), CASES)
def test_every_answer_on_the_page_has_the_outcome_that_stands_beside_it(
    read: Callable[[Reply], object], status: int, body: str, outcome: str
) -> None:
    assert type(read(Answer(status, {}, body.encode()))).__name__ == outcome


def test_the_page_shows_every_outcome_of_both_kinds_that_an_answer_can_have() -> None:
    shown = {case.values[3] for case in CASES}
    every = {outcome.__name__ for outcome in (*get_args(BulkOutcome), *get_args(ImportOutcome))}
    assert shown == every


def test_what_a_sample_can_find_is_as_the_page_says() -> None:
    rows = table("What confirmed means, and what a look at people adds")
    shares = {float(share.removesuffix(" %")) / 100: int(runs) for share, runs in rows}
    assert shares == {share: round(100 * (1 - (1 - share) ** SAMPLE)) for share in shares}
    assert shares[0.05] == 64
    assert 0.13 < 1 - 0.05 ** (1 / SAMPLE) < 0.14  # "less than 14 % are wrong"
    assert 1_300 <= 0.95 ** (-7 * SAMPLE) < 1_400  # "one of 1,300 weeks"
