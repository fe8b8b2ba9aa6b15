"""Each sentence is made from a code, a situation and parameters, and from nothing else."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.contacts.texts import Notice
from exporter.errors import Culprit, NotReady, Stop, Throttled, Unavailable, Wait
from exporter.runs.run import Problem
from exporter.sentences import PHRASES, SENTENCES, SITUATIONS, WARNINGS, WORDS, Parameter, Situation, sentence
from exporter.source.folders import Why
from exporter.source.heads import Format

ROOT = Path(__file__).parents[2]
ERRORS = {"ExporterError", "Stop", "Wait", "Throttled", "Unavailable", "CredentialsRefused", "NotReady"}
SIZES = {"rowsRead": 5, "lastRowsRead": 5000, "factor": 5.0}
NUMBER = re.compile(r"[,.0-9]*[%gf,]")


def placeholders(text: str) -> dict[str, str]:
    """Return the format of each parameter that a text takes."""
    return {name: form or "" for _, name, form, _ in string.Formatter().parse(text) if name}


def texts_of(key: str) -> list[str]:
    """Return what is said of a code or a case of it, in whatever situation."""
    return [text for name, text in SENTENCES.items() if name.partition("@")[0] == key]


def taken(key: str) -> dict[str, str]:
    """Return the format of each parameter from which the sentence is made, in whatever situation."""
    found: dict[str, str] = {}
    for text in texts_of(key):
        found |= placeholders(text)
    for name in found.keys() & PHRASES.keys():
        for phrase in PHRASES[name].values():
            found |= placeholders(phrase)
    return {name: form for name, form in found.items() if name not in PHRASES}


def filled(key: str) -> dict[str, Parameter]:
    """Return parameters for a sentence."""
    case = key.partition(".")[2]
    about: dict[str, Parameter] = {name: 1 if NUMBER.fullmatch(form) else "x" for name, form in taken(key).items()}
    return about | ({"case": case} if case else {})


def test_a_sentence_says_what_the_situation_is() -> None:
    assert list(Situation) == ["preview", "waiting", "ended", "answered"]
    assert "found 5. Nothing was sent. If" in sentence("size_changed", SIZES)
    assert "found 5. A run would send nothing. If" in sentence("size_changed", SIZES, Situation.PREVIEW)
    assert "5 times more or fewer rows than the 5000 of" in sentence("size_changed", SIZES)


def test_a_wait_says_whether_anybody_has_to_try_again_and_when() -> None:
    error = Throttled.of("throttled", Culprit.EXTERNAL, 12.3, host="acme.api-us1.com")
    said = {situation: Problem.of(error, situation).message for situation in SITUATIONS["throttled"]}
    assert said[Situation.ANSWERED].endswith("acme.api-us1.com. Try again in 13 s.")
    assert said[Situation.WAITING].endswith("acme.api-us1.com. It is tried again automatically.")
    assert said[Situation.ENDED].endswith("then start the export again.")
    assert error.message == said[Situation.WAITING]


def test_a_caller_to_whom_nobody_says_when_is_told_half_a_minute() -> None:
    problem = Problem.of(NotReady.of("source_changing"), Situation.ANSWERED)
    assert problem.message.endswith("Try again in 30 s.")


def test_a_problem_carries_what_its_sentence_is_made_from() -> None:
    error = Stop.of("size_changed", **SIZES)
    assert (error.code, error.culprit, error.message) == ("size_changed", Culprit.USER, sentence("size_changed", SIZES))
    problem = Problem.of(error, Situation.PREVIEW)
    assert (problem.situation, problem.params) == (Situation.PREVIEW, SIZES)
    assert problem.message == sentence("size_changed", SIZES, Situation.PREVIEW)
    assert Problem.model_validate_json(problem.model_dump_json(by_alias=True)) == problem


def test_a_problem_is_said_anew_when_its_situation_changes() -> None:
    error = Unavailable.of("secret_disabled", Culprit.USER, account="kv.vault.azure.net", secret="key")
    waiting = Problem.of(error, Situation.WAITING)
    ended = waiting.when(Situation.ENDED)
    assert ended == Problem.of(error)
    assert waiting.message.endswith("Then the run goes on automatically.")
    assert ended.message.endswith("Then start the export again.")


@pytest.mark.parametrize("params", [None, {"rows": 1}])
@pytest.mark.parametrize("code", ["throttled", "of_a_later_release"])
def test_what_another_release_wrote_stays_as_it_is(code: str, params: dict[str, Parameter] | None) -> None:
    written = Problem(code=code, message="It waits.", culprit=Culprit.EXTERNAL, params=params)
    assert written.when(Situation.ENDED) == written


def test_a_sentence_that_was_written_out_has_no_parameters() -> None:
    for error in (Stop("list_missing", "No list."), Wait("list_missing", "No list.")):
        problem = Problem.of(error)
        assert (problem.message, problem.situation, problem.params) == ("No list.", None, None)


@pytest.mark.parametrize(
    ("key", "situation"), [(key, situation) for key, shown in SITUATIONS.items() for situation in sorted(shown)]
)
def test_every_sentence_can_be_read_in_each_of_its_situations(key: str, situation: Situation) -> None:
    said = sentence(key.partition(".")[0], filled(key), situation)
    assert said.endswith(".")
    assert "  " not in said
    assert not re.search(r"\{(?!id\})|(?<!\{id)\}", said)
    if situation is not Situation.WAITING:
        assert not re.search(r"automatically|(is|will be) (re)?tried", said)
    if situation is not Situation.ANSWERED:
        assert not re.search(r"[Tt]ry again", said) or situation is Situation.PREVIEW


def test_an_end_after_a_wait_says_what_to_do_and_not_that_it_is_tried_again() -> None:
    waits = [key for key, shown in SITUATIONS.items() if Situation.WAITING in shown and Situation.PREVIEW not in shown]
    differing = [key for key in waits if key not in {"queue_unavailable", "newer_release", "newer_release.reason"}]
    ended = {key: sentence(key.partition(".")[0], filled(key), Situation.ENDED) for key in differing}
    assert not [key for key, said in ended.items() if not re.search("[Ss]tart the export again|report it", said)]


@pytest.mark.parametrize("key", SENTENCES)
def test_a_sentence_names_its_parameters_in_camel_case(key: str) -> None:
    assert all(re.fullmatch(r"[a-z]+(?:[A-Z]\w*)?", name) for name in placeholders(SENTENCES[key]))


def test_a_sentence_of_a_situation_is_of_one_in_which_the_code_is_shown() -> None:
    for key in SENTENCES:
        code, at, situation = key.partition("@")
        assert not at or Situation(situation) in SITUATIONS[code]


def test_every_phrase_is_there_for_each_situation_and_every_phrase_and_word_is_used() -> None:
    assert all(phrases.keys() == set(Situation) for phrases in PHRASES.values())
    used = {name for text in SENTENCES.values() for name in placeholders(text)}
    assert not (PHRASES.keys() | WORDS.keys()) - used


def test_what_is_found_in_a_folder_has_words() -> None:
    assert WORDS["why"].keys() == {why.value for why in Why}
    refused = {form.name.lower() for form in Format} - {"csv", "parquet", "empty"}
    assert WORDS["format"].keys() == refused


def calls() -> Iterator[tuple[str, ast.Call, str]]:
    """Yield the file, the call and the name of what is called of every call in the app."""
    for path in sorted((ROOT / "exporter").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node, ast.unparse(node.func).removeprefix("errors.")


def test_no_sentence_is_written_out_where_a_failure_is_raised() -> None:
    allowed = {"exporter/runs/run.py", "exporter/api/http.py", "exporter/warned.py"}
    found = [place for place, _, name in calls() if name in ERRORS | {"Problem", "Refusal", "Warned"}]
    assert [place for place in found if place.partition(":")[0] not in allowed] == []


def test_every_raise_gives_exactly_what_its_sentence_is_made_from() -> None:
    """Where code and parameters are written in one call; the others are met by the tests of their modules."""
    wrong = []
    checked = 0
    for place, call, name in calls():
        if name not in {"Problem.said", "Refusal.of", "Warned.of"} and name.removesuffix(".of") not in ERRORS:
            continue
        code = call.args[name == "Refusal.of"] if len(call.args) > (name == "Refusal.of") else None
        given = {each.arg: each.value for each in call.keywords}
        if not isinstance(code, ast.Constant) or None in given:
            continue
        case = given.pop("case", None)
        known = str(ast.literal_eval(code)) + (f".{ast.literal_eval(case)}" if isinstance(case, ast.Constant) else "")
        any_case = case is not None and not isinstance(case, ast.Constant)
        keys = [key for key in SITUATIONS if key.startswith(f"{known}.")] if any_case else [known]
        checked += 1
        expected = [taken(key).keys() - {"retryAfterS"} if key in SITUATIONS else None for key in keys]
        if not expected or any(names != given.keys() for names in expected):
            wrong.append((place, known, sorted(map(str, given))))
    assert wrong == []
    assert checked > 40


@pytest.mark.parametrize("code", sorted(WARNINGS))
def test_a_warning_reads_the_same_whatever_the_situation(code: str) -> None:
    """It is kept with a run and shown before and after it; so it carries no situation."""
    keys = [key for key in SITUATIONS if key.partition(".")[0] == code]
    assert keys
    for key in keys:
        assert not [name for name in SENTENCES if name.startswith(f"{key}@")]
        assert not placeholders(SENTENCES[key]).keys() & PHRASES.keys()


def test_every_warning_is_given_and_no_other_code_is() -> None:
    """Notices, which are counted by their code, and what a caller or a preview is told as a problem become warnings,
    too, where the code is no constant; `pipeline.preflight` and `Segments.look` say which.
    """
    given = {
        str(ast.literal_eval(call.args[0]))
        for _, call, name in calls()
        if name == "Warned.of" and isinstance(call.args[0], ast.Constant)
    }
    problems = {"yes_without_option", "when_empty_does_not_fit", "files_ambiguous"}
    problems |= {"field_not_related", "field_options_unknown", "field_type_unknown"}
    assert given | problems | {notice.value for notice in Notice} == WARNINGS


def test_every_sentence_is_said_somewhere() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "exporter").rglob("*.py") if path.name != "sentences.py")
    assert [one for one in SITUATIONS if f'"{one.partition(".")[0]}"' not in code] == []
    assert [one for one in SITUATIONS if "." in one and f'"{one.partition(".")[2]}"' not in code] == []
