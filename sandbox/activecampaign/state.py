"""Everything that an account knows, and what becomes of it as time passes."""

import heapq
import random
import uuid
from collections import deque
from dataclasses import dataclass, field

from sandbox.activecampaign.audience import Audience
from sandbox.activecampaign.faults import Fault
from sandbox.activecampaign.imports import Import, Outcome
from sandbox.activecampaign.limits import Rate
from sandbox.activecampaign.requests import LoggedRequest
from sandbox.activecampaign.switches import Switches


@dataclass
class State:
    """Everything that a reset forgets."""

    api_key: str | None
    switches: Switches
    random: random.Random
    rates: dict[str, Rate]
    admin: bool = True
    audience: Audience = field(default_factory=Audience)
    imports: dict[str, Import] = field(default_factory=dict)
    in_process: list[tuple[float, int, Import]] = field(default_factory=list)  # a heap: done at, number, import
    next_outcomes: deque[Outcome] = field(default_factory=deque)
    faults: list[Fault] = field(default_factory=list)
    requests: list[LoggedRequest] = field(default_factory=list)

    def catch_up(self, now: float) -> None:
        """Process the imports whose time has come."""
        while self.in_process and self.in_process[0][0] <= now:
            self.process(heapq.heappop(self.in_process)[2])

    def process(self, due: Import) -> None:
        """Let an import end, unless it is stuck."""
        if due.outcome != "stuck":
            due.process(self.audience, self.switches)

    def new_id(self) -> str:
        """Return an id that nothing has yet."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))


def rates_of(switches: Switches) -> dict[str, Rate]:
    """Return the rates that the switches set, by name, each with an empty window."""
    return {
        "requests": Rate(switches.requests_per_second, 1.0),
        "imports": Rate(switches.imports_per_minute, 60.0),
        "single_imports": Rate(switches.single_imports_per_minute, 60.0),
    }
