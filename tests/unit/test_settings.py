from __future__ import annotations

from contextlib import nullcontext

import pytest

from exporter.errors import Stop
from exporter.settings import Settings, setting_names
from tests.fakes import SETTINGS


def test_all_problems_are_reported_at_once_by_name_and_without_values() -> None:
    wrong = SETTINGS | {"KEY_VAULT_URI": "http://secret-vault", "LANES": "many", "EXPORT_SCHEDULE": "every day"}
    del wrong["SEGMENT_CONTAINER"]
    with pytest.raises(Stop) as caught:
        Settings.from_environ(wrong)
    message = caught.value.message
    for name in ("KEY_VAULT_URI", "LANES", "EXPORT_SCHEDULE", "SEGMENT_CONTAINER"):
        assert name in message
    assert "secret-vault" not in message
    assert "4 unusable" in message


def test_a_misspelled_name_is_recognized() -> None:
    wrong = SETTINGS | {"KEYVAULT_URI": "x"}
    del wrong["KEY_VAULT_URI"]
    with pytest.raises(Stop, match="found KEYVAULT_URI: misspelled"):
        Settings.from_environ(wrong)


def test_an_empty_setting_counts_as_not_set() -> None:
    assert Settings.from_environ(SETTINGS | {"LANES": ""}).lanes == 6


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        (
            "SegmentStorage__blobServiceUri",
            "https://x.dfs.core.windows.net",
            "blob endpoint .*, found its dfs",
        ),
        ("ExportStorage__blobServiceUri", "https://x.queue.core.windows.net/", "blob endpoint .*, found its queue"),
        ("ExportStorage__queueServiceUri", "https://x.blob.core.windows.net", "queue endpoint .*, found its blob"),
        ("SegmentStorage__blobServiceUri", "https://x.blob.core.windows.net", None),
        ("SegmentStorage__blobServiceUri", "https://x.z01.blob.storage.azure.net", None),
        ("SegmentStorage__blobServiceUri", "https://storage.example", None),
    ],
)
def test_the_endpoint_of_another_service_of_the_account_is_refused(name: str, value: str, told: str | None) -> None:
    with pytest.raises(Stop, match=f"{name} must be the {told}") if told else nullcontext():
        Settings.from_environ(SETTINGS | {name: value})


BOUNDS = [
    # setting, below the least, the least, the most, above the most
    ("SEGMENT_QUIET_S", "-0.1", "0", "86400", "86400.1"),
    ("BULK_REQUESTS_PER_MINUTE", "5", "6", "96", "97"),
    ("REQUEST_DEADLINE_S", "0.9", "1", "120", "120.1"),
    ("LANES", "0", "1", "8", "9"),
    ("LANE_TIME_BUDGET_S", "4.9", "5", "480", "480.1"),
    ("LANE_STALE_S", "2.9", "3", "600", "600.1"),
    ("CONFIRM_WITHIN_S", "9.9", "10", "86400", "86400.1"),
    ("RETRY_FOR_S", "59.9", "60", "604800", "604800.1"),
    ("REJECTS_RETENTION_DAYS", "0", "1", "365", "366"),
    ("AUDIT_RETENTION_DAYS", "0", "1", "3650", "3651"),
    ("SIZE_CHANGE_FACTOR", "1.09", "1.1", "1000000", "1000000.1"),
    ("PYTHON_THREADPOOL_THREAD_COUNT", "0", "1", "32", "33"),
]


def with_setting(name: str, value: str) -> Settings:
    """Read settings with this one; what has to fit to it does."""
    fitting = {
        "REQUEST_DEADLINE_S": {"LANE_STALE_S": "241"},
        "LANE_STALE_S": {"REQUEST_DEADLINE_S": "1"},
    }
    return Settings.from_environ(SETTINGS | fitting.get(name, {}) | {name: value})


@pytest.mark.parametrize(("name", "below", "least", "most", "above"), BOUNDS, ids=[bound[0] for bound in BOUNDS])
def test_a_number_is_taken_up_to_its_bounds_and_refused_beyond_them(
    name: str, below: str, least: str, most: str, above: str
) -> None:
    for value in (least, most):
        assert with_setting(name, value).model_dump(by_alias=True)[name] == float(value)
    for value in (below, above):
        with pytest.raises(Stop, match=f"1 unusable.*{name} Input should be"):
            with_setting(name, value)


def test_every_setting_with_a_bound_is_in_the_table() -> None:
    bounded = {str(f.alias) for f in Settings.model_fields.values() if f.annotation in (int, float)}
    assert {bound[0] for bound in BOUNDS} == bounded


@pytest.mark.parametrize(("length", "taken"), [(512, True), (513, False)])
def test_a_folder_has_at_most_512_characters(length: int, *, taken: bool) -> None:
    with nullcontext() if taken else pytest.raises(Stop, match="SEGMENT_PREFIX"):
        Settings.from_environ(SETTINGS | {"SEGMENT_PREFIX": "x" * length})


@pytest.mark.parametrize(("length", "taken"), [(2, False), (3, True), (63, True), (64, False)])
def test_a_container_has_3_to_63_characters(length: int, *, taken: bool) -> None:
    """As Azure has it: https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers."""
    with nullcontext() if taken else pytest.raises(Stop, match="SEGMENT_CONTAINER"):
        Settings.from_environ(SETTINGS | {"SEGMENT_CONTAINER": "x" * length})


@pytest.mark.parametrize(
    ("value", "column", "hidden"),
    [
        ("Health,Income", "Income", True),
        (" health , INCOME ", "Health ", True),
        ("STRASSE", "Straße", True),
        ("Health", "HealthPlan", False),
        ("", "", False),
        ("Health,,Income", " ", False),
    ],
)
def test_columns_are_hidden_by_name_in_whatever_case(value: str, column: str, *, hidden: bool) -> None:
    assert Settings.from_environ(SETTINGS | {"HIDDEN_COLUMNS": value}).hides(column) is hidden


def test_segments_are_looked_for_in_a_folder_of_a_container_of_an_account() -> None:
    changes = {
        "SegmentStorage__blobServiceUri": "https://acme.blob.core.windows.net",
        "SEGMENT_CONTAINER": "insights",
        "SEGMENT_PREFIX": "a/b",
    }
    assert Settings.from_environ(SETTINGS | changes).segment_folder == "https://acme.blob.core.windows.net/insights/a/b"


@pytest.mark.parametrize(("deadline_s", "stale_s", "taken"), [(60, 121, True), (60, 120.9, False), (1, 3, True)])
def test_a_worker_cannot_be_taken_for_dead_while_it_waits_for_two_answers(
    deadline_s: float, stale_s: float, *, taken: bool
) -> None:
    with nullcontext() if taken else pytest.raises(Stop, match="LANE_STALE_S must be more than twice"):
        Settings.from_environ(SETTINGS | {"LANE_STALE_S": f"{stale_s}", "REQUEST_DEADLINE_S": f"{deadline_s}"})


def test_the_defaults_are_those_of_the_reference() -> None:
    shown = Settings.from_environ(SETTINGS | {"SEGMENT_QUIET_S": ""}).model_dump(by_alias=True)
    assert {name: value for name, value in shown.items() if name not in SETTINGS or name == "SEGMENT_QUIET_S"} == {
        "SEGMENT_PREFIX": "",
        "EXPORT_SCHEDULE": "0 0 2 * * *",
        "SEGMENT_QUIET_S": 300,
        "HIDDEN_COLUMNS": "",
        "STORE_API_KEYS": True,
        "ACTIVECAMPAIGN_HOST_SUFFIXES": "",
        "BULK_REQUESTS_PER_MINUTE": 96,
        "REQUEST_DEADLINE_S": 60,
        "LANES": 6,
        "LANE_TIME_BUDGET_S": 240,
        "LANE_STALE_S": 150,
        "CONFIRM_WITHIN_S": 7_200,
        "RETRY_FOR_S": 86_400,
        "REJECTS_RETENTION_DAYS": 30,
        "AUDIT_RETENTION_DAYS": 400,
        "SIZE_CHANGE_FACTOR": 10,
        "PYTHON_THREADPOOL_THREAD_COUNT": 16,
        "SIGN_IN": "key",
        "WEBSITE_AUTH_ENABLED": False,
        "WEBSITE_HOSTNAME": "",
        "CONSOLE_ORIGINS": "",
    }


@pytest.mark.parametrize("value", ["off", "Entra", "true"])
def test_sign_in_is_by_key_or_by_entra(value: str) -> None:
    with pytest.raises(Stop, match="SIGN_IN Input should be 'key' or 'entra'"):
        Settings.from_environ(SETTINGS | {"SIGN_IN": value})


@pytest.mark.parametrize(
    ("value", "origins"),
    [
        ("", {"https://func-1.azurewebsites.net"}),
        ("https://exports.contoso.com", {"https://func-1.azurewebsites.net", "https://exports.contoso.com"}),
        (
            "https://a.example:8443,http://127.0.0.1:7071",
            {"https://func-1.azurewebsites.net", "https://a.example:8443", "http://127.0.0.1:7071"},
        ),
    ],
)
def test_pages_are_those_of_the_apps_own_address_and_of_the_ones_that_are_named(value: str, origins: set[str]) -> None:
    names = {"WEBSITE_HOSTNAME": "Func-1.azurewebsites.net", "CONSOLE_ORIGINS": value}
    assert Settings.from_environ(SETTINGS | names).page_origins == origins


@pytest.mark.parametrize(
    "value",
    [
        *("exports.contoso.com", "https://exports.contoso.com/", "https://a.example, https://b.example", "*", "null"),
        *(
            "http://exports.contoso.com",
            "http://localhost:7071",
            "https://Exports.contoso.com",
            "http://127.0.0.1.x.example:1",
        ),
    ],
)
def test_addresses_of_pages_are_as_browsers_write_them(value: str) -> None:
    with pytest.raises(Stop, match="CONSOLE_ORIGINS must be https"):
        Settings.from_environ(SETTINGS | {"CONSOLE_ORIGINS": value})


@pytest.mark.parametrize("value", ["", "api-eu1.com", "api-eu1.com,api.acme.co.uk", "7-a.acme.com", "notwindows.net"])
def test_a_suffix_of_one_owner_is_taken(value: str) -> None:
    settings = Settings.from_environ(SETTINGS | {"ACTIVECAMPAIGN_HOST_SUFFIXES": value})
    assert settings.extra_host_suffixes == tuple(filter(None, value.split(",")))


@pytest.mark.parametrize(
    "value",
    [
        *("api-eu1.com, x.com", "*.com", "com", "net", "org", ".com", "a..b"),
        *("0.1", "127.0.0.1", "1.com", "a.b1", "a.b-c"),
        *("co.uk", "com.au", "windows.net", "blob.core.windows.net", "azurewebsites.net"),
        *("westeurope.cloudapp.azure.com", "amazonaws.com", "s3.amazonaws.com", "github.io", "api-eu1.com,co.uk"),
    ],
)
def test_host_suffixes_are_exact(value: str) -> None:
    with pytest.raises(Stop, match="ACTIVECAMPAIGN_HOST_SUFFIXES"):
        Settings.from_environ(SETTINGS | {"ACTIVECAMPAIGN_HOST_SUFFIXES": value})


@pytest.mark.parametrize(
    "value", ["https://v.vault.azure.net/path", "https://user@v.vault.azure.net", "https://v:443", "v.vault.azure.net"]
)
def test_endpoints_are_https_origins(value: str) -> None:
    with pytest.raises(Stop, match="KEY_VAULT_URI"):
        Settings.from_environ(SETTINGS | {"KEY_VAULT_URI": value})


def test_every_setting_says_what_it_is_for() -> None:
    assert all(len(description) > 20 for description in setting_names().values())


@pytest.mark.parametrize(
    "schedule",
    [
        "0 0 2 * * *",
        "59 59 23 31 12 *",
        "*/15 0-30/5 8-18 * * MON-FRI",
        "0 0 6 1,15 JAN,jul *",
        "0 0 0 1-7 * SUN",
        "0 0 0 29 2 *",
        "0 0 2 * * 0",
        "0 0 2 * * */7",
    ],
)
def test_a_schedule_that_comes_is_taken(schedule: str) -> None:
    assert Settings.from_environ(SETTINGS | {"EXPORT_SCHEDULE": schedule}).export_schedule == schedule


@pytest.mark.parametrize(
    ("schedule", "sentence"),
    [
        ("0 2 * * *", "six fields"),
        ("0 0 2 * * * *", "six fields"),
        ("0 0 2 L * *", "six fields"),
        ("0 0 2 * * MON#1", "six fields"),
        ("0 0 2 ? * *", "six fields"),
        ("0  0 2 * * *", "six fields"),
        ("0,, 0 2 * * *", "six fields"),
        ("60 0 2 * * *", "valid values"),
        ("0 60 2 * * *", "valid values"),
        ("0 0 24 * * *", "valid values"),
        ("0 0 2 0 * *", "valid values"),
        ("0 0 2 32 * *", "valid values"),
        ("0 0 2 * 13 *", "valid values"),
        ("0 0 2 * NOV,ABC *", "valid values"),
        ("0 0 2 * * 8", "valid values"),
        ("*/0 0 2 * * *", "valid values"),
        ("0 0 2 30 FEB *", "valid values"),
        ("0 0 2 * * 7", "SUN"),
    ],
)
@pytest.mark.parametrize("name", ["EXPORT_SCHEDULE", "SWEEP_SCHEDULE"])
def test_a_schedule_that_the_host_cannot_read_or_that_never_comes_is_refused(
    name: str, schedule: str, sentence: str
) -> None:
    with pytest.raises(Stop, match=f"{name} must .*{sentence}"):
        Settings.from_environ(SETTINGS | {name: schedule})
