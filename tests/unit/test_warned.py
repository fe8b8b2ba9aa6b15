"""A warning is a code and parameters; of one of which only the sentence is known, that is kept."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from exporter.warned import Warned

OLD = Warned.of("refresh_old", segment="people", days=9)


def test_a_warning_carries_what_its_sentence_is_made_from() -> None:
    assert (OLD.code, OLD.params) == ("refresh_old", {"segment": "people", "days": 9})
    assert OLD.message.startswith("The segment people was last refreshed 9 days ago.")
    assert Warned.model_validate_json(OLD.model_dump_json(by_alias=True)) == OLD


def test_a_sentence_of_a_former_release_is_kept_as_it_is() -> None:
    former = Warned.model_validate("1 contacts hold a text that means no value; it was left out.")
    assert former == Warned(
        code="other", message="1 contacts hold a text that means no value; it was left out.", params={}
    )


def test_a_warning_without_its_code_is_refused() -> None:
    with pytest.raises(ValidationError):
        Warned.model_validate({"message": "It is old.", "params": {}})


def test_equal_warnings_are_told_once() -> None:
    again = Warned.of("refresh_old", segment="people", days=9)
    others = (Warned.of("refresh_old", segment="people", days=10), Warned.of("refresh_old", segment="else", days=9))
    assert len({hash(each) for each in (OLD, *others)}) == 3  # so that it takes no time to compare thousands
    assert list(dict.fromkeys((OLD, *others, again))) == [OLD, *others]
