"""Plays the tutorial: each command is run, and each answer in the page is what the app answers.

`python -m tests.docs.test_tutorial` writes the answers into the page.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.segment import Segment
from sandbox.world import World
from tests.e2e.app import inspected_world

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
END = "__end_of_answer__"
WIDTH = 165

VOLATILE = {
    r"newsletter\.\d{8}T\d{6}Z\.[0-9a-f]{32}": "RUN",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z": "TIME",
    r"\d{4}/\d\d/\d\d/\d{4}/": "FOLDER/",
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}": "IMPORT",
    r'"durationS": \d+': '"durationS": 0',
}
"""What differs from one run of the tutorial to the next."""


def pretty(value: object, indent: str = "") -> str:
    """Write JSON with each object or list on one line where it fits."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(line) <= WIDTH or not isinstance(value, dict | list) or not value:
        return line
    inner = indent + "  "
    if isinstance(value, dict):
        items = [f"{inner}{json.dumps(name)}: {pretty(item, inner)}" for name, item in value.items()]
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    return "[\n" + ",\n".join(inner + pretty(item, inner) for item in value) + f"\n{indent}]"


def answers(page: str, world: World) -> Iterator[str]:
    """Run the page's commands in one shell and yield what each prints."""
    environment = {"APP": world.url, "KEY": world.function_key, "PATH": "/usr/local/bin:/usr/bin:/bin"}
    command = ["bash", "-u", "-o", "pipefail"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True, bufsize=1
    ) as shell:
        assert shell.stdin
        assert shell.stdout
        try:
            for block in re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
                shell.stdin.write(f"{block}\necho; echo {END}\n")
                lines = []
                while (line := shell.stdout.readline()) not in (f"{END}\n", ""):
                    lines.append(line)
                yield "".join(lines).replace("\r\n", "\n").strip("\ufeff\n ")
        finally:
            shell.kill()  # whatever command it may be waiting for


def play(page: str, world: World) -> str:
    """Return the page with the answers of this world."""
    found = iter(list(answers(page, world)))

    def filled(match: re.Match[str]) -> str:
        command, kind = match[1], match[2]
        answer = next(found)
        if kind is None:
            return match[0]
        shown = pretty(json.loads(answer)) if kind == "json" else answer
        return f"{command}\n```{kind}\n{shown}\n```\n"

    return re.sub(
        r"(^```sh\n(?:(?!^```$).*\n)*?^```\n)(?:\n```(json|text)\n(?:(?!^```$).*\n)*?^```\n)?",
        filled,
        page,
        flags=re.MULTILINE,
    )


def steady(page: str) -> str:
    """Replace what differs from one run to the next."""
    for pattern, word in VOLATILE.items():
        page = re.sub(pattern, word, page)
    return page


def played() -> str:
    with inspected_world(Segment(refreshed=datetime.now(UTC))) as world:
        world.start_host()
        return play(PAGE.read_text(), world)


@pytest.mark.e2e
def test_every_command_of_the_tutorial_has_the_answer_that_the_page_shows() -> None:
    assert steady(played()) == steady(PAGE.read_text())


if __name__ == "__main__":
    PAGE.write_text(played())
