"""The Bicep compiler on the template: no warning, and what it predicts for five sets of parameters.

It runs where there is one: `BICEP` names it, or it is on the path, or beside this folder. CI has a pinned version.
After a change that is meant, `python -m tests.infra.test_bicep` writes the predictions; read the difference before you
commit it.
"""

import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.infra.bicep import INFRA

SETS = sorted((Path(__file__).parent / "snapshots").glob("*.bicepparam"))
BESIDE = Path(__file__).parents[3] / "shared/tools/bicep"
FOUND = os.environ.get("BICEP", shutil.which("bicep") or (str(BESIDE) if BESIDE.exists() else ""))
SOMEWHERE = ["--subscription-id", "11111111-1111-1111-1111-111111111111"]
SOMEWHERE += ["--tenant-id", "22222222-2222-2222-2222-222222222222"]

compiled = pytest.mark.skipif(not FOUND, reason="there is no Bicep compiler: set BICEP, or put bicep on the path")


def bicep(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([FOUND, *map(str, arguments)], capture_output=True, text=True, check=False)


def snapshot(parameters: Path, mode: str) -> subprocess.CompletedProcess[str]:
    return bicep("snapshot", parameters, "--mode", mode, *SOMEWHERE)


@cache
def predicted(name: str) -> list[dict[str, Any]]:
    """Return the resources that a set of parameters makes, as they were written down."""
    text = (Path(__file__).parent / f"snapshots/{name}.snapshot.json").read_text()
    resources: list[dict[str, Any]] = json.loads(text)["predictedResources"]
    return resources


def of_type(name: str, kind: str) -> list[dict[str, Any]]:
    return [one for one in predicted(name) if one["type"] == kind]


@compiled
def test_the_template_compiles_without_a_warning() -> None:
    done = bicep("build", "--stdout", INFRA / "main.bicep")

    assert (done.returncode, done.stderr) == (0, "")


@compiled
def test_the_compiler_warns_where_there_is_reason_to(tmp_path: Path) -> None:
    shutil.copy(INFRA / "bicepconfig.json", tmp_path)
    (tmp_path / "main.bicep").write_text("param unused string\n")

    assert "no-unused-params" in bicep("build", "--stdout", tmp_path / "main.bicep").stderr


@compiled
@pytest.mark.slow
@pytest.mark.parametrize("parameters", SETS, ids=lambda path: path.stem)
def test_the_template_makes_what_was_written_down(parameters: Path) -> None:
    done = snapshot(parameters, "validate")

    assert done.returncode == 0, f"{done.stdout}{done.stderr}If this is meant: python -m tests.infra.test_bicep"


@compiled
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("segmentStorageAccountId", "'marketingsegments'", "Expected SEGMENT_STORAGE_ACCOUNT_ID"),
        ("segmentStorageAccountId", "'/subscriptions/1/resourceGroups/g'", "az storage account show --query id"),
        ("vnetAddressPrefix", "'10.0.0.0/24'", "Expected vnetAddressPrefix to be /23 or larger, found 10.0.0.0/24"),
        ("exportSchedule", "'0 2 * * *'", "Expected EXPORT_SCHEDULE (exportSchedule) to have six fields"),
        ("alertEmail", "'operators'", 'Expected ALERT_EMAIL (alertEmail) to be an e-mail address, found "operators"'),
        ("runbooksUrl", "'docs/how-to'", "Expected RUNBOOKS_URL (runbooksUrl) to begin with https://"),
        *(
            ("otherSettings", f"{{ LANES: '2', {name}: 'True' }}", f"and the platform decide, found {name}.")
            for name in ("SIGN_IN", "website_auth_enabled", "WEBSITE_AUTH_AAD_ALLOWED_TENANTS", "WEBSITE_HOSTNAME")
        ),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_a_sentence(
    name: str, value: str, sentence: str, tmp_path: Path
) -> None:
    parameters = dict(re.findall(r"^param (\w+) = (.+)$", SETS[0].read_text(), re.MULTILINE))
    parameters |= {"vnetEnabled": "true", name: value}
    lines = [f"using '{os.path.relpath(INFRA / 'main.bicep', tmp_path)}'"]
    (tmp_path / "refused.bicepparam").write_text(
        "\n".join([*lines, *(f"param {n} = {v}" for n, v in parameters.items())])
    )

    done = snapshot(tmp_path / "refused.bicepparam", "overwrite")

    assert done.returncode != 0
    assert sentence in done.stdout + done.stderr


def test_there_is_a_prediction_of_each_set_and_no_other() -> None:
    assert len(SETS) >= 5
    assert {path.with_suffix(".snapshot.json") for path in SETS} == set(SETS[0].parent.glob("*.json"))


@pytest.mark.parametrize("parameters", SETS, ids=lambda path: path.stem)
def test_every_name_is_one_that_azure_takes(parameters: Path) -> None:
    longest = {
        "Microsoft.Resources/resourceGroups": 90,
        "Microsoft.Storage/storageAccounts": 24,
        "Microsoft.KeyVault/vaults": 24,
        "Microsoft.Web/sites": 60,
        "Microsoft.ManagedIdentity/userAssignedIdentities": 128,
        "Microsoft.Insights/actionGroups": 260,
    }
    named = [one for one in predicted(parameters.stem) if one["type"] in longest]

    assert len({one["type"] for one in named}) == len(longest)
    assert [one["name"] for one in named if len(one["name"]) > longest[one["type"]]] == []


@pytest.mark.parametrize(("name", "stored"), [("defaults", True), ("sign-in", False)])
def test_what_the_app_may_do_with_secrets_follows_the_parameter(name: str, *, stored: bool) -> None:
    (role,) = of_type(name, "Microsoft.Authorization/roleDefinitions")
    (permissions,) = role["properties"]["permissions"]
    verbs = ["getSecret", "setSecret"] if stored else ["getSecret"]

    assert permissions["dataActions"] == [f"Microsoft.KeyVault/vaults/secrets/{verb}/action" for verb in verbs]
    assert permissions["actions"] == []


def test_the_role_goes_back_when_it_is_switched_off() -> None:
    # A deployment takes no assignment away: there has to be one only, whatever the parameter says.
    on, off = (
        {one["id"] for one in predicted(name) if "Authorization" in one["type"]} for name in ("defaults", "sign-in")
    )

    assert on == off


@pytest.mark.parametrize("parameters", SETS, ids=lambda path: path.stem)
def test_app_and_platform_agree_on_who_signs_in(parameters: Path) -> None:
    (platform,) = of_type(parameters.stem, "Microsoft.Web/sites/config")
    (app,) = of_type(parameters.stem, "Microsoft.Web/sites")
    settings = {one["name"]: one["value"] for one in app["properties"]["siteConfig"]["appSettings"]}
    enabled = "entraClientId" in parameters.read_text()

    assert platform["properties"]["platform"] == {"enabled": enabled}
    assert settings["SIGN_IN"] == ("entra" if enabled else "key")
    assert ("OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID" in settings) == enabled


def test_the_applications_that_may_bring_tokens_are_the_app_the_azure_cli_and_those_named() -> None:
    (settings,) = of_type("sign-in", "Microsoft.Web/sites/config")
    validation = settings["properties"]["identityProviders"]["azureActiveDirectory"]["validation"]

    assert validation["defaultAuthorizationPolicy"]["allowedApplications"] == [
        "44444444-4444-4444-4444-444444444444",
        "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
        "55555555-5555-5555-5555-555555555555",
    ]


def test_the_owner_of_a_foreign_account_is_asked_and_nobody_else() -> None:
    waiting = {
        name: [
            one["name"].rsplit("-", 1)[0]
            for one in of_type(name, "Microsoft.Network/privateEndpoints")
            if one["properties"]["manualPrivateLinkServiceConnections"]
        ]
        for name in ("network", "foreign-account")
    }

    assert waiting == {"network": [], "foreign-account": ["pe-segment-blob"]}


def test_in_a_foreign_account_there_is_one_role_on_one_container_and_nothing_else() -> None:
    (foreign,) = (one for one in predicted("foreign-account") if "33333333" in one["id"])

    assert foreign["type"] == "Microsoft.Authorization/roleAssignments"
    assert "/marketingsegments/blobServices/default/containers/dynamics365customerinsights'," in foreign["id"]


@pytest.mark.parametrize(("name", "protected"), [("defaults", True), ("longest-name", None)])
def test_a_trial_can_do_without_purge_protection(name: str, *, protected: bool | None) -> None:
    (vault,) = of_type(name, "Microsoft.KeyVault/vaults")

    # Azure refuses `false`.
    assert vault["properties"]["enablePurgeProtection"] is protected


def test_the_redundancy_is_that_of_all_new_accounts() -> None:
    accounts = of_type("longest-name", "Microsoft.Storage/storageAccounts")

    assert {one["sku"]["name"] for one in accounts} == {"Standard_LRS"}
    assert len(accounts) == 3


def test_every_alert_is_deployed_without_asking_whether_its_tables_are_there_yet() -> None:
    rules = of_type("defaults", "Microsoft.Insights/scheduledQueryRules")

    assert len(rules) == 10
    assert all(one["properties"]["skipQueryValidation"] for one in rules)


if __name__ == "__main__":
    for one in SETS:
        snapshot(one, "overwrite").check_returncode()
