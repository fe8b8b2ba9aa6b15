"""The app tests its own door: only its own answer to somebody whom it must not believe means that the door is open."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import orjson
import pytest

from exporter import triggers
from exporter.api import access
from exporter.api.door import WAYS, believed, check_door, forged
from tests.fakes import Fakes, make_fakes

HOST = "func-1.azurewebsites.net"
type Found = tuple[int, bytes] | None


@pytest.fixture
def fakes() -> Fakes:
    return make_fakes(SIGN_IN="entra", WEBSITE_AUTH_ENABLED="True", WEBSITE_HOSTNAME=HOST)


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def logged(caplog: pytest.LogCaptureFixture) -> list[dict[str, str]]:
    lines = [orjson.loads(record.message) for record in caplog.records if record.message.startswith('{"action":"door_')]
    levels = [record.levelno for record in caplog.records if record.message.startswith('{"action":"door_')]
    assert all(
        (line["action"] == "door_open") == (level == logging.ERROR) for line, level in zip(lines, levels, strict=True)
    )
    return lines


def name_of(headers: Mapping[str, str]) -> str:
    return headers["X-MS-CLIENT-PRINCIPAL-NAME"]


@pytest.mark.parametrize("open_ways", [WAYS, WAYS[:1], WAYS[3:]])
def test_an_answer_to_the_forged_name_means_that_the_door_is_open(
    fakes: Fakes, caplog: pytest.LogCaptureFixture, open_ways: tuple[str, ...]
) -> None:
    def before(host: str, path: str, headers: Mapping[str, str]) -> Found:
        assert host == HOST
        return (200, orjson.dumps({"name": name_of(headers), "role": "Admin"})) if path in open_ways else (401, b"")

    fakes.own_address.answer = before
    check_door(fakes.services)
    *opened, checked = logged(caplog)
    assert [line["path"] for line in opened] == list(open_ways)
    assert checked["answers"].split() == ["200" if way in open_ways else "401" for way in WAYS]


@pytest.mark.parametrize(
    "found",
    [
        None,
        (200, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'"x"'),
        (200, b'{"name": "function key"}'),
        (200, b'{"name": null}'),
        (302, b""),
        (401, b""),
        (403, b"Ip Forbidden"),
        (404, b'{"code": "no_such_path"}'),
        (503, b'{"code": "sign_in_unavailable"}'),
    ],
)
def test_whatever_else_comes_is_noted_and_locks_nothing(
    fakes: Fakes, caplog: pytest.LogCaptureFixture, found: Found
) -> None:
    fakes.own_address.answer = lambda *_: found
    check_door(fakes.services)
    (checked,) = logged(caplog)
    assert set(checked["answers"].split()) == {str(found[0]) if found else "none"}
    assert fakes.blobs.stored == {}


def test_an_answer_that_repeats_the_headers_is_not_the_apps(fakes: Fakes, caplog: pytest.LogCaptureFixture) -> None:
    fakes.own_address.answer = lambda _, path, headers: (404, orjson.dumps({"path": path, "name": name_of(headers)}))
    check_door(fakes.services)
    assert len(logged(caplog)) == 1


def test_each_check_has_a_name_of_its_own(fakes: Fakes) -> None:
    names: list[str] = []
    fakes.own_address.answer = lambda _, path, headers: names.append(name_of(headers))
    check_door(fakes.services)
    check_door(fakes.services)
    assert len(set(names)) == 2
    assert names.count(names[0]) == len(WAYS)


def test_without_sign_in_nothing_is_asked(caplog: pytest.LogCaptureFixture) -> None:
    fakes = make_fakes(WEBSITE_HOSTNAME=HOST)
    fakes.own_address.answer = lambda *_: pytest.fail("asked")
    check_door(fakes.services)
    assert logged(caplog) == []


def test_without_a_known_address_nothing_is_asked_either(caplog: pytest.LogCaptureFixture) -> None:
    fakes = make_fakes(SIGN_IN="entra", WEBSITE_AUTH_ENABLED="True")
    fakes.own_address.answer = lambda *_: pytest.fail("asked")
    check_door(fakes.services)
    assert [line["answers"] for line in logged(caplog)] == [""]


def test_what_is_forged_would_be_believed(fakes: Fakes) -> None:
    """Otherwise an open door would look closed."""
    headers = {name.lower(): value for name, value in forged("x").items()}
    assert access.principal(headers, fakes.services.settings) == access.Principal("x", access.Role.ADMIN)
    assert believed(200, b'{"name": "x"}', "x")
    assert not believed(200, b'{"name": "x"}', "y")


def test_a_check_that_goes_wrong_is_told_and_fails_nothing(
    fakes: Fakes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*_: object) -> Found:
        raise ValueError

    fakes.own_address.answer = defect
    monkeypatch.setattr("exporter.triggers.bootstrap.services", lambda: fakes.services)
    triggers.check_door()
    assert '"action":"defect"' in caplog.text
