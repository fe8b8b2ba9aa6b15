"""Each sentence is made from a code, a situation and parameters, and from nothing else."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from exporter.errors import Culprit, Stop
from exporter.runs.run import Problem
from exporter.sentences import SENTENCES, Situation, sentence

ROOT = Path(__file__).parents[2]

SIZES = {"rowsRead": 5, "lastRowsRead": 5000, "factor": 5.0}


def test_a_sentence_says_what_the_situation_is() -> None:
    assert list(Situation) == ["preview", "ended"]
    assert "found 5. Nothing was sent. If" in sentence("size_changed", SIZES)
    assert "found 5. A run would send nothing. If" in sentence("size_changed", SIZES, Situation.PREVIEW)
    assert "5 times more or fewer rows than the 5000 of" in sentence("size_changed", SIZES)


def test_a_problem_carries_what_its_sentence_is_made_from() -> None:
    error = Stop.of("size_changed", **SIZES)
    assert (error.code, error.culprit, error.message) == ("size_changed", Culprit.USER, sentence("size_changed", SIZES))
    problem = Problem.of(error, Situation.PREVIEW)
    assert (problem.situation, problem.params) == (Situation.PREVIEW, SIZES)
    assert problem.message == sentence("size_changed", SIZES, Situation.PREVIEW)
    assert Problem.model_validate_json(problem.model_dump_json(by_alias=True)) == problem


def test_a_sentence_that_was_written_out_has_no_parameters() -> None:
    problem = Problem.of(Stop("list_missing", "No list."))
    assert (problem.message, problem.situation, problem.params) == ("No list.", None, None)


@pytest.mark.parametrize("code", SENTENCES)
def test_a_sentence_ends_and_names_its_parameters_in_camel_case(code: str) -> None:
    names = {name for _, name, _, _ in string.Formatter().parse(SENTENCES[code]) if name}
    assert all(re.fullmatch(r"[a-z]+(?:[A-Z][a-z]+)*", name) for name in names)
    numbers = re.compile(r":[.0-9]*[%g]")
    filled = {name: 1 if numbers.search(SENTENCES[code]) else "x" for name in names - {"nothingSent"}}
    said = sentence(code, filled)
    assert said.endswith(".")
    assert "  " not in said


def test_every_sentence_is_said_somewhere() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "exporter").rglob("*.py") if path.name != "sentences.py")
    assert [one for one in SENTENCES if f'"{one}"' not in code] == []
