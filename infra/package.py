"""Build the deployment package: `python -m infra.package` writes build/package/, its .zip and build/sbom.cdx.json.

The package holds the app and its pinned dependencies for Linux, so that Azure builds nothing (a remote build has 60 s:
https://learn.microsoft.com/azure/azure-functions/python-build-options). The same input gives the same bytes.
"""
# ruff: noqa: INP001, T201 - a script, which talks to the person at the terminal

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build"
APP = ("exporter", "function_app.py", "host.json", "requirements.txt")
"""Everything of the repository that is deployed."""
DEPENDENCIES = Path(".python_packages/lib/site-packages")
"""Where the Python worker looks for packages."""
PLATFORM, PYTHON = "x86_64-manylinux_2_28", "3.13"
NOT_NEEDED = ("pyarrow/include", "pyarrow/tests", "numpy/_core/include", "bin")
"""C headers, tests and console scripts of dependencies: bytes that a cold start would load for nothing."""
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The oldest time that a zip file can hold; a real one would make every build differ."""


class PackageError(Exception):
    """The package is not what it should be."""


def app_files(root: Path) -> Iterator[Path]:
    """Yield the files of the app, relative to `root`, in alphabetical order."""
    for name in APP:
        path = root / name
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file.relative_to(root) for file in files if file.is_file() and "__pycache__" not in file.parts)


def locked(requirements: str) -> dict[str, str]:
    """Return the version of every package in a lock file as `uv pip compile` writes it, by normalised name.

    Packages for other platforms only are left out.
    """
    found = {}
    for name, version, marker in re.findall(r"^([\w.-]+)==([^\s;\\]+)(?: *; *([^\\\n]+))?", requirements, re.MULTILINE):
        if not re.search(r"(sys_platform|platform_system|os_name) == '(win32|Windows|nt|darwin)'", marker):
            found[_normal(name)] = version
    return found


def sbom(installed: dict[str, str], version: str) -> dict[str, object]:
    """Return a software bill of materials for the packages, by name: https://cyclonedx.org/docs/1.6/json/."""
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(installed, sort_keys=True))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "segment-exporter", "version": version}},
        "components": [
            {
                "type": "library",
                "bom-ref": f"pkg:pypi/{name}@{number}",
                "name": name,
                "version": number,
                "purl": f"pkg:pypi/{name}@{number}",
            }
            for name, number in sorted(installed.items())
        ],
    }


def build() -> None:
    """Build all three. Raises `PackageError`."""
    package = BUILD / "package"
    shutil.rmtree(package, ignore_errors=True)
    for file in app_files(ROOT):
        target = package / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, target)
    site_packages = package / DEPENDENCIES
    _install(site_packages)
    for name in NOT_NEEDED:
        shutil.rmtree(site_packages / name, ignore_errors=True)

    installed = {_normal(one.name): one.version for one in distributions(path=[str(site_packages)])}
    expected = locked((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    if installed != expected:
        different = sorted(set(installed.items()) ^ set(expected.items()))
        raise PackageError(f"Expected exactly the packages of requirements.txt, found a difference in {different}.")
    _prove(package)
    version = re.search(r'__version__ = "(.+)"', (ROOT / "exporter/__init__.py").read_text(encoding="utf-8"))
    materials = json.dumps(sbom(installed, version[1] if version else "0"), indent=2)
    (BUILD / "sbom.cdx.json").write_text(materials + "\n", encoding="utf-8")

    archive = BUILD / "package.zip"
    zip_folder(package, archive)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    size_mb = archive.stat().st_size / 1e6
    print(f"{archive.relative_to(ROOT)}: {size_mb:.1f} MB, {len(installed)} packages, SHA-256 {digest}")


def zip_folder(folder: Path, archive: Path) -> None:
    """Write a zip file of the folder's content that is the same for the same content."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), LONG_AGO)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, file.read_bytes())


def _install(target: Path) -> None:
    # uv, because it reads environment markers for the target platform; pip reads those of this machine.
    uv = Path(sys.executable).with_name("uv")
    options = ["--quiet", "--require-hashes", "--only-binary", ":all:", "--link-mode", "copy"]
    platform = ["--python-platform", PLATFORM, "--python-version", PYTHON]
    subprocess.run(
        [uv, "pip", "install", *options, *platform, "--target", target, "--requirements", ROOT / "requirements.txt"],
        check=True,
    )


def _prove(package: Path) -> None:
    """Import every module of the app from the package alone, where this machine can."""
    if (sys.platform, sys.version_info[:2]) != ("linux", tuple(map(int, PYTHON.split(".")))):
        print(f"Not proven: only Python {PYTHON} on Linux can import this package.")
        return
    files = [file for file in app_files(package) if file.suffix == ".py"]
    modules = [".".join(file.with_suffix("").parts).removesuffix(".__init__") for file in files]
    paths = [str(package), str(package / DEPENDENCIES)]
    program = f"import importlib, sys; sys.path[:0] = {paths}; [importlib.import_module(name) for name in {modules}]"
    # -I and -S: nothing of this machine's own packages is seen.
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", program], capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        raise PackageError(f"Expected that every module can be imported from the package alone, found: {last}")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    build()
