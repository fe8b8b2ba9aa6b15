"""The registry of reasons: which bucket of the account each one belongs to."""

from __future__ import annotations

import pytest

from exporter.reasons import BY_CODE, Group, Reason

GROUPS = {
    "file": "wrong_field_count not_utf8 malformed_quotes unclosed_quote row_too_large date_out_of_range",
    "profile": (
        "missing_email invalid_email_no_at invalid_email_several invalid_email_not_ascii invalid_email_character"
        " invalid_email_local_part invalid_email_domain invalid_email_too_long control_character separator_in_value"
        " no_consent contact_too_large"
    ),
    "duplicate": "duplicate_email",
    "activecampaign": "refused_by_activecampaign failed_in_import excluded",
    "unconfirmed": "outcome_unknown not_sent not_confirmed_in_time import_failed",
}


@pytest.mark.parametrize("group", GROUPS)
def test_each_reason_counts_in_one_bucket(group: str) -> None:
    assert {reason.value for reason in Reason if reason.group is Group(group)} == set(GROUPS[group].split())


def test_every_reason_is_found_by_its_code() -> None:
    assert {code: BY_CODE[code] for codes in GROUPS.values() for code in codes.split()} == BY_CODE
    assert all(BY_CODE[reason.value] is reason == reason.value for reason in Reason)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_sentence_and_a_code_of_its_own(reason: Reason) -> None:
    assert reason.explanation.endswith(".")
    assert reason.value == reason.name.lower()
