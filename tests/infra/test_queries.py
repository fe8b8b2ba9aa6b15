"""Microsoft's own parser reads every query: of the alerts, of the workbook, of the runbooks.

Azure refuses an alert whose query it cannot read, and with it the deployment.
"""

import json
import re
import subprocess
from pathlib import Path

import pytest

from sandbox.azurite import find_node
from tests.infra.bicep import INFRA

ROOT = Path(__file__).parents[2]


WRONG = {"keyword": "traces | summarize last = max(timestamp)", "column": "traces | where nowhere == 1"}


def queries() -> dict[str, str]:
    of_files = {path.name: path.read_text() for path in (INFRA / "queries").rglob("*.kql")}
    pages = {path.name: path.read_text() for path in (ROOT / "docs").rglob("*.md")}
    return of_files | {
        f"{name}#{number}": query
        for name, text in pages.items()
        for number, query in enumerate(re.findall(r"```kusto\n(.*?)```", text, re.DOTALL), 1)
    }


@pytest.fixture(scope="module")
def findings() -> dict[str, list[str]]:
    """What the parser says of each query. It takes seconds to load, so it is asked once."""
    done = subprocess.run(
        [find_node(), str(Path(__file__).with_name("kql.cjs"))],
        input=json.dumps(queries() | WRONG),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_every_query_can_be_read(findings: dict[str, list[str]]) -> None:
    assert len(queries()) > 20
    assert {label: found for label, found in findings.items() if found and label not in WRONG} == {}


def test_a_query_that_cannot_be_read_is_found(findings: dict[str, list[str]]) -> None:
    assert all(findings[label] for label in WRONG)
