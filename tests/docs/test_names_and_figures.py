"""Names that the pages quote exist, figures that two pages quote are one figure, and no table loses a cell."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest

from docs import events, generate
from exporter.api.openapi import document
from exporter.api.routes import ROUTES
from exporter.delivery.batches import RequestSize
from exporter.settings import Settings
from tests.docs.test_reference import PAGES, ROOT
from tests.infra.bicep import parameters
from tests.simulation.planted import MISTAKES
from tests.simulation.test_simulation import SCHEDULES

CODE = ("exporter", "infra", "sandbox", "bench", "scripts", ".github", "tests")
SINGLE = ("function_app.py", "host.json", "azure.yaml", "Makefile", "pyproject.toml", "requirements.txt", "mkdocs.yml")
WRITTEN_BY_HAND = [page for page in PAGES if page.name not in {Path(name).name for name in generate.PAGES}]
NO_NAMES_OF_OURS = {"BlobImmutableDueToPolicy", "MALLOC_ARENA_MAX", "MemoryWorkingSet", "_s", "_bytes"}
"""Names that Azure and the C library give, and ends of names."""


def quoted(page: Path) -> set[str]:
    """Return what stands in back quotes, blocks of code left out."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return set(re.findall(r"`([^`\n]+)`", text))


@cache
def words_of_the_code() -> set[str]:
    """Return every word of the code, the tests of these pages left out."""
    files = [ROOT / name for name in SINGLE]
    for folder in CODE:
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file() and "tests/docs" not in str(path)]
    texts = (path.read_text(errors="ignore") for path in files if path.suffix not in {".pyc", ".batches", ".csv"})
    members = json.dumps(document(ROUTES))  # in camelCase
    return {word for text in (*texts, members) for word in re.findall(r"\w+", text)}


@pytest.mark.parametrize("page", WRITTEN_BY_HAND, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_quoted_name_is_one_that_the_code_has(page: Path) -> None:
    # What could be no word of English: with an underscore, or with a capital after a small letter.
    names = {text for text in quoted(page) if re.fullmatch(r"\w*(?:_\w|[a-z][A-Z])\w*", text)}

    assert names - words_of_the_code() - NO_NAMES_OF_OURS == set()


@pytest.mark.parametrize("page", WRITTEN_BY_HAND, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_quoted_path_leads_somewhere(page: Path) -> None:
    folders = "|".join([*CODE, "docs", ".devcontainer"])
    paths = {text for text in quoted(page) if re.fullmatch(rf"(?:{folders})/[\w./*-]*", text)}

    # `tests/unit/test_` stands for all that begin so.
    assert [path for path in paths if not list(ROOT.glob(f"{path}*" if path.endswith("_") else path))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_row_of_a_table_has_more_or_fewer_cells_than_its_head(page: Path) -> None:
    head = 0
    for number, line in enumerate(page.read_text().split("\n"), 1):
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        head = (head or cells) if cells else 0

        assert cells == head, f"{page.name}:{number}: {line}"


def text(page: str) -> str:
    return " ".join((ROOT / page).read_text().split())


def test_the_time_of_a_million_profiles_is_the_measured_one() -> None:
    row = re.search(r"the default\) \| [\d.]+ \| ([\d.]+) \| (\d+) % \|", text("docs/explanation/throughput.md"))
    assert row

    assert f"take {float(row[1]):.0f} minutes at {row[2]} %" in text("README.md")
    assert f"about {float(row[1]):.0f} minutes of one instance" in text("docs/decisions/0004-pace-not-bursts.md")


def test_the_pace_of_contacts_is_what_limit_and_batch_make_of_it() -> None:
    a_minute = Settings.model_fields["bulk_requests_per_minute"].default * RequestSize().max_contacts

    for page in ("docs/how-to/run-all.md", "docs/how-to/ask-for-an-export.md"):
        assert f"about {a_minute:,} contacts a minute" in text(page), page


def test_the_time_of_planning_a_million_rows_is_told_alike() -> None:
    measured = re.search(r"\| 1,000,000 \| \d+ MB \| \d+ MB \| (\d+) s \|", text("docs/reference/cost.md"))
    told = re.search(r"(\d+) to (\d+) s for a million rows", text("docs/reference/api.md"))
    assert measured
    assert told

    assert int(told[1]) <= int(measured[1]) <= int(told[2])
    assert told[0] in (ROOT / "exporter/api/preview.py").read_text()


def test_what_the_tests_do_is_what_the_pages_say_of_them() -> None:
    assert f"{SCHEDULES} simulated disasters" in text("README.md")
    first, more, minutes = re.findall(r"FIRST=(\d+) SEEDS=(\d+) WITHIN_MIN=(\d+)", text(".ci/run"))[0]
    assert int(first) == SCHEDULES  # CI goes on where the tests stop
    begun = f"then {int(more):,} more, or those of them that begin within {minutes} minutes"
    assert f"the first {first} schedules with the tests, {begun}" in text("docs/explanation/reliability.md")
    assert "some ninety mistakes" in text("docs/explanation/reliability.md")
    assert 90 <= len(MISTAKES) < 100


def test_the_dependencies_are_the_ones_that_are_explained() -> None:
    page = (ROOT / "docs/decisions/0002-dependencies.md").read_text()
    listed = set(re.findall(r"^\| ([a-z-]+) \| .* \|$", page, re.MULTILINE)) - {"package"}
    required = set(re.findall(r"^([a-z-]+)", (ROOT / "requirements.in").read_text(), re.MULTILINE))

    assert listed == required


def test_the_rights_of_the_app_are_the_ones_that_the_template_gives() -> None:
    modules = (ROOT / "infra/modules/access.bicep", ROOT / "infra/modules/segment-access.bicep")
    given = {
        name.lower()
        for module in modules
        for name in re.findall(r"(\w+)(?:: | = )'[0-9a-f]{8}-[0-9a-f-]{27}'", module.read_text())
    }
    told = re.findall(r"\*([A-Z][\w ]+)\*", text("SECURITY.md").partition("## Where the app connects")[2])
    named = {name.replace(" ", "").lower() for name in told}

    assert len(given) == 6
    assert named == given
    assert "a role of its own: read a secret by name" in text("SECURITY.md")


def test_every_option_of_a_deployment_is_on_its_page_with_its_default() -> None:
    page = (ROOT / "docs/reference/deployment-options.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)`.*? \| (.+?) \|", page, re.MULTILINE))
    named = json.loads((ROOT / "infra/main.parameters.json").read_text())["parameters"]
    options = dict(re.findall(r"\$\{(\w+)=(.*?)\}", json.dumps(named)))

    assert {name: rows.get(name) for name, default in options.items() if default} == {
        name: f"`{default}`" for name, default in options.items() if default
    }
    assert options.keys() - rows.keys() == set()
    # What azd does not reach.
    others = {one.name: one.value for one in parameters("main.bicep") if one.name not in named}
    assert {name: rows.get(name) for name in others} == {
        name: f"`{value}`" if value else "none" for name, value in others.items()
    }


SHELL = (ROOT / "docs/how-to/operator-shell.md").read_text()


def variables_set(text: str) -> set[str]:
    return set(re.findall(r"\b([A-Z][A-Z_]*)=", text))


@pytest.mark.parametrize("page", sorted((ROOT / "docs/how-to").glob("*.md")), ids=lambda p: p.stem)
def test_a_guide_uses_variables_that_it_or_the_shell_sets(page: Path) -> None:
    content = page.read_text()
    code = " ".join(re.findall(r"`[^`\n]+`|^```sh\n.*?^```$", content, re.MULTILINE | re.DOTALL))
    used = set(re.findall(r"\$\{?([A-Z][A-Z_]*)", code))

    assert used - variables_set(content) - variables_set(SHELL) == set()
    assert not used - variables_set(content) or "(operator-shell.md)" in content


def test_the_shell_is_the_same_from_the_folder_of_azd_and_from_the_subscription_alone() -> None:
    with_azd, alone = re.findall(r"```sh\n(az account set.*?)```", SHELL, re.DOTALL)

    assert variables_set(with_azd) == variables_set(alone)
    assert "azd" not in SHELL.partition(alone)[2] + alone


def test_every_event_is_explained_and_no_other() -> None:
    assert events.MEANINGS.keys() == events.written().keys()


def test_every_setting_of_the_template_is_on_the_page() -> None:
    template = (ROOT / "infra/modules/function-app.bicep").read_text()
    page = (ROOT / "docs/reference/settings.md").read_text()
    named = set(re.findall(r"^  ([A-Z]\w+): ", template, re.MULTILINE))
    families = tuple(family.removesuffix("*") for family in re.findall(r"`(\w+\*)`", page))

    assert len(named) > 20
    assert {name for name in named if f"`{name}`" not in page and not name.startswith(families)} == set()
