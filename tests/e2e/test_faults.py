"""The network between the app and everything it calls goes wrong in the middle of runs, and then is in order again."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack
from dataclasses import replace
from itertools import count

import pytest

from sandbox.activecampaign import ContactList
from sandbox.network import Kind, NetworkFault
from sandbox.world import World
from tests.e2e.app import BATCHES, SEGMENT, App, bulk_requests, no_import_is_done, requests_in_doubt
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1_800)]

HOSTS = {"blobs": "*.blob.core.windows.net", "queues": "*.queue.core.windows.net", "activecampaign": "*.api-us1.com"}
CHANCES: dict[Kind, float] = {"latency": 1.0, "reset": 0.3, "cut": 0.3, "trickle": 0.5, "black_hole": 0.5}
AT_LEAST_S = 2.0
"""How long a fault lasts at least; it does not go before it has befallen something."""


@pytest.mark.parametrize("target", HOSTS)
def test_runs_in_a_network_that_goes_wrong_end_as_if_nothing_had_been(world: World, app: App, target: str) -> None:
    """A run for each kind of fault; the next one starts while the one before recovers."""
    assert world.account is not None
    lists = {kind: 100 * (1 + list(HOSTS).index(target)) + n for n, kind in enumerate(CHANCES)}
    exports = {}
    for kind, list_id in lists.items():
        world.account.put_list(ContactList(list_id, f"{target}, {kind}"))
        exports[kind] = app.export(f"{target}-{kind.replace('_', '-')}", listId=list_id)
    imports_before = sum(world.account.state()["imports"].values())

    runs = {}
    for kind, chance in CHANCES.items():
        fault = NetworkFault(kind, HOSTS[target], chance=chance, delay_s=0.3, seed=lists[kind])
        runs[kind] = start_disturbed(world, app, exports[kind], target, fault)

    resends, expected = 0, SEGMENT.expected
    for kind, run_id in runs.items():
        run = app.wait_for(run_id)
        account = run["tally"]
        assert (account["rowsRead"], account["confirmed"], account["unconfirmed"]) == (1_000, expected.contacts, 0), (
            kind
        )
        assert account["duplicates"] + account["rejected"] == sum(expected.set_aside.values()), kind
        arrived = [contact for contact in world.account.contacts() if str(lists[kind]) in contact["lists"]]
        assert len(arrived) == expected.contacts, kind
        # Just what had been in doubt was sent again, and only that can have arrived twice.
        interrupted, late = requests_in_doubt(world, run_id)
        assert run["resends"] == len(interrupted) + len(late), kind
        resends += run["resends"]
    doubled = sum(world.account.state()["imports"].values()) - imports_before - BATCHES * len(runs)
    assert 0 <= doubled <= resends


def start_disturbed(world: World, app: App, export_id: str, target: str, fault: NetworkFault) -> str:
    """Start a run and let a fault be there until it has befallen something; return the run's id."""
    assert world.account is not None
    befallen, sent = world.network.befallen.total(), len(bulk_requests(world))
    fault = replace(fault, seed=next(seed for seed in count(fault.seed) if random.Random(seed).random() < fault.chance))
    with ExitStack() as disturbance:
        # Each target is sure to be called while the fault is there: storage by the sweep, a queue by the start of the
        # run, ActiveCampaign by a run that cannot end. Its plan comes first: one that cannot be checked is tried again
        # after a minute, each time the same.
        if target == "queues":
            disturbance.enter_context(world.network.disturbed(fault))
        if target == "activecampaign":
            disturbance.enter_context(no_import_is_done(world.account))
        run_id = app.start(export_id)
        if target == "activecampaign":
            wait_for(lambda: len(bulk_requests(world)) > sent)
        if target != "queues":
            disturbance.enter_context(world.network.disturbed(fault))
        time.sleep(AT_LEAST_S)
        wait_for(lambda: world.network.befallen.total() > befallen)
    return run_id
