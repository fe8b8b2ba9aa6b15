"""Plays the tutorial and the guides in a sandbox: each command is run, and each answer in the tutorial is the app's.

`python -m tests.docs.test_played` writes the answers into the tutorial.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import Self

import pytest

from sandbox.segment import Segment
from sandbox.world import API_KEY, World
from tests.e2e.app import inspected_world

DOCS = Path(__file__).parents[2] / "docs"
TUTORIAL = DOCS / "tutorial.md"
SHELL = DOCS / "how-to/operator-shell.md"
END = "__end_of_answer__"
FAILED = "__failed__"
LIMIT_S = 500.0
WIDTH = 165

VOLATILE = {
    r"newsletter\.\d{8}T\d{6}Z\.[0-9a-f]{32}": "RUN",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z": "TIME",
    r"\d{4}/\d\d/\d\d/\d{4}/": "FOLDER/",
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}": "IMPORT",
    r'"durationS": \d+': '"durationS": 0',
}
"""What differs from one run of the tutorial to the next."""


class Shell:
    """A bash that runs the commands of a page, one block after the other."""

    def __init__(self, world: World, folder: Path | None = None) -> None:
        """Begin in `folder`; the shell knows where the app answers and its key."""
        self._process = subprocess.Popen(
            ["bash", "-u", "-o", "pipefail"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"APP": world.url, "KEY": world.function_key, "PATH": "/usr/local/bin:/usr/bin:/bin"},
            cwd=folder,
            text=True,
            bufsize=1,
        )
        self._watchdog = Timer(LIMIT_S, self._process.kill)

    def __enter__(self) -> Self:
        """Start the clock: a loop of a page that does not end would wait for ever."""
        self._watchdog.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the shell."""
        self._watchdog.cancel()
        self._process.kill()
        self._process.communicate()

    def run(self, block: str) -> str:
        """Run a block and return what it prints."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{block}\necho; echo {END}\n")
        lines = []
        while (line := self._process.stdout.readline()) != f"{END}\n":
            assert line, f"the shell ended, or had to be ended after {LIMIT_S:.0f} s, in: {block}"
            lines.append(line)
        return "".join(lines).replace("\r\n", "\n").strip("\ufeff\n ")


def blocks(page: Path) -> list[str]:
    """Return the commands of a page."""
    return re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


# --- The tutorial -----------------------------------------------------------------------------------------------------


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


def play(world: World) -> str:
    """Return the tutorial with the answers of this world."""
    with Shell(world) as shell:
        found = iter([shell.run(block) for block in blocks(TUTORIAL)])

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
        TUTORIAL.read_text(),
        flags=re.MULTILINE,
    )


def steady(page: str) -> str:
    """Replace what differs from one run to the next."""
    for pattern, word in VOLATILE.items():
        page = re.sub(pattern, word, page)
    return page


@contextmanager
def world_with_a_segment() -> Iterator[World]:
    """Start a world as `make serve` does; its log has to be in order when all is over."""
    with inspected_world(Segment(refreshed=datetime.now(UTC))) as world:
        world.start_host()
        yield world


@pytest.fixture(scope="module")
def played() -> Iterator[tuple[World, str]]:
    """Return a world in which the tutorial was played, and the tutorial with its answers."""
    with world_with_a_segment() as world:
        yield world, play(world)


@pytest.mark.e2e
def test_every_command_of_the_tutorial_has_the_answer_that_the_page_shows(played: tuple[World, str]) -> None:
    assert steady(played[1]) == steady(TUTORIAL.read_text())


# --- The guides -------------------------------------------------------------------------------------------------------

STUBS = """
SANDBOX_APP=$APP SANDBOX_KEY=$KEY
azd() { [ "$*" != "env get-value FUNCTION_APP_URL" ] || echo "$SANDBOX_APP"; }
az() { [ "$1 $2" != "functionapp keys" ] || echo "$SANDBOX_KEY"; }
curl() { command curl --fail-with-body "$@"; }
"""
"""Azure's tools say where the sandbox is, and nothing else; a call that the app refuses fails."""
STATE = """
id() { python3 -c 'import json, sys; print(json.load(sys.stdin)["runId"])'; }
EXPORT=newsletter
until api "exports/newsletter/runs?top=1" | grep -q endedUtc; do sleep 0.2; done
RUN=$(api exports/newsletter/runs | python3 -c 'import json, sys; print(json.load(sys.stdin)["value"][-1]["runId"])')
"""
"""What a guide is about: the export of the tutorial, of which no run is going, and the tutorial's run."""
GOING = """
RUN=$(api exports/newsletter/runs -X POST | id)
until api runs/$RUN | grep -q '"sent":[1-9]'; do sleep 0.2; done
"""
UNFIT = """
ETAG=$(api exports/newsletter -D - -o unfit.json | grep -i '^etag:' | cut -d' ' -f2 | tr -d '\\r')
python3 -c 'import json
export = json.load(open("unfit.json"))
export["dataMatching"]["fields"] = [{"column": "City", "field": "POINTS"}]
json.dump(export, open("unfit.json", "w"))'
api exports/newsletter -X PUT -H "If-Match: $ETAG" -d @unfit.json
RUN=$(api exports/newsletter/runs -X POST | id)
until api runs/$RUN | grep -q endedUtc; do sleep 0.2; done
"""
"""A run in which a text was to go into a field of numbers."""
HELD = """
guards() {
  api exports/newsletter | python3 -c "import json, sys
print(json.dumps(json.load(sys.stdin) | {'guards': $1}))" > guarded.json
  api exports/newsletter -X PUT -H "If-Match: *" -d @guarded.json
}
guards '{"maxRejectShare": 0}'
RUN=$(api exports/newsletter/runs -X POST | id)
until api runs/$RUN | grep -q endedUtc; do sleep 0.2; done
guards '{}'
"""
"""A run that was held, of an export that would not hold it any more."""
GONE = 'curl() { command curl "$@"; }; api exports/newsletter -X DELETE; api "connections/main?detach=true" -X DELETE'
GUIDES = {  # in this order; what has to be so before
    "operator-shell.md": "",
    "first-checks.md": "",
    "run-stalled.md": "",
    "export-failed.md": "",
    "many-rejects.md": "",
    "find-out-about-a-person.md": "",
    "scheduled-export-missing.md": "",
    "credentials-refused.md": "",
    "try-a-few.md": "",
    "run-now.md": "",
    "run-all.md": "",
    "start-from-power-automate.md": "",
    "when-an-export-runs.md": "",
    "approve-a-run.md": HELD,
    "cancel-a-run.md": GOING,
    "which-columns.md": "",
    "add-a-custom-field.md": "",
    "values-do-not-fit.md": UNFIT,
    "restored-storage.md": GOING,
    "rotate-the-key.md": "",  # no run is started after it: the account's key is not the connection's any more
    "remove-a-connection.md": "",
    "deploy.md": GONE,  # a deployment that is new
}
AZURE_ONLY = {"door-open.md", "lock-the-audit-trail.md", "sign-in.md"}
REFUSED = {"remove-a-connection.md": ["connection_in_use"]}
"""What a guide shows to be refused."""
PLACEHOLDERS = {
    "ACCOUNT.api-us1.com": "demo.api-us1.com",
    '"SEGMENT"': '"NewsletterSubscribers"',
    '"ADDRESS"': '"padraig.nidhomhnaill.1@news.example.org"',
    "EMAIL COLUMN": "EMail",
    "FIRST NAME COLUMN": "FirstName",
}
NEW_KEY = "the-new-key"


def commands(page: Path) -> list[str]:
    """Return the blocks of a guide that can be played: with calls of the app, and not Azure's alone."""
    found = [block for block in blocks(page) if "az functionapp list" not in block]
    if page.name == "deploy.md":
        found = [block for block in found if re.search(r"^api ", block, re.MULTILINE)]
    for placeholder, value in PLACEHOLDERS.items():
        found = [block.replace(placeholder, value) for block in found]
    return found


def test_every_guide_with_commands_is_played() -> None:
    with_commands = {page.name for page in (DOCS / "how-to").glob("*.md") if blocks(page)}

    assert with_commands == GUIDES.keys() | AZURE_ONLY


@pytest.mark.e2e
@pytest.mark.parametrize("name", GUIDES)
def test_every_command_of_a_guide_works(name: str, played: tuple[World, str], tmp_path: Path) -> None:
    world, _ = played
    assert world.account
    world.account.set_key(API_KEY)
    world.vault.set("activecampaign-main", API_KEY)
    (tmp_path / "key.txt").write_text(API_KEY)
    with Shell(world, tmp_path) as shell:
        shell.run(STUBS)
        for block in commands(SHELL):
            shell.run(block)
        if name != "deploy.md":
            shell.run(STATE)
        shell.run(GUIDES[name])
        if name == "rotate-the-key.md":
            world.account.set_key(NEW_KEY)
        shell.run(f"set -E; trap 'echo {FAILED}' ERR; exec 2>&1; {STUBS}")
        answers = [shell.run(block) for block in commands(DOCS / "how-to" / name)]

    refused = [answer for answer in answers if FAILED in answer]
    assert [re.findall(r'"code":"(\w+)"', answer) for answer in refused] == [[c] for c in REFUSED.get(name, [])], (
        refused
    )


if __name__ == "__main__":
    with world_with_a_segment() as started:
        TUTORIAL.write_text(play(started))
