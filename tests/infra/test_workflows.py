"""Workflows run pinned code with the least permissions, and hold no secrets."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
DEPLOY = ROOT / ".github/workflows/deploy.yml"
MAY_WRITE = {
    ("deploy", "build", "id-token"),
    ("deploy", "build", "attestations"),
    ("deploy", "deploy", "id-token"),
    ("codeql", "analyze", "security-events"),
    ("docs", "publish", "pages"),
    ("docs", "publish", "id-token"),
}


def workflow(path: Path) -> dict[Any, Any]:
    content: dict[Any, Any] = yaml.safe_load(path.read_text())
    return content


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in workflow(path)["jobs"].values() for step in job["steps"]]


def test_there_are_workflows_for_tests_code_scanning_deployment_and_docs() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci", "codeql", "deploy", "docs"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit_with_their_version_beside(path: Path) -> None:
    uses = re.findall(r"uses: (.+)", path.read_text())

    assert uses
    assert [line for line in uses if not re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []


def test_an_action_has_one_version_in_all_workflows() -> None:
    versions = {line for path in WORKFLOWS for line in re.findall(r"uses: ([\w-]+/[\w-]+)\S*(@.+)", path.read_text())}

    assert len({action for action, _ in versions}) == len(versions)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_do_nothing_but_what_a_job_needs(path: Path) -> None:
    content = workflow(path)
    writes = {
        (path.stem, name, permission)
        for name, job in content["jobs"].items()
        for permission, access in job["permissions"].items()
        if access != "read"
    }

    assert content["permissions"] == {}
    assert writes <= MAY_WRITE


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_nobody_outside_can_run_their_code_with_our_rights(path: Path) -> None:
    text = path.read_text()

    assert "pull_request_target" not in text
    assert "secrets." not in text
    for step in steps(path):
        # What an outsider can choose (titles, branch names, inputs) must not become part of a script.
        assert "${{" not in step.get("run", ""), step
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_job_ends_by_itself(path: Path) -> None:
    assert all(job["timeout-minutes"] <= 150 for job in workflow(path)["jobs"].values())


VERIFY = (
    'gh attestation verify build/package.zip --repo "$GITHUB_REPOSITORY"'
    ' --signer-workflow "$GITHUB_REPOSITORY/.github/workflows/deploy.yml" --source-digest "$GITHUB_SHA"'
)


def test_a_deployment_verifies_its_package_waits_for_runs_and_proves_itself_after() -> None:
    runs = [step["run"] for step in steps(DEPLOY) if "run" in step]

    assert runs == [
        "make package",
        VERIFY,
        "python3 infra/deploy.py people-key",
        "python3 infra/deploy.py wait",
        "python3 infra/deploy.py publish",
        "python3 infra/deploy.py check",
    ]


def test_the_workflow_gives_the_guard_every_name_that_it_reads() -> None:
    given = workflow(ROOT / ".github/workflows/deploy.yml")["jobs"]["deploy"]["env"]
    read = set(re.findall(r'"([A-Z]+_[A-Z_]+)"', (ROOT / "infra/deploy.py").read_text()))

    of_azd = {
        "AZURE_TENANT_ID",
        "CONSOLE_ORIGINS",
        "IDENTITY_PRINCIPAL_ID",
    }  # for `sign-in`, which a release does not need
    assert given == {name: f"${{{{ vars.{name} }}}}" for name in read - of_azd}


def test_azd_makes_the_key_waits_before_a_deployment_until_a_new_app_takes_it_and_proves_it_after() -> None:
    project = yaml.safe_load((ROOT / "azure.yaml").read_text())
    hooks = project["services"]["app"]["hooks"]

    assert project["hooks"]["postprovision"]["run"] == (
        "python3 infra/deploy.py people-key && python3 infra/deploy.py sign-in"
    )
    assert hooks["predeploy"]["run"] == "python3 infra/deploy.py wait && python3 infra/deploy.py first"
    assert hooks["postdeploy"]["run"] == "python3 infra/deploy.py check"


def test_ci_compiles_the_template_with_the_compiler_of_the_predictions() -> None:
    jobs = workflow(ROOT / ".github/workflows/ci.yml")["jobs"]
    runs = [step["run"] for step in jobs["template"]["steps"] if "run" in step]
    (version,) = re.findall(r"az bicep install --version v([\d.]+)", " ".join(runs))

    assert f"Bicep compiler {version}" in (ROOT / "docs/explanation/infrastructure.md").read_text()
    assert "BICEP=~/.azure/bin/bicep .venv/bin/python -m pytest tests/infra/test_bicep.py" in runs
    # In the other job, tests must not find the build agent's own, whose version changes.
    assert [step["env"] for step in jobs["test"]["steps"] if "env" in step] == [{"BICEP": ""}]


def test_a_package_is_verified_before_the_job_may_act_in_azure() -> None:
    jobs = workflow(DEPLOY)["jobs"]
    signed = [step["with"]["subject-path"] for step in jobs["build"]["steps"] if "attest" in step.get("uses", "")]
    order = [step.get("run") or step["uses"].split("@")[0] for step in jobs["deploy"]["steps"]]

    assert signed == ["build/package.zip"]
    assert order.index("actions/download-artifact") < order.index(VERIFY) < order.index("azure/login")
    assert jobs["deploy"]["permissions"]["attestations"] == "read"  # or else the command finds none


def test_ci_runs_on_python_of_the_app() -> None:
    versions = {
        step["with"]["python-version"]
        for path in WORKFLOWS
        for step in steps(path)
        if "python-version" in step.get("with", {})
    }

    assert versions == {"3.13"}


def test_dependencies_of_every_kind_are_kept_up() -> None:
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]

    assert {entry["package-ecosystem"] for entry in updates} == {"pip", "npm", "github-actions", "devcontainers"}
    assert all(entry["cooldown"]["default-days"] >= 7 for entry in updates)
