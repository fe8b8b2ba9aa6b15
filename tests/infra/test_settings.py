"""What the template sets, what the code reads and what the sample shows are the same list."""

import json
import re
from pathlib import Path

from exporter.settings import Settings, setting_names
from sandbox import world
from tests.infra.bicep import named, parameters

ROOT = Path(__file__).parents[2]
APP = "modules/function-app.bicep"

SET_BY_THE_PLATFORM = {"WEBSITE_AUTH_ENABLED", "WEBSITE_HOSTNAME"}
LEFT_AT_THEIR_DEFAULT = {
    # Recovery times, cancel within a minute and the tests of both rest on these values. Whoever has a reason to change
    # one does so in `otherSettings`.
    "REQUEST_DEADLINE_S",
    "LANES",
    "LANE_TIME_BUDGET_S",
    "LANE_STALE_S",
    "CONFIRM_WITHIN_S",
    "RETRY_FOR_S",
}


def template_settings(*variables: str) -> dict[str, str]:
    return {name: value for variable in variables for name, value in named(APP, variable).value.items()}


def test_the_template_sets_every_setting_that_the_code_reads_and_nothing_else() -> None:
    expected = set(setting_names()) - SET_BY_THE_PLATFORM - LEFT_AT_THEIR_DEFAULT

    assert set(template_settings("exporterSettings", "workerSettings")) == expected


def test_a_setting_without_a_default_is_not_left_out() -> None:
    required = {field.alias for field in Settings.model_fields.values() if field.is_required()}

    assert not required & (LEFT_AT_THEIR_DEFAULT | SET_BY_THE_PLATFORM)
    assert set(setting_names()) >= LEFT_AT_THEIR_DEFAULT


def test_parameters_repeat_the_defaults_and_bounds_of_the_code() -> None:
    fields = {field.alias: field for field in Settings.model_fields.values()}
    main = {one.name: one for one in parameters("main.bicep")}
    compared = set()
    for setting, expression in template_settings("exporterSettings").items():
        parameter = main.get(re.sub(r"^string\((\w+)\)$", r"\1", expression))
        if parameter is None or fields[setting].is_required():
            continue
        compared.add(setting)
        field = fields[setting]
        assert str(parameter.value) == str(field.default), setting
        for decorator, limit in (("minValue", "ge"), ("maxValue", "le")):
            if decorator in parameter.decorators:
                (bound,) = (getattr(one, limit) for one in field.metadata if hasattr(one, limit))
                assert parameter.decorators[decorator] == bound, setting

    assert {"BULK_REQUESTS_PER_MINUTE", "REJECTS_RETENTION_DAYS", "SEGMENT_QUIET_S", "SIZE_CHANGE_FACTOR"} <= compared


def test_the_template_sets_nothing_else() -> None:
    union = named(APP, "appSettings").value
    known = ["otherSettings", "exporterSettings", "hostSettings", "triggerSettings", "identitySettings"]

    assert re.findall(r"\w+", union) == ["union", *known, "workerSettings", "assertionSettings"]


def test_the_host_and_the_identity_settings_are_the_known_ones() -> None:
    # Flex Consumption names its runtime elsewhere and refuses FUNCTIONS_* and build settings.
    assert set(template_settings("hostSettings", "triggerSettings", "identitySettings", "workerSettings")) == {
        "AzureWebJobsStorage__credential",
        "AzureWebJobsStorage__clientId",
        "AzureWebJobsStorage__accountName",
        "AzureWebJobsStorage__blobServiceUri",
        "AzureWebJobsStorage__tableServiceUri",
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
        "ExportStorage__credential",
        "ExportStorage__clientId",
        "AZURE_CLIENT_ID",
        "AZURE_TOKEN_CREDENTIALS",
        "PYTHON_THREADPOOL_THREAD_COUNT",
    }


def test_there_is_a_thread_for_each_lane_and_more() -> None:
    threads = int(template_settings("workerSettings")["PYTHON_THREADPOOL_THREAD_COUNT"])

    assert Settings.model_fields["lanes"].default < threads == Settings.model_fields["threads"].default


def test_the_sandbox_runs_the_app_with_the_settings_of_the_template() -> None:
    sandbox = set(world.World().app_settings())
    template = set(template_settings("exporterSettings", "identitySettings", "workerSettings"))

    assert sandbox <= template
    assert world.World().app_settings()["SWEEP_SCHEDULE"] == template_settings("exporterSettings")["SWEEP_SCHEDULE"]


def sample() -> dict[str, str]:
    values: dict[str, str] = json.loads((ROOT / "local.settings.sample.json").read_text())["Values"]
    return values


def test_the_sample_for_laptops_has_every_setting_without_a_default() -> None:
    required = {field.alias for field in Settings.model_fields.values() if field.is_required()}

    assert required <= set(sample())


def test_the_sample_for_laptops_has_no_setting_that_nobody_reads() -> None:
    host = {"AzureWebJobsStorage", "FUNCTIONS_WORKER_RUNTIME"}
    identity = set(template_settings("triggerSettings", "identitySettings"))

    assert set(sample()) <= host | set(setting_names()) | identity


def test_the_sample_for_laptops_is_usable() -> None:
    Settings.from_environ(sample())


def test_the_sample_for_laptops_holds_no_secret() -> None:
    text = (ROOT / "local.settings.sample.json").read_text()

    assert not re.search(r"AccountKey|SharedAccess|[?&]sig=|[A-Za-z0-9+/]{40,}={0,2}", text)
