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
    PaymentDue,
    RateLimited,
    RequestRefused,
    TariffLimit,
    WebPage,
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
        (WebPage(), errors.CredentialsRefused, "credentials_refused", errors.Culprit.USER),
        (NotFound(), errors.Stop, "list_not_found", errors.Culprit.USER),
        (PaymentDue(), errors.Stop, "payment_due", errors.Culprit.USER),
        (TariffLimit(), errors.Stop, "plan_limit", errors.Culprit.USER),
        (RequestRefused("redirected"), errors.Stop, "request_refused", errors.Culprit.EXTERNAL),
    ],
)
def test_an_error_outcome_becomes_the_exception_that_says_what_to_do_next(
    outcome: ErrorOutcome, kind: type[errors.ExporterError], code: str, culprit: errors.Culprit
) -> None:
    error = as_error(outcome, "list", "acme.api-us1.com", not_found="list_not_found", listId=12)
    assert type(error) is kind
    assert (error.code, error.culprit) == (code, culprit)
    assert "acme.api-us1.com" in error.message
    assert code == "throttled" or "list 12" in error.message


@pytest.mark.parametrize(
    ("outcome", "key_works", "reason"),
    [
        (NoAnswer("status_502"), False, "status_502"),
        (WebPage(), True, "web_page"),
        (RequestRefused("redirected"), False, "redirected"),
    ],
)
def test_an_error_says_what_was_found(outcome: ErrorOutcome, *, key_works: bool, reason: str) -> None:
    said = as_error(outcome, "list", "acme.api-us1.com", key_works=key_works, listId=12).parameters
    assert said
    assert said["reason"] == reason


def test_what_is_not_there_has_a_code_of_its_own_where_the_asker_gives_one() -> None:
    assert as_error(NotFound(), "list", "acme.api-us1.com", listId=12).code == "not_found"
    found = as_error(NotFound(), "list", "acme.api-us1.com", not_found="list_not_found", listId=12)
    assert found.code == "list_not_found"


def test_the_wait_that_was_asked_for_travels_along() -> None:
    throttled, down = (
        as_error(RateLimited(30), "x", "acme.api-us1.com"),
        as_error(NoAnswer("status_502", 60), "x", "acme.api-us1.com"),
    )
    assert isinstance(throttled, errors.Throttled)
    assert isinstance(down, errors.Unavailable)
    assert (throttled.retry_after_s, down.retry_after_s) == (30, 60)


def test_a_refused_key_that_works_elsewhere_lacks_a_permission() -> None:
    error = as_error(KeyRefused(), "list", "acme.api-us1.com", key_works=True, listId=12)
    assert isinstance(error, errors.Stop)
    assert (error.code, error.culprit) == ("permission_refused", errors.Culprit.USER)
    assert re.fullmatch(
        r"Expected an answer from ActiveCampaign \(acme.api-us1.com\) for list 12; the key works, but .+\.",
        error.message,
    )


def test_a_web_page_does_not_blame_a_key_that_works() -> None:
    error = as_error(WebPage(), "bulk_import", "acme.api-us1.com", key_works=True)
    assert type(error) is errors.Unavailable
    assert error.code == "activecampaign_unavailable"


@pytest.mark.parametrize(("reason", "blames_the_host"), [("redirected", True), ("status_418", False)])
def test_the_host_is_blamed_for_a_redirect_only(reason: str, *, blames_the_host: bool) -> None:
    error = as_error(RequestRefused(reason), "lists", "acme.api-us1.com")
    assert ("API host" in error.message) is blames_the_host
