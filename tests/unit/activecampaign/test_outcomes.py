"""Outcomes: what they show of themselves, and which exception each error becomes."""

import re

import pytest

from exporter import errors
from exporter.activecampaign.outcomes import (
    Completed,
    ContactFault,
    ErrorOutcome,
    KeyRefused,
    NoAnswer,
    NotFound,
    RateLimited,
    RequestRefused,
    TariffLimit,
    as_error,
)


def test_the_faults_are_named_as_ledgers_name_them() -> None:
    names = ["email", "unsubscribed", "bounced", "excluded", "list", "field", "other"]
    assert [fault.value for fault in ContactFault] == names


def test_failed_addresses_are_in_no_representation() -> None:
    assert "jane" not in repr(Completed(("jane@example.com",), 0))


@pytest.mark.parametrize(
    ("outcome", "kind", "code", "culprit"),
    [
        (RateLimited(30), errors.Throttled, "throttled", errors.Culprit.EXTERNAL),
        (NoAnswer("status_502", 60), errors.Unavailable, "activecampaign_unavailable", errors.Culprit.EXTERNAL),
        (KeyRefused(), errors.CredentialsRefused, "credentials_refused", errors.Culprit.USER),
        (NotFound(), errors.Stop, "list_not_found", errors.Culprit.USER),
        (TariffLimit(), errors.Stop, "plan_limit", errors.Culprit.USER),
        (RequestRefused("redirected"), errors.Stop, "request_refused", errors.Culprit.EXTERNAL),
    ],
)
def test_an_error_outcome_becomes_the_exception_that_says_what_to_do_next(
    outcome: ErrorOutcome, kind: type[errors.ExporterError], code: str, culprit: errors.Culprit
) -> None:
    error = as_error(outcome, "list 12", not_found="list_not_found")
    assert type(error) is kind
    assert (error.code, error.culprit) == (code, culprit)
    assert re.fullmatch(r"Expected an answer from ActiveCampaign for list 12; .+\. .+\.", error.message)


def test_what_is_not_there_has_a_code_of_its_own_where_the_asker_gives_one() -> None:
    assert as_error(NotFound(), "list 12").code == "not_found"
    assert as_error(NotFound(), "list 12", not_found="list_missing").code == "list_missing"


def test_the_wait_that_was_asked_for_travels_along() -> None:
    throttled, down = as_error(RateLimited(30), "x"), as_error(NoAnswer("status_502", 60), "x")
    assert isinstance(throttled, errors.Throttled)
    assert isinstance(down, errors.Unavailable)
    assert (throttled.retry_after_s, down.retry_after_s) == (30, 60)


def test_a_refused_key_that_works_elsewhere_lacks_a_permission() -> None:
    error = as_error(KeyRefused(), "list 12", key_works=True)
    assert isinstance(error, errors.Stop)
    assert (error.code, error.culprit) == ("permission_refused", errors.Culprit.USER)
    assert re.fullmatch(r"Expected an answer from ActiveCampaign for list 12; the key works, but .+\.", error.message)
