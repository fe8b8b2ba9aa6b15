import base64
import os

import pytest

from sandbox.host.queues import decode, messages_in
from sandbox.host.settings import VARIABLE, HostSettings, QueueOptions
from sandbox.host.worker import Message


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Message(string="plain"), ["plain"]),
        (Message(string='{"a": 1}'), ['{"a": 1}']),
        (Message(string='["a", "b"]'), ["a", "b"]),
        (Message(json='["{\\"a\\": 1}", {"b": 2}]'), ['{"a": 1}', '{"b": 2}']),
        (Message(bytes=b"x"), ["x"]),
        (Message(json="[]"), []),
    ],
)
def test_a_json_array_in_an_output_becomes_several_messages(value: Message, expected: list[str]) -> None:
    assert messages_in(value) == expected


def test_only_base64_of_utf8_is_a_message() -> None:
    assert decode(base64.b64encode("Zoë".encode()).decode()) == Message(string="Zoë")
    assert decode('{"a": 1}') is None
    assert decode(base64.b64encode(b"\xff").decode()) is None


def test_the_keys_of_the_host_are_gone_before_the_app_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = HostSettings(function_key="f", master_key="m", account_keys={"exportdata": "k"})
    for name, value in settings.variable().items():
        monkeypatch.setenv(name, value)
    assert HostSettings.take() == settings
    assert VARIABLE not in os.environ


def test_queue_options_are_those_of_host_json() -> None:
    queues = {"batchSize": 4, "newBatchThreshold": 0, "maxDequeueCount": 3, "visibilityTimeout": "00:00:30"}
    options = QueueOptions.from_host_json({"extensions": {"queues": queues}})
    assert options == QueueOptions(4, 0, 3, 30.0, 60.0)
