"""Alerts and the workbook look for events that the code really writes, and each alert has its runbook."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from docs.events import written
from exporter import errors
from exporter.reasons import Bucket
from exporter.runs import run
from exporter.tally import count
from exporter.tally.count import Tally
from tests.infra.bicep import INFRA, named

ROOT = Path(__file__).parents[2]
QUERIES = sorted((INFRA / "queries").rglob("*.kql"))
RUNBOOKS = ROOT / "docs/how-to"


def rules() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = named("modules/alerts.bicep", "rules").value
    return found


PAGES = [*(f"{rule['name']}.md" for rule in rules()), "first-checks.md", "restored-storage.md"]
"""What an operator gets to read at night."""


@cache
def events() -> dict[str, set[str]]:
    """Return the names of the fields of every event that the code writes, by its action."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "exporter").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in ("log.event", "event"):
                (action,) = (part.value for part in call.args if isinstance(part, ast.Constant))
                fields = found.setdefault(str(action), set())
                for keyword in call.keywords:
                    fields |= {keyword.arg} if keyword.arg else spread(ast.unparse(keyword.value))
    return found


def spread(expression: str) -> set[str]:
    """Return the names that `**expression` adds to an event."""
    if "tally.model_dump" in expression:
        by_alias = "by_alias=True" in expression
        fields = count.Tally.model_fields
        return {str(fields[name].alias) if by_alias else name for name in fields}
    return {"runId", "lane"}  # a message


def actions_in(query: str) -> set[str]:
    literals = set(re.findall(r'"action":"(\w+)"', query))
    for one in re.findall(r"action\)? (?:==|in) ?\(?([^)]+)\)?", query):
        literals |= set(re.findall(r"'(\w+)'", one))
    return literals


def test_every_query_file_is_used() -> None:
    used = " ".join(path.read_text() for path in (INFRA / "modules").glob("*.bicep"))

    assert QUERIES
    assert [path.name for path in QUERIES if f"/{path.name}'" not in used] == []


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_a_query_looks_for_actions_that_the_code_writes(path: Path) -> None:
    assert actions_in(path.read_text()) <= set(events())


@pytest.mark.parametrize("path", [path for path in QUERIES if "unconfirmed" in path.read_text()], ids=lambda p: p.stem)
def test_a_query_that_counts_rows_counts_every_bucket_of_a_kind(path: Path) -> None:
    """A bucket that is a warning and is left out of a sum would be rows that nobody hears of."""
    counted = set(re.findall(r"event\.(\w+)", path.read_text()))
    assert {str(Tally.model_fields[bucket.member].alias) for bucket in Bucket if bucket.warns} <= counted


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_a_query_reads_fields_that_those_events_have(path: Path) -> None:
    query = path.read_text()
    known = {"action"}.union(*(events()[action] for action in actions_in(query)))

    assert set(re.findall(r"\bevent(?:\.|\[')(\w+)", query)) <= known


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_a_query_names_functions_that_exist(path: Path) -> None:
    functions = {
        node.name
        for node in ast.parse((ROOT / "function_app.py").read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    in_query = set(re.findall(r"\bname (?:==|in) \(?'(\w+)'(?:, '(\w+)')?", path.read_text()))

    assert {name for pair in in_query for name in pair if name} <= functions


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_a_query_says_what_a_row_means(path: Path) -> None:
    assert path.read_text().startswith("// ")


def test_codes_and_states_in_queries_exist_in_the_code() -> None:
    sources = " ".join(path.read_text() for path in (ROOT / "exporter").rglob("*.py"))
    text = " ".join(path.read_text() for path in QUERIES)
    codes = {
        code for group in re.findall(r"event\.code\) in \(([^)]+)\)", text) for code in re.findall(r"'(\w+)'", group)
    }
    states = set(re.findall(r"event\.status\) == '(\w+)'", text))

    assert codes
    assert {code for code in codes if f'"{code}"' not in sources} == set()
    assert states <= set(run.RunStatus)
    assert issubclass(errors.CredentialsRefused, errors.Wait)


def test_the_alerts_are_the_ones_that_were_promised() -> None:
    assert [rule["name"] for rule in rules()] == [
        "export-failed",
        "scheduled-export-missing",
        "run-stalled",
        "poison-message",
        "credentials-refused",
        "many-rejects",
        "throttled",
        "service-defect",
        "access-refused",
        "door-open",
    ]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["name"]))
def test_an_alert_has_a_query_and_a_runbook_of_its_name(rule: dict[str, Any]) -> None:
    runbook = RUNBOOKS / f"{rule['name']}.md"

    assert f"queries/alerts/{rule['name']}.kql" in rule["query"]
    assert runbook.is_file()
    assert f"`{rule['name']}`" in runbook.read_text()


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["name"]))
def test_the_first_line_of_a_runbook_says_whether_it_can_wait_and_where_to_begin(rule: dict[str, Any]) -> None:
    first = " ".join((RUNBOOKS / f"{rule['name']}.md").read_text().split("\n\n")[1].split())
    word = {1: "cannot", 2: "can"}[rule["severity"]]

    assert first.startswith(f"Alert `{rule['name']}`, severity {rule['severity']}. **It {word} wait until morning**: ")
    assert first.endswith(". Begin with the [first checks](first-checks.md).")


def test_the_first_checks_say_of_every_alert_whether_it_can_wait() -> None:
    text = (RUNBOOKS / "first-checks.md").read_text()

    assert dict(re.findall(r"^\| `([a-z-]+)` \| (no|yes) \|", text, re.MULTILINE)) == {
        rule["name"]: {1: "no", 2: "yes"}[rule["severity"]] for rule in rules()
    }


def test_the_query_of_the_first_checks_finds_every_event_that_they_go_by() -> None:
    section = (RUNBOOKS / "first-checks.md").read_text().partition("## 3.")[2].partition("## 4.")[0]
    query = "".join(re.findall(r"```kusto\n(.*?)```", section, re.DOTALL))
    named_there = set(re.findall(r"`(\w+_\w+)`", section)) & set(events())
    quiet = {action for action in named_there if written()[action][0] == "info"}

    assert len(named_there) > 5
    assert "severityLevel >= 2" in query
    assert quiet == actions_in(query)


def test_a_run_that_waits_for_what_no_alert_tells_is_named_in_the_first_checks() -> None:
    told = (INFRA / "queries/alerts/credentials-refused.kql").read_text()
    untold = (RUNBOOKS / "first-checks.md").read_text().partition("**What no alert tells**")[2]
    codes = set(re.findall(r"`(\w+_\w+)`", untold))

    assert codes == {"activecampaign_unavailable", "key_vault_unavailable", "identity_unavailable"}
    assert {code for code in codes if f"'{code}'" in told} == set()


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["name"]))
def test_a_runbook_first_says_whether_anything_is_lost(rule: dict[str, Any]) -> None:
    headings = re.findall(r"^## (.+)$", (RUNBOOKS / f"{rule['name']}.md").read_text(), re.MULTILINE)

    assert headings[:3] == ["Is anything lost?", "Look", "Do"]


@pytest.mark.parametrize("page", PAGES)
def test_the_queries_of_a_runbook_look_for_what_the_code_writes(page: str) -> None:
    text = (RUNBOOKS / page).read_text()
    for query in re.findall(r"```kusto\n(.*?)```", text, re.DOTALL):
        known = {"action"}.union(*events().values())
        assert actions_in(query) <= set(events())
        assert set(re.findall(r"\bevent(?:\.|\[')(\w+)", query)) <= known


@pytest.mark.parametrize("page", PAGES)
def test_a_runbook_names_codes_actions_and_functions_that_exist(page: str) -> None:
    text = re.sub(r"```.*?```", "", (RUNBOOKS / page).read_text(), flags=re.DOTALL)
    sources = " ".join(path.read_text() for path in [ROOT / "function_app.py", *(ROOT / "exporter").rglob("*.py")])

    assert {word for word in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text) if word not in sources} == set()


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["name"]))
def test_the_queries_of_a_runbook_find_what_its_alert_has_found(rule: dict[str, Any]) -> None:
    signs = set(re.findall(r"message has '(\w+)'", (INFRA / f"queries/alerts/{rule['name']}.kql").read_text()))

    assert {sign for sign in signs if sign not in (RUNBOOKS / f"{rule['name']}.md").read_text()} == set()


def test_a_query_for_one_run_also_finds_the_events_that_name_no_run() -> None:
    page = (RUNBOOKS / "run-stalled.md").read_text()
    named_there = set(re.findall(r"`(\w+_\w+)`", page.partition("## Do")[2])) & set(events())

    assert {action for action in named_there if "runId" not in events()[action]} >= {"step_waits", "sweep_failed"}
    assert "isempty(event.runId)" in page


def test_windows_overlap_so_that_no_late_line_is_missed() -> None:
    minutes = {"PT5M": 5, "PT15M": 15, "PT1H": 60, "PT2H": 120, "P2D": 2880}

    assert all(minutes[rule["window"]] >= 3 * minutes[rule["every"]] for rule in rules())


def test_the_dead_man_waits_longer_than_from_one_look_to_the_next() -> None:
    query = (INFRA / "queries/alerts/scheduled-export-missing.kql").read_text()
    (allowed,) = re.findall(r"now\(\) - (\d+)m", query)
    every = named("main.bicep", "lookEveryMinutes")
    settings = named("modules/function-app.bicep", "exporterSettings").value

    assert every.decorators["maxValue"] + 5 < int(allowed)
    assert settings["LOOK_SCHEDULE"] == "'0 */${lookEveryMinutes} * * * *'"
    assert every.value == 5


def test_a_start_that_waits_once_is_no_defect_and_one_that_goes_on_is() -> None:
    query = (INFRA / "queries/alerts/service-defect.kql").read_text()

    assert written()["scheduled_start_failed"] == ("warning or error", ["exportId", "code"])
    assert "moments = dcount(bin(timestamp, 5m))" in query
    assert "| where worst >= 3 or moments > 2" in query


def test_the_rules_come_after_the_app() -> None:
    assert named("main.bicep", "alerts").value["dependsOn"] == ["functionApp"]
