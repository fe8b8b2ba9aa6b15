"""docs/explanation/security.md names every role, connection and chapter, and a test for what it calls proven."""

from __future__ import annotations

import re
from pathlib import Path

from exporter.activecampaign.hosts import HOST_SUFFIXES
from exporter.api.access import Role

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/explanation/security.md").read_text()
SECURITY = (ROOT / "SECURITY.md").read_text()


def section(heading: str) -> str:
    return PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def rows(heading: str) -> list[list[str]]:
    """Return the rows of the tables of a section, without their heads."""
    lines = [line for line in section(heading).split("\n") if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row, after in zip(cells, [*cells[1:], [""]], strict=True) if "---" not in row[-1] + after[-1]]


def test_each_chapter_of_asvs_has_its_row() -> None:
    assert [row[0].split()[0] for row in rows("OWASP ASVS 5.0, level 2")] == [f"V{n}" for n in range(1, 18)]


def test_what_is_met_or_proven_names_a_test() -> None:
    judged = [row[2] for row in rows("OWASP ASVS 5.0, level 2")] + [row[3] for row in rows("What each could try")]

    assert [cell for cell in judged if len(cell) > 1 and "`tests/" not in cell] == []


def test_no_attacker_is_stopped_everywhere() -> None:
    assert all(len(row[4]) > 1 for row in rows("What each could try"))


def test_the_roles_of_the_api_are_explained_and_tried() -> None:
    explained = {row[0] for row in rows("Roles")}
    tried = {row[0] for row in rows("What each could try")}

    assert {role.name.title() for role in Role} <= explained & tried


def test_the_roles_in_azure_are_those_of_the_template() -> None:
    # SECURITY.md is compared with the template.
    given = re.findall(r"\*([A-Z][\w ]+)\*", SECURITY.partition("## Where the app connects")[2])
    told = re.findall(r"\*([A-Z][\w ]+)\*", " ".join(row[1] for row in rows("Roles") if row[0] == "the app"))

    assert set(told) == set(given)


def test_every_adapter_that_connects_is_listed_with_the_hosts_of_activecampaign() -> None:
    connect = {
        f"exporter/adapters/{path.name}"
        for path in (ROOT / "exporter/adapters").glob("*.py")
        if re.search(r"^(?:import|from) (?:requests|azure\.(?:storage|keyvault))", path.read_text(), re.MULTILINE)
    }
    listed = set(re.findall(r"`(exporter/adapters/\w+\.py)`", section("Who connects to whom")))

    assert connect - listed <= {"exporter/adapters/storage_errors.py"}  # what is raised, no client
    assert all(f"`{suffix}`" in section("Who connects to whom") for suffix in HOST_SUFFIXES)
