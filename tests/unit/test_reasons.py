"""The registry of reasons: which bucket of the tally each one belongs to."""

from __future__ import annotations

import pytest

from exporter.errors import Culprit, Wait
from exporter.reasons import BY_CODE, Bucket, Group, Reason, reason_of
from exporter.tally.count import Tally

GROUPS = {
    "file": "wrong_field_count not_utf8 malformed_quotes unclosed_quote row_too_large date_out_of_range",
    "profile": (
        "missing_email invalid_email_no_at invalid_email_several invalid_email_not_ascii invalid_email_character"
        " invalid_email_local_part invalid_email_domain invalid_email_too_long control_character separator_in_value"
        " no_consent contact_too_large value_does_not_fit"
    ),
    "duplicate": "duplicate_email",
    "activecampaign": (
        "refused_by_activecampaign failed_in_import unsubscribed bounced account_full address_not_taken excluded"
    ),
    "unconfirmed": "outcome_unknown refused_with_others not_sent not_confirmed_in_time queued_fewer import_failed"
    " list_gone field_gone",
}


@pytest.mark.parametrize("group", GROUPS)
def test_each_reason_counts_in_one_bucket(group: str) -> None:
    assert {reason.value for reason in Reason if reason.group.value == group} == set(GROUPS[group].split())


def test_every_reason_is_found_by_its_code() -> None:
    assert {code: BY_CODE[code] for codes in GROUPS.values() for code in codes.split()} == BY_CODE
    assert all(BY_CODE[reason.value] is reason == reason.value for reason in Reason)


def test_a_reason_of_a_newer_release_is_left_to_that_release() -> None:
    assert reason_of("excluded") is Reason.EXCLUDED
    with pytest.raises(Wait, match="'held_out': a newer release wrote it") as wait:
        reason_of("held_out")
    assert (wait.value.code, wait.value.culprit) == ("newer_release", Culprit.SYSTEM)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_sentence_and_a_code_of_its_own(reason: Reason) -> None:
    assert reason.explanation.endswith(".")
    assert reason.value == reason.name.lower()


def test_buckets_are_named_as_in_the_api_and_say_what_keeps_a_run_from_being_successful() -> None:
    assert {bucket.value: bucket.warns for bucket in Bucket} == {
        "confirmed": False,
        "duplicate": False,
        "rejected": True,
        "rejectedByActiveCampaign": True,
        "unconfirmed": True,
    }
    assert all(bucket == bucket.value for bucket in Bucket)
    assert Bucket.UNCONFIRMED.words == "unconfirmed"


def test_each_bucket_is_counted_by_a_member_of_the_tally() -> None:
    assert [bucket.member for bucket in Bucket] == [
        *("confirmed", "duplicates", "rejected", "rejected_by_active_campaign", "unconfirmed"),
    ]
    assert {bucket.member for bucket in Bucket} <= Tally.model_fields.keys()


def test_a_group_counts_in_the_bucket_of_its_reasons() -> None:
    assert {group.value: group.bucket for group in Group} == {
        "file": Bucket.REJECTED,
        "profile": Bucket.REJECTED,
        "duplicate": Bucket.DUPLICATE,
        "activecampaign": Bucket.REJECTED_BY_ACTIVECAMPAIGN,
        "unconfirmed": Bucket.UNCONFIRMED,
    }
    assert all(group == group.value for group in Group)
    assert len({group.heading for group in Group}) == len(Group)
