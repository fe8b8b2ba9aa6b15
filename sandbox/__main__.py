"""`python -m sandbox up`: the whole world on this machine, until Ctrl-C."""

import argparse
import json
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from sandbox.demo import demo
from sandbox.processes import SandboxError
from sandbox.segment import Segment
from sandbox.sign_in import PEOPLE
from sandbox.world import API_KEY, World


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=sys.modules["sandbox"].__doc__)
    commands = parser.add_subparsers(required=True)

    command = commands.add_parser("up", help="start everything with a sample segment, and stay until Ctrl-C")
    command.add_argument(
        "--activecampaign", metavar="URL", help="http://127.0.0.1:PORT, a server instead of the stand-in"
    )
    command.add_argument(
        "--settings", type=Path, metavar="FILE", help="JSON object with app settings to add or replace"
    )
    command.add_argument(
        "--sign-in",
        choices=["key", "entra"],
        default="key",
        help="who may call: whoever has the function key, or whoever signs in as one of a few people",
    )
    command.add_argument("--port", type=int, default=7071, help="loopback port of the app; 0 takes a free one")
    command.set_defaults(run=up)

    command = commands.add_parser("demo", help="run one export from start to finish, and show its tally")
    command.add_argument("--profiles", type=int, default=5000)
    command.set_defaults(run=lambda options: demo(options.profiles))

    command = commands.add_parser("segment", help="write a sample segment into a folder")
    command.add_argument("folder", type=Path)
    command.add_argument("--profiles", type=int, default=5000)
    command.add_argument("--partitions", type=int, default=3)
    command.set_defaults(run=write_segment)

    options = parser.parse_args()
    signal.signal(signal.SIGTERM, interrupt)
    try:
        options.run(options)
    except KeyboardInterrupt:
        print("\nStopped.")
    except SandboxError as error:
        print(f"The sandbox stopped: {error}", file=sys.stderr)
        return 1
    return 0


def up(options: argparse.Namespace) -> None:
    """Start everything, print how to reach it, and follow the log."""
    settings = read_settings(options.settings) if options.settings else {}
    with World(
        settings=settings,
        port=options.port,
        activecampaign=options.activecampaign,
        with_sign_in=options.sign_in == "entra",
    ) as world:
        world.upload_files(Segment(refreshed=datetime.now(UTC)).files())
        world.start_host()
        print(directions(world), flush=True)
        follow(world.host_log)


def write_segment(options: argparse.Namespace) -> None:
    """Write a sample segment, and print what an export of it must come to."""
    segment = Segment(datetime.now(UTC), options.profiles, options.partitions)
    segment.write(options.folder)
    print(json.dumps({"contacts": segment.expected.contacts, "setAside": dict(segment.expected.set_aside)}, indent=1))


def read_settings(path: Path) -> dict[str, str]:
    """Read app settings from a JSON object of texts.

    :raises SandboxError: the file is not there or is something else.
    """
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SandboxError(f"--settings: expected a JSON file, found {error}") from None
    if not isinstance(settings, dict) or not all(isinstance(value, str) for value in settings.values()):
        raise SandboxError(f"--settings: expected one JSON object of texts in {path}, as app settings are")
    return settings


def directions(world: World) -> str:
    """Return where everything is, and what to type next."""
    key, state = "the API key is that server's own", ""
    if world.account:  # the stand-in; what another server has is for that server to say
        key, state = f"API key {API_KEY}", f"\n    curl {world.activecampaign_url}/_sandbox/state"
    if world.sign_in:
        tokens = " ".join(f"{who.upper().replace('-', '_')}={world.sign_in.token(who)}" for who in PEOPLE)
        callers, header, admin = tokens, "Authorization: Bearer $ADMIN", '-H "Authorization: Bearer $ADMIN" '
        browser = f"\nIn a browser     {world.url}/.auth/login/aad (a session lasts an hour; so do the tokens)"
    else:
        callers, header, admin, browser = f"KEY={world.function_key}", "x-functions-key: $KEY", "", ""
    return f"""
The console      {world.console_link}
The app          {world.url}/api{browser}
ActiveCampaign   {world.activecampaign_url} (to the app: https://demo.api-us1.com, {key})

    export APP={world.url} {callers} MASTER_KEY={world.master_key}

    curl $APP/api/health
    curl -H "{header}" $APP/api/segments
    curl -H "{header}" $APP/api/exports
    curl {admin}-H "x-functions-key: $MASTER_KEY" -d '{{}}' $APP/admin/functions/sweep{state}

Ctrl-C stops everything. Below, the log of the host and of the app.
"""


def follow(log: Path) -> NoReturn:
    """Copy what is added to a log to standard error, until interrupted."""
    with log.open(encoding="utf-8", errors="replace") as lines:
        while True:
            for line in lines:
                print(line, end="", file=sys.stderr, flush=True)
            time.sleep(0.3)


def interrupt(*_: object) -> NoReturn:
    """Let SIGTERM do what Ctrl-C does."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
