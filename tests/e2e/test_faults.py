"""The network between the app and everything it calls goes wrong in the middle of runs, and then is in order again."""

from __future__ import annotations

import time

import pytest

from sandbox.activecampaign import ContactList
from sandbox.network import Kind, NetworkFault
from sandbox.world import World
from tests.e2e.app import SEGMENT, App

pytestmark = pytest.mark.e2e

HOSTS = {"blobs": "*.blob.core.windows.net", "queues": "*.queue.core.windows.net", "activecampaign": "*.api-us1.com"}
CHANCES: dict[Kind, float] = {"latency": 1.0, "reset": 0.3, "cut": 0.3, "trickle": 0.5, "black_hole": 0.5}
AT_LEAST_S, AT_MOST_S = 2.0, 20.0
"""How long a fault lasts: until it has befallen something."""
BATCHES = 4


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
    befallen_before = world.network.befallen.total()

    runs = {}
    for kind, chance in CHANCES.items():
        runs[kind] = app.start(exports[kind])
        if (
            target == "activecampaign"
        ):  # a plan that cannot be checked is tried again after a minute, each time the same
            app.wait_for(runs[kind], "running")
        disturb(world, NetworkFault(kind, HOSTS[target], chance=chance, delay_s=0.3, seed=lists[kind]))

    resends, expected = 0, SEGMENT.expected
    for kind, run_id in runs.items():
        run = app.wait_for(run_id, limit_s=240)
        account = run["account"]
        assert (account["rowsRead"], account["confirmed"], account["unconfirmed"]) == (1_000, expected.contacts, 0), (
            kind
        )
        assert account["duplicates"] + account["rejected"] == sum(expected.set_aside.values()), kind
        arrived = [contact for contact in world.account.contacts() if str(lists[kind]) in contact["lists"]]
        assert len(arrived) == expected.contacts, kind
        resends += run["resends"]
    # What was sent again had been in doubt, and only that can have arrived twice.
    doubled = sum(world.account.state()["imports"].values()) - imports_before - BATCHES * len(runs)
    assert 0 <= doubled <= resends <= world.network.befallen.total() - befallen_before


def disturb(world: World, fault: NetworkFault) -> None:
    """Let a fault be there until it has befallen something."""
    befallen = world.network.befallen.total()
    with world.network.disturbed(fault):
        began = time.monotonic()
        time.sleep(AT_LEAST_S)
        while world.network.befallen.total() == befallen:
            assert time.monotonic() < began + AT_MOST_S, f"{fault.kind} met nothing"
            time.sleep(0.05)
