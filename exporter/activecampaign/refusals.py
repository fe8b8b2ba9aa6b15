"""One bad contact costs one contact: find those for which ActiveCampaign refuses a whole import.

A refused import names positions, but it is not documented whether they count from 0 or from 1, nor whether all bad
contacts are named. So names are hints, and verdicts are proof. A contact is bad when

- it was refused alone, or
- a request with it was refused, and the same request without it was accepted, or
- several were named, all the others were accepted, and those several, sent once more, were all named again.

Hints that prove wrong are followed a few times at most; then the refused contacts are halved. With right hints, a bad
contact costs at most one more request; in the worst form HINTS + 1 + log2(n) + 1, which is 15 for 250 contacts.
https://developers.activecampaign.com/reference/bulk-import-contacts
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Final

HINTS: Final = 5  # how many requests follow names, for each bad contact, before halving

type Positions = tuple[int, ...]
type Verdict = Sequence[int] | None  # None: accepted; else what the refusal named, as the server counts
type _Steps[Result] = Generator[Positions, Verdict, Result]  # yields what to send, receives the verdict


@dataclass(frozen=True, slots=True)
class Search:
    """How far the search is.

    `send`: the positions of the next request; empty at the end. `accepted`: the positions of each accepted request.
    `bad`: for each bad position the number of the verdict that refused it, from 0 on.
    """

    send: Positions
    accepted: tuple[Positions, ...]
    bad: dict[int, int]


def search(positions: Sequence[int], verdicts: Sequence[Verdict]) -> Search:
    """Fold the verdicts on a batch (or a part of one) into what to send next.

    `positions` ascend. `verdicts[i]` answers the request for `search(positions, verdicts[:i]).send`; answers that decide
    nothing (throttled, lost, ...) are no verdicts: the same request is repeated. Whatever the verdicts are, at the end
    each position is either in one accepted request or bad.
    """
    state = _State()
    steps = state.run(tuple(positions))
    try:
        send = next(steps)
        for number, verdict in enumerate(verdicts):
            state.note(number, send, verdict)
            send = steps.send(verdict)
    except StopIteration:
        send = ()
    return Search(send, tuple(state.accepted), state.bad)


class _State:
    """What the search has learnt; `run` is the search itself."""

    def __init__(self) -> None:
        self.accepted: list[Positions] = []
        self.bad: dict[int, int] = {}
        self.last_refusal = 0
        self.base = 1  # as probed once

    def note(self, number: int, sent: Positions, verdict: Verdict) -> None:
        if verdict is None:
            self.accepted.append(sent)
        else:
            self.last_refusal = number

    def blame(self, positions: Positions) -> None:
        self.bad.update(dict.fromkeys(positions, self.last_refusal))

    def run(self, unknown: Positions) -> _Steps[None]:
        while unknown:
            verdict = yield unknown
            if verdict is None:
                return
            unknown = tuple(sorted((yield from self.find(unknown, verdict))))

    def find(self, refused: Positions, names: Sequence[int]) -> _Steps[Positions]:
        """Find at least one bad contact among those of a refused request; return those without a verdict."""
        unknown: Positions = ()
        hints = HINTS
        while len(refused) > 1:
            named = self.named(refused, names) if hints > 0 else ()
            if named == refused:
                found, refused = yield from self.one_by_one(refused)
                if found:
                    return unknown + refused
                hints = 0
                continue
            test = _without(refused, named) if named else refused[: (len(refused) + 1) // 2]
            verdict = yield test
            hints -= bool(named)
            if verdict is None:
                refused, names = _without(refused, test), ()
                if len(named) > 1:
                    verdict = yield named
                    if verdict is None:
                        return unknown
                    if self.named(named, verdict) == named:
                        break
                    names = verdict
            elif named and self.base == 1 and min(verdict, default=0) < min(names):
                self.base = 0  # the same contact again, one place further to the front: the removed one stood before it
            else:
                unknown += _without(refused, test)
                refused, names = test, verdict
        self.blame(refused)
        return unknown

    def one_by_one(self, refused: Positions) -> _Steps[tuple[bool, Positions]]:
        """Send each alone while all prove bad; return whether one did, and those without a verdict."""
        for at, position in enumerate(refused):
            verdict = yield (position,)
            if verdict is None:
                return at > 0, refused[at + 1 :]
            self.blame((position,))
        return True, ()

    def named(self, sent: Positions, names: Sequence[int]) -> Positions:
        """Return the positions that a refusal of `sent` names; none when a name makes no sense."""
        if 0 in names:
            self.base = 0
        places = {name - self.base for name in names}
        if not places <= set(range(len(sent))):
            return ()
        return tuple(position for place, position in enumerate(sent) if place in places)


def _without(positions: Positions, others: Positions) -> Positions:
    taken = set(others)
    return tuple(position for position in positions if position not in taken)
