from __future__ import annotations

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


def test_a_misspelt_name_is_recognised() -> None:
    wrong = SETTINGS | {"KEYVAULT_URI": "x"}
    del wrong["KEY_VAULT_URI"]
    with pytest.raises(Stop, match="found KEYVAULT_URI: misspelt"):
        Settings.from_environ(wrong)


def test_an_empty_setting_counts_as_not_set() -> None:
    assert Settings.from_environ(SETTINGS | {"LANES": ""}).lanes == 6


def test_a_worker_cannot_be_taken_for_dead_while_it_waits_for_an_answer() -> None:
    with pytest.raises(Stop, match="LANE_STALE_S"):
        Settings.from_environ(SETTINGS | {"LANE_STALE_S": "100", "REQUEST_DEADLINE_S": "60"})


@pytest.mark.parametrize("value", ["api-eu1.com, x.com", "*.com", "com", ".com", "a..b"])
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
