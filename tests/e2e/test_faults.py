"""The network between the app and everything it calls goes wrong in the middle of a run, and then is in order again."""

from __future__ import annotations

import time
from itertools import product

import pytest

from sandbox.activecampaign import ContactList
from sandbox.network import Kind, NetworkFault
from sandbox.world import World
from tests.e2e.app import SEGMENT, App

pytestmark = pytest.mark.e2e

HOSTS = {"blobs": "*.blob.core.windows.net", "queues": "*.queue.core.windows.net", "activecampaign": "*.api-us1.com"}
CHANCES: dict[Kind, float] = {"latency": 1.0, "reset": 0.3, "cut": 0.3, "trickle": 0.5, "black_hole": 0.5}
CASES = list(product(HOSTS, CHANCES))
AT_LEAST_S, AT_MOST_S = 2.0, 20.0
"""How long a fault lasts: until it has befallen something."""
BATCHES = 4


@pytest.mark.parametrize(("target", "kind"), CASES)
def test_a_run_in_a_network_that_goes_wrong_ends_as_if_nothing_had_been(
    world: World, app: App, target: str, kind: Kind
) -> None:
    assert world.account is not None
    list_id = 100 + CASES.index((target, kind))
    world.account.put_list(ContactList(list_id, f"{target}, {kind}"))
    export_id = app.export(f"{target}-{kind.replace('_', '-')}", listId=list_id)
    imports_before = sum(world.account.state()["imports"].values())
    befallen_before = world.network.befallen.total()

    run_id = app.start(export_id)
    if target == "activecampaign":  # a plan that cannot be checked is tried again after a minute, each time the same
        app.wait_for(run_id, "running")
    fault = NetworkFault(kind, HOSTS[target], chance=CHANCES[kind], delay_s=0.3, seed=list_id)
    with world.network.disturbed(fault):
        began = time.monotonic()
        time.sleep(AT_LEAST_S)
        while world.network.befallen.total() == befallen_before and time.monotonic() < began + AT_MOST_S:
            time.sleep(0.05)
    befallen = world.network.befallen.total() - befallen_before
    run = app.wait_for(run_id)

    assert befallen, "the fault met nothing"
    expected = SEGMENT.expected
    account = run["account"]
    assert (account["rowsRead"], account["confirmed"], account["unconfirmed"]) == (1_000, expected.contacts, 0)
    assert account["duplicates"] + account["rejected"] == sum(expected.set_aside.values())
    arrived = [contact for contact in world.account.contacts() if str(list_id) in contact["lists"]]
    assert len(arrived) == expected.contacts
    # What was sent again had been in doubt, and only that can have arrived twice.
    doubled = sum(world.account.state()["imports"].values()) - imports_before - BATCHES
    assert 0 <= doubled <= run["resends"] <= befallen
