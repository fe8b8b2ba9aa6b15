# ruff: noqa: T201 - a command that prints
"""`python -m tests.mutants [delivery/ledger ...]`: change each module in small ways, and see whether its tests notice.

`--again` tries only what survived the last time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.mutants.mutate import Mutant, mutants
from tests.mutants.trials import PYTEST, ROOT, Trials

BESIDE: dict[str, tuple[str, ...]] = {
    "delivery/ledger": ("delivery/steps", "delivery/events"),
    "delivery/steps": (),
    "delivery/events": (),
    "delivery/waits": (),
    "delivery/traffic": (),
    "tally/fates": (),
    "tally/count": (),
    "tally/findings": (),
    "tally/rejects": ("reasons", "tally/unfit"),
    "tally/unfit": (),
    "runs/run": ("sentences",),
    "runs/progress": (),
    "runs/due": (),
    "runs/evidence": (),
    "runs/membership": (),
    "activecampaign/pacing": (),
    "activecampaign/refusals": (),
    "activecampaign/wire": (),
    "activecampaign/bodies": (),
    "activecampaign/hosts": (),
    "activecampaign/outcomes": ("activecampaign/imports",),
    "activecampaign/answers": ("activecampaign/imports", "activecampaign/account", "activecampaign/recorded"),
    "activecampaign/imports": ("activecampaign/answers", "activecampaign/recorded"),
    "activecampaign/people": (),
    "activecampaign/account": ("activecampaign/answers", "activecampaign/recorded"),
    "contacts/texts": (),
    "contacts/values": ("contacts/texts",),
    "contacts/fitting": ("contacts/values",),
    "contacts/rules": ("contacts/addresses",),
    "contacts/matching": ("contacts/rules", "contacts/addresses"),
    "contacts/addresses": (),
    "contacts/distinct": (),
    "contacts/people": (),
    "contacts/ranks": (),
    "contacts/facts": (),
    "contacts/suggestion": (),
    "model": (),
    "reasons": (),
    "sentences": (),
    "warned": (),
    "definitions/exports": ("definitions/resources",),
    "definitions/connections": ("definitions/resources",),
    "definitions/schedules": (),
    "definitions/resources": ("definitions/exports", "definitions/connections"),
    "source/folders": (),
    "source/heads": (),
    "source/names": ("source/heads",),
    "source/text": (),
    "source/model_json": (),
    "source/segments": ("source/model_json",),
    "source/formats/text_columns": (),
    "source/formats/csv_records": ("source/formats/csv_blocks",),
}
"""The modules whose rules are tried, the most important first, and those whose tests hold them beside their own."""
ACCEPTED = Path(__file__).parent / "accepted.toml"
SURVIVED = ROOT / "build" / "mutants"


def accepted(name: str) -> set[tuple[str, str]]:
    """Return the mutants of a module that need not die, as (place, change)."""
    entries = tomllib.loads(ACCEPTED.read_text()).get(name, [])
    return {(entry["place"], change) for entry in entries for change in entry["changes"]}


def try_module(name: str, *, again: bool) -> bool:
    """Try the mutants of a module; return whether all of them died or are accepted."""
    source = (ROOT / "exporter" / f"{name}.py").read_text()
    made = list(mutants(source))
    record = SURVIVED / f"{name.replace('/', '.')}.json"
    if again:
        last = {tuple(key) for key in json.loads(record.read_text())}
        made = [mutant for mutant in made if (mutant.place, mutant.change) in last]
    allowed = accepted(name)
    tests = [str(_tests_of(module)) for module in (name, *BESIDE[name])]
    trials = Trials(f"exporter.{name.replace('/', '.')}", tests, [m for m in made if _key(m) not in allowed])
    if pytest.main([*PYTEST, *tests], plugins=[trials, trials.limits]) is not pytest.ExitCode.OK:
        print(f"{name}: its tests did not run")
        return False
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps([_key(mutant) for mutant in trials.survivors], indent=1))
    gone = allowed - {_key(mutant) for mutant in made} if not again else set()
    for place, change in sorted(gone):
        print(f"accepted, but there is no such mutant any more: {name} {place}: {change}")
    survived, spared = len(trials.survivors), sum(_key(mutant) in allowed for mutant in made)
    print(f"{name}: {len(made) - survived - spared} killed, {survived} survived, {spared} accepted", flush=True)
    if survived:
        print("Add the test that notices, or say in tests/mutants/accepted.toml why nobody can.")
    return not survived and not gone


def _tests_of(module: str) -> Path:
    room, _, name = module.rpartition("/")
    return ROOT / "tests" / "unit" / room / f"test_{name}.py"


def _key(mutant: Mutant) -> tuple[str, str]:
    return mutant.place, mutant.change


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", default=list(BESIDE), help="without any: all")
    parser.add_argument("--again", action="store_true", help="only what survived the last time")
    options = parser.parse_args()
    if len(options.modules) == 1:
        sys.exit(not try_module(options.modules[0], again=options.again))
    again = ["--again"] if options.again else []
    # Each in a process of its own, into which nothing of ours was imported before.
    results = [
        subprocess.run([sys.executable, "-m", "tests.mutants", name, *again], check=False) for name in options.modules
    ]
    sys.exit(any(result.returncode for result in results))


if __name__ == "__main__":
    main()
