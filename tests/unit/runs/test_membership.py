"""The digest of membership: other for other people or another list, the same for whatever else changes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from exporter.definitions.exports import ExportDefinition
from exporter.runs.membership import membership

FOLDER, HOST = "https://segments.blob.core.windows.net/segments/", "acme.api-us1.com"
DEFINITION: dict[str, Any] = {
    "displayName": "Newsletter",
    "connectionId": "main",
    "listId": 1,
    "segments": ["people", "customers"],
    "dataMatching": {"email": "EMail"},
    "consentColumn": {"column": "Consent", "value": "yes"},
}


def digest(folder: str = FOLDER, host: str = HOST, **changes: Any) -> str:
    return membership(folder, host, ExportDefinition.model_validate(DEFINITION | changes))


def test_a_digest_tells_nothing_of_what_it_is_made_from() -> None:
    assert re.fullmatch("[0-9a-f]{64}", digest())


@pytest.mark.parametrize(
    "changes",
    [
        {"folder": "https://other.blob.core.windows.net/segments/"},
        {"host": "other.api-us1.com"},
        {"listId": 2},
        {"segments": ["people"]},
        {"segments": ["people", "everybody"]},
        {"dataMatching": {"email": "WorkEMail"}},
        {"consentColumn": None},
        {"consentColumn": {"column": "Other", "value": "yes"}},
        {"consentColumn": {"column": "Consent", "value": "no"}},
        {"consentColumn": {"column": "Consent", "value": "yes", "condition": "isNot"}},
    ],
)
def test_other_people_or_another_list_are_another_membership(changes: dict[str, Any]) -> None:
    assert digest(**changes) != digest()


@pytest.mark.parametrize(
    "changes",
    [
        {"displayName": "News"},
        {"connectionId": "of-the-same-account"},
        {"segments": ["customers", "people"]},
        {"dataMatching": {"email": "EMail", "firstName": "FirstName", "timeZone": "Asia/Jakarta"}},
        {"guards": {"sizeFactor": 3}},
        {"schedule": {"kind": "withEveryRefresh"}},
        {"maxContacts": 5},
        {"runAutomations": True},
    ],
)
def test_whatever_else_an_export_says_is_the_same_membership(changes: dict[str, Any]) -> None:
    assert digest(**changes) == digest()
