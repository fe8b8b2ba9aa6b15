"""What is deployed: the app, its pinned dependencies, and nothing else."""

import ast
import re
import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pathspec
import pytest
import yaml

from infra import package

ROOT = Path(__file__).parents[2]
COMES_WITH = {"urllib3": "requests", "pydantic_core": "pydantic"}
"""Parts of a package's own interface that are installed under another name, in the version that it needs."""


def top_level(files: list[Path]) -> set[str]:
    return {file.parts[0] for file in files}


def not_ignored() -> set[str]:
    """Return what `func` and the editor would deploy of a work tree, by the syntax of .gitignore."""
    rules = pathspec.GitIgnoreSpec.from_lines((ROOT / ".funcignore").read_text().splitlines())
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    made = [f"{line.rstrip('/')}/x" for line in (ROOT / ".gitignore").read_text().split() if "*" not in line]
    return {
        path.partition("/")[0]
        for path in [*tracked, *made, ".azure/x", ".git/x"]
        if path and not rules.match_file(path)
    }


def test_the_package_holds_the_app_and_nothing_else() -> None:
    files = list(package.app_files(ROOT))

    assert top_level(files) == {"exporter", "function_app.py", "host.json", "requirements.txt"}
    others = [file for file in files if file.parts[0] == "exporter" and file.suffix != ".py"]
    assert all(file.parts[:2] == ("exporter", "console") for file in others)  # the page, as it was built


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no clone: git cannot say which files belong to it")
def test_the_ignore_file_leaves_exactly_the_package() -> None:
    # A new file or folder has to be put on one side or the other.
    assert not_ignored() == set(package.APP)


def test_the_ignore_file_leaves_out_what_looks_like_a_test_a_cache_or_a_setting() -> None:
    lines = (ROOT / ".funcignore").read_text().splitlines()

    # Tools look for these very lines: https://github.com/Azure/azure-functions-skills
    assert {"tests", ".venv", "__pycache__", "local.settings.json"} <= set(lines)


def test_azd_deploys_the_package_that_was_built_and_azure_builds_nothing() -> None:
    settings = yaml.safe_load((ROOT / "azure.yaml").read_text())
    service = settings["services"]["app"]

    assert ROOT / service["project"] / service["dist"] == package.BUILD / "package"
    assert service["remoteBuild"] is False
    # Before, azd did not heed it: https://github.com/Azure/azure-dev/blob/main/cli/azd/CHANGELOG.md
    assert settings["requiredVersions"]["azd"] == ">= 1.23.12"
    assert service["hooks"]["prepackage"]["run"] == "make package"


def test_azd_finds_the_app_by_its_tag() -> None:
    services = yaml.safe_load((ROOT / "azure.yaml").read_text())["services"]
    template = (ROOT / "infra/modules/function-app.bicep").read_text()

    assert [f"'azd-service-name': '{name}'" in template for name in services] == [True]


def test_the_same_content_gives_the_same_archive(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "b").mkdir(parents=True)
    (folder / "b/two").write_text("2")
    (folder / "one").write_text("1")

    package.zip_folder(folder, tmp_path / "first.zip")
    (folder / "one").touch()
    package.zip_folder(folder, tmp_path / "second.zip")

    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()
    assert zipfile.ZipFile(tmp_path / "first.zip").namelist() == ["b/two", "one"]


def test_the_lock_names_versions_and_leaves_out_other_platforms() -> None:
    text = "a.b==1.0 \\\n    --hash=sha256:00\npywin32==3 ; sys_platform == 'win32' \\\n    --hash=sha256:11\n"

    assert package.locked(text) == {"a-b": "1.0"}


def test_the_bill_of_materials_equals_the_lock() -> None:
    locked = package.locked((ROOT / "requirements.txt").read_text())

    components = package.sbom(locked, "1.2.3")["components"]

    assert isinstance(components, list)
    assert {part["name"]: part["version"] for part in components} == locked
    assert all(part["purl"] == f"pkg:pypi/{part['name']}@{part['version']}" for part in components)


def test_every_dependency_is_pinned_with_a_hash() -> None:
    for lock in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / lock).read_text()
        entries = re.split(r"\n(?=[a-z])", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))

        assert len(entries) > 10
        assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


def test_every_package_that_the_app_imports_is_a_dependency_of_its_own() -> None:
    # What only another package brings along today may be gone tomorrow; what no package brings is missing in Azure.
    declared = {
        re.split(r"[<>=\s;\[#]", line)[0].lower()
        for line in (ROOT / "requirements.in").read_text().splitlines()
        if line and not line.startswith("#")
    }
    imported = {name for file in package.app_files(ROOT) if file.suffix == ".py" for name in imports(ROOT / file)}
    owners = dict(packages_distributions())
    outside = {name.split(".")[0] for name in imported} - sys.stdlib_module_names - {"exporter"}

    owners |= {name: [owner] for name, owner in COMES_WITH.items()}
    missing = {name for name in outside - {"azure"} if not {o.lower() for o in owners.get(name, [name])} & declared}

    assert missing == set()
    assert {"azure.functions", "azure.identity", "azure.storage.blob", "azure.storage.queue"} <= imported


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found
