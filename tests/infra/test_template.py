"""The template is secure by what it says, and agrees with the code on names and retention."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from exporter.api.access import Role
from exporter.api.routes import ROUTES
from exporter.queues import PLAN_QUEUE, UPLOAD_QUEUE
from exporter.records import audit, payload
from exporter.settings import Settings
from sandbox import sign_in, world
from tests.infra.bicep import FILES, INFRA, Declaration, declarations, named, parameters, resources

ROOT = Path(__file__).parents[2]
ACCOUNTS = resources("Microsoft.Storage/storageAccounts")
TOO_BROAD = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": "Role Based Access Control Administrator",
    "00482a5a-887f-4fb3-b363-3b7fe8e74483": "Key Vault Administrator",
    "17d1049b-9a84-46fb-8f53-869881c3d3ab": "Storage Account Contributor",
}


@pytest.mark.parametrize("account", ACCOUNTS, ids=lambda one: one.file)
def test_a_storage_account_is_reached_with_identities_over_tls_only(account: Declaration) -> None:
    assert account.properties["allowSharedKeyAccess"] is False
    assert account.properties["allowBlobPublicAccess"] is False
    assert account.properties["allowCrossTenantReplication"] is False
    assert account.properties["isLocalUserEnabled"] is False
    assert account.properties["supportsHttpsTrafficOnly"] is True
    assert account.properties["minimumTlsVersion"] == "TLS1_2"


def test_there_are_separate_accounts_for_the_host_the_app_and_the_segments() -> None:
    assert {one.file for one in ACCOUNTS} == {"host-storage.bicep", "export-storage.bicep", "segment-storage.bicep"}


def test_no_container_is_public() -> None:
    containers = resources("Microsoft.Storage/storageAccounts/blobServices/containers")

    assert containers
    assert all(one.properties["publicAccess"] == "None" for one in containers)


@pytest.mark.parametrize("file", ["host-storage", "export-storage", "key-vault"])
def test_in_a_virtual_network_nothing_answers_from_outside(file: str) -> None:
    kind = "Microsoft.KeyVault/vaults" if file == "key-vault" else "Microsoft.Storage/storageAccounts"
    resource = next(one for one in resources(kind) if one.file == f"{file}.bicep")
    module = next(one for one in declarations(INFRA / "main.bicep") if one.of == f"modules/{file}.bicep")

    assert resource.properties["publicNetworkAccess"] == "publicAccess ? 'Enabled' : 'Disabled'"
    assert resource.properties["networkAcls"]["defaultAction"] == "publicAccess ? 'Allow' : 'Deny'"
    assert module.value["params"]["publicAccess"] == "!vnetEnabled"


def test_the_vault_keeps_what_is_deleted_and_knows_roles_only() -> None:
    (vault,) = resources("Microsoft.KeyVault/vaults")

    assert vault.properties["enableRbacAuthorization"] is True
    assert vault.properties["enableSoftDelete"] is True
    assert vault.properties["enablePurgeProtection"] == "purgeProtection ? true : null"
    assert named("main.bicep", "purgeProtection").value is True
    assert "accessPolicies" not in vault.properties


def test_the_app_speaks_https_only_and_has_no_publishing_password() -> None:
    (app,) = resources("Microsoft.Web/sites")
    policies = resources("Microsoft.Web/sites/basicPublishingCredentialsPolicies")

    assert app.properties["httpsOnly"] is True
    assert app.properties["siteConfig"]["minTlsVersion"] == "1.2"
    assert app.properties["siteConfig"]["scmMinTlsVersion"] == "1.2"
    assert app.properties["siteConfig"]["remoteDebuggingEnabled"] is False
    assert {one.value["name"]: one.properties["allow"] for one in policies} == {"ftp": False, "scm": False}


def test_the_app_has_no_property_that_flex_consumption_refuses() -> None:
    # Error 51021: https://github.com/Azure/terraform-azurerm-avm-res-web-site/pull/345. There is no FTP on this plan.
    (app,) = resources("Microsoft.Web/sites")
    refused = {"ftpsState", "alwaysOn", "linuxFxVersion", "windowsFxVersion", "netFrameworkVersion", "pythonVersion"}
    refused |= {"use32BitWorkerProcess", "preWarmedInstanceCount", "functionAppScaleLimit", "healthCheckPath"}
    refused |= {"functionsRuntimeScaleMonitoringEnabled"}

    assert not refused & set(app.properties["siteConfig"])


def test_telemetry_takes_no_keys() -> None:
    (component,) = resources("Microsoft.Insights/components")
    (workspace,) = resources("Microsoft.OperationalInsights/workspaces")

    assert component.properties["DisableLocalAuth"] is True
    assert workspace.properties["features"]["disableLocalAuth"] is True


def test_no_role_is_broad_and_each_says_why() -> None:
    assignments = resources("Microsoft.Authorization/roleAssignments")
    known = {*named("modules/access.bicep", "roles").value.values(), "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"}
    used = {
        guid
        for path in FILES
        for guid in re.findall(r"'([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})'", path.read_text())
    }

    assert used - {named("main.bicep", "azureCli").value} == known
    assert not used & set(TOO_BROAD)
    for one in assignments:
        # A new identity is not found by its kind for a while: https://learn.microsoft.com/azure/role-based-access-control/role-assignments-template#new-service-principal
        assert one.properties["principalType"] == "ServicePrincipal", one.name
        assert one.properties["description"], one.name
        assert "scope" in one.value, f"{one.name} would hold for the whole resource group"


def test_where_segments_land_the_app_may_only_read_and_only_the_container() -> None:
    in_file = [
        one for one in resources("Microsoft.Authorization/roleAssignments") if one.file == "segment-access.bicep"
    ]

    assert [one.value["scope"] for one in in_file] == ["account::blobs::segments"]
    assert (
        named("modules/segment-access.bicep", "storageBlobDataReader").value == "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
    )


def test_records_are_accessed_by_container() -> None:
    (one,) = (a for a in resources("Microsoft.Authorization/roleAssignments") if a.name == "exportBlobs")

    assert one.value["scope"] == "containers[index]"


def test_no_output_and_no_parameter_carries_a_secret() -> None:
    texts = [
        f"{one.name} {one.value}" for path in FILES for one in declarations(path) if one.kind in ("output", "parameter")
    ]

    assert not [text for text in texts if re.search(r"(?i)listkeys|accountkey|password|secret\b|sas", text)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_module_has_a_first_line_that_says_what_it_is_for(path: Path) -> None:
    assert path.read_text().startswith("// ")


def test_every_parameter_of_the_template_is_described() -> None:
    assert [one.name for one in parameters("main.bicep") if "description" not in one.decorators] == []


def test_the_parameter_file_names_parameters_that_exist_and_all_that_have_no_default() -> None:
    named_there = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
    existing = {one.name: one.value for one in parameters("main.bicep")}

    assert set(named_there) <= set(existing)
    assert {name for name, value in existing.items() if value is None} <= set(named_there)
    for name, entry in named_there.items():
        default = re.fullmatch(r"\$\{\w+=(.*)\}", entry["value"])
        if default:
            # azd substitutes text: true and 96 arrive as what they are in the template.
            assert default[1] == json.dumps(existing[name]).strip('"'), name


# ---- names that the code fixes ----------------------------------------------------------------------------------


def code_names() -> tuple[set[str], set[str]]:
    """Return the containers and the queues that the code names."""
    queues = set(triggers_of("queue_name"))
    sources = " ".join(path.read_text() for path in (ROOT / "exporter").rglob("*.py"))
    containers = set(re.findall(r"\b(records|working|rejects|audit)/", sources))
    return containers, queues


def triggers_of(argument: str) -> list[str]:
    tree = ast.parse((ROOT / "function_app.py").read_text())
    return [
        keyword.value.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        for keyword in call.keywords
        if keyword.arg == argument and isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str)
    ]


def test_the_template_makes_the_containers_and_queues_of_the_code_and_the_sandbox() -> None:
    containers, queues = code_names()

    assert set(named("main.bicep", "exportContainers").value) == containers == set(world.APP_CONTAINERS)
    assert set(named("modules/export-storage.bicep", "queues").value) == queues
    assert queues == {name for queue in world.APP_QUEUES for name in (queue, f"{queue}-poison")}
    assert {PLAN_QUEUE, UPLOAD_QUEUE} == set(world.APP_QUEUES)


def test_the_queue_triggers_use_the_connection_that_the_template_configures() -> None:
    assert set(triggers_of("connection")) == {"ExportStorage"}
    assert {"ExportStorage__credential", "ExportStorage__clientId"} == set(
        named("modules/function-app.bicep", "triggerSettings").value
    )


def test_the_schedules_but_that_of_the_door_are_settings_of_the_template() -> None:
    settings = named("modules/function-app.bicep", "exporterSettings").value

    assert {text.strip("%") for text in triggers_of("schedule")} - {"0 41 * * * *"} <= set(settings)


def test_python_is_the_same_version_everywhere() -> None:
    (app,) = resources("Microsoft.Web/sites")
    version = app.properties["functionAppConfig"]["runtime"]["version"]
    project = (ROOT / "pyproject.toml").read_text()

    assert f'requires-python = ">={version}"' in project
    assert f'python_version = "{version}"' in project
    assert f'target-version = "py{version.replace(".", "")}"' in project


def test_the_host_is_not_taken_for_a_limit_of_the_upload() -> None:
    host = json.loads((ROOT / "host.json").read_text())
    budget_s = Settings.model_fields["lane_time_budget_s"].default
    hours, minutes, seconds = (int(part) for part in host["functionTimeout"].split(":"))

    # A lane that used its time, and the longest request and turn after it, end before the host ends the function.
    assert budget_s + 60 + 20 < hours * 3600 + minutes * 60 + seconds


def test_the_lanes_of_a_run_fit_into_one_instance() -> None:
    # The scale controller asks for an instance for each so many messages: more would be paid for, and only wait.
    queues = json.loads((ROOT / "host.json").read_text())["extensions"]["queues"]

    lanes = Settings.model_fields["lanes"].default
    assert lanes <= queues["batchSize"] + queues["newBatchThreshold"]


def test_the_sampling_of_telemetry_drops_neither_events_nor_calls() -> None:
    # Alerts and the workbook count them.
    sampling = json.loads((ROOT / "host.json").read_text())["logging"]["applicationInsights"]["samplingSettings"]

    assert {"Request", "Exception", "Trace"} <= set(sampling["excludedTypes"].split(";"))


# ---- retention --------------------------------------------------------------------------------------------------


def lifecycle() -> dict[str, dict[str, Any]]:
    (policy,) = resources("Microsoft.Storage/storageAccounts/managementPolicies")
    rules = policy.properties["policy"]["rules"]
    assert all(rule["enabled"] for rule in rules)
    return {prefix: rule["definition"] for rule in rules for prefix in rule["definition"]["filters"]["prefixMatch"]}


def days(rule: dict[str, Any]) -> Any:
    return rule["actions"]["baseBlob"]["delete"]["daysAfterModificationGreaterThan"]


def test_working_copies_go_after_a_day_in_code_and_in_storage() -> None:
    assert days(lifecycle()["working/"]) * 86_400 == payload.WORKING_COPY_S


def test_reject_reports_go_when_the_setting_says_in_code_and_in_storage() -> None:
    assert days(lifecycle()["rejects/"]) == "rejectsRetentionDays"
    assert named("modules/function-app.bicep", "exporterSettings").value["REJECTS_RETENTION_DAYS"] == (
        "string(rejectsRetentionDays)"
    )


def test_records_of_runs_stay_for_more_than_a_year() -> None:
    rule = lifecycle()["records/runs/"]

    assert named("main.bicep", "recordsRetentionDays").decorators["minValue"] > 365
    assert days(rule) == "recordsRetentionDays"
    assert set(rule["filters"]["blobTypes"]) == {"blockBlob", "appendBlob"}


def test_entries_of_the_audit_trail_can_be_appended_to_but_not_changed_until_the_app_deletes_them() -> None:
    (policy,) = resources("Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies")

    assert named("modules/export-storage.bicep", policy.value["parent"]).value["name"] == audit.PREFIX.rstrip("/")
    assert policy.properties == {
        "immutabilityPeriodSinceCreationInDays": "auditRetentionDays",
        "allowProtectedAppendWrites": True,
    }
    assert named("modules/function-app.bicep", "exporterSettings").value["AUDIT_RETENTION_DAYS"] == (
        "string(auditRetentionDays)"
    )


def test_a_locked_audit_trail_is_left_alone() -> None:
    # A PUT on a locked policy is refused, and with it the whole deployment.
    assert named("main.bicep", "auditTrailLocked").value is False
    assert "immutabilityPolicies@2026-04-01' = if (!auditTrailLocked) {" in (
        (INFRA / "modules/export-storage.bicep").read_text()
    )


def test_idempotency_keys_live_for_a_day_at_least() -> None:
    assert 1 < days(lifecycle()["records/idempotency/"]) <= 7
    assert "records/idempotency/" in (ROOT / "exporter/records/paths.py").read_text()


def test_no_rule_touches_what_has_to_stay() -> None:
    assert set(lifecycle()) == {"working/", "rejects/", "records/idempotency/", "records/runs/"}


def test_what_is_deleted_from_the_apps_account_is_gone() -> None:
    (blobs,) = (
        one for one in resources("Microsoft.Storage/storageAccounts/blobServices") if one.file == "export-storage.bicep"
    )

    assert blobs.properties["deleteRetentionPolicy"]["enabled"] is False
    assert blobs.properties["isVersioningEnabled"] is False


# ---- sign-in ----------------------------------------------------------------------------------------------------


def test_the_app_registration_has_the_roles_that_the_code_knows() -> None:
    roles = json.loads((INFRA / "entra-app.json").read_text())["appRoles"]

    assert {role["value"].upper() for role in roles} == {role.name for role in Role}
    assert len({role["id"] for role in roles}) == len(roles)


SIGN_IN = named("modules/function-app.bicep", "signInSettings").value


def test_tokens_are_of_the_version_whose_issuer_the_app_expects() -> None:
    registration = json.loads((INFRA / "entra-app.json").read_text())
    provider = SIGN_IN["identityProviders"]["azureActiveDirectory"]

    assert registration["api"]["requestedAccessTokenVersion"] == 2
    assert provider["registration"]["openIdIssuer"].endswith("/v2.0'")
    # Version 2 names the client id as its audience: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
    assert "entraClientId" in provider["validation"]["allowedAudiences"]


def test_with_sign_in_nobody_gets_through_who_is_not_signed_in_but_probes_and_the_pages_of_the_console() -> None:
    validation = SIGN_IN["globalValidation"]

    assert validation["requireAuthentication"] is True
    assert validation["unauthenticatedClientAction"] == "Return401"
    assert validation["excludedPaths"] == ["/api/health", "/api/console"] == list(sign_in.EXCLUDED)
    # That they are no prefixes is not documented.
    for path in validation["excludedPaths"]:
        assert [one.path for one in ROUTES if f"/api{one.path}".startswith(path) and one.role is not None] == []


def test_no_secret_is_needed_to_sign_people_in() -> None:
    provider = SIGN_IN["identityProviders"]["azureActiveDirectory"]
    setting = provider["registration"]["clientSecretSettingName"]
    source = (INFRA / "modules/function-app.bicep").read_text()

    assert f"empty(entraClientId) ? {{}} : {{ {setting}: identityClientId }}" in source
    assert json.loads((INFRA / "entra-app.json").read_text())["web"] == {
        "implicitGrantSettings": {"enableIdTokenIssuance": True}
    }


def test_a_session_is_short_and_no_token_is_kept() -> None:
    assert SIGN_IN["login"] == {
        "tokenStore": {"enabled": False},
        "cookieExpiration": {"convention": "FixedTime", "timeToExpiration": "01:00:00"},
    }
    assert sign_in.SESSION_S == 3600


def test_only_known_applications_bring_tokens() -> None:
    policy = SIGN_IN["identityProviders"]["azureActiveDirectory"]["validation"]["defaultAuthorizationPolicy"]
    registration = json.loads((INFRA / "entra-app.json").read_text())
    (known,) = registration["api"]["preAuthorizedApplications"]

    assert policy == {"allowedApplications": "concat([entraClientId], entraClients)"}
    assert named("main.bicep", "azureCli").value == known["appId"]
    assert named("main.bicep", "functionApp").value["params"]["entraClients"].startswith("concat([azureCli], ")


def test_roles_count_exactly_where_the_platform_signs_people_in() -> None:
    source = (INFRA / "modules/function-app.bicep").read_text()

    assert "properties: empty(entraClientId) ? { platform: { enabled: false } } : signInSettings" in source
    assert "SIGN_IN: empty(entraClientId) ? 'key' : 'entra'" in source


def test_the_setting_that_says_who_signs_in_is_left_to_the_platform() -> None:
    # By hand, it would make SIGN_IN = entra believe everybody who invents the header.
    assert "WEBSITE_AUTH_ENABLED" not in " ".join(path.read_text() for path in FILES)
