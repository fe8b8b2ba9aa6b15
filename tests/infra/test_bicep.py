"""The template is valid, as far as that can be told without the compiler."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infra.bicep import FILES, INFRA

CHECKER = Path(__file__).parents[3] / "shared/tools/bicep_check.py"


@pytest.mark.skipif(not CHECKER.exists(), reason=f"the offline checker is not there: {CHECKER}")
def test_the_template_fits_the_types_that_azure_publishes() -> None:
    done = subprocess.run([sys.executable, CHECKER, *FILES], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("bicep") is None, reason="the Bicep compiler is not installed; CI runs it")
def test_the_template_compiles() -> None:
    command = ["bicep", "build", "--stdout", str(INFRA / "main.bicep")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
