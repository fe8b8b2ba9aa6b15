"""Find the contacts for which ActiveCampaign refuses a whole import, so that all other contacts arrive.

A refused import names positions, but whether they count from 0 or from 1, and whether all bad contacts are named, is
not documented. So names are hints, and verdicts are proof. A contact is bad when

- it was refused alone, or
- a request with it was refused, and the same request without it was accepted, or
- several were named at once, all other contacts were accepted, and those several, sent once more, were all named again.

Only the third rule trusts names, and it needs them twice, for different requests. When hints do not help, the refused
contacts are halved. The extra requests that a bad contact costs, in a batch of 250:

=====================================================  =======================
all bad contacts are named                             1; 2 for several at once
only the first one is named                            2
positions count from 0                                 1 more, once per batch
names are missing, out of range, or of good contacts   at most 15
=====================================================  =======================

https://developers.activecampaign.com/reference/bulk-import-contacts
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Final

HINTS: Final = 4  # requests that follow names before halving, until names have proved right

type Positions = tuple[int, ...]
type Verdict = Sequence[int] | None  # None: accepted; else what the refusal named, as the server counts
type _Steps[Result] = Generator[Positions, Verdict, Result]  # yields what to send, receives the verdict


@dataclass(frozen=True, slots=True)
class Search:
    """The state of a search.

    `send`: the positions of the next request; empty at the end. `accepted`: the positions of each accepted request.
    `bad`: for each bad position the number of the verdict that refused it, from 0.
    """

    send: Positions
    accepted: tuple[Positions, ...]
    bad: dict[int, int]


def search(positions: Sequence[int], verdicts: Sequence[Verdict]) -> Search:
    """Fold the verdicts on a batch (or a part of one) into what to send next.

    `positions` are ascending. `verdicts[i]` answers the request for `search(positions, verdicts[:i]).send`. An answer
    that decides nothing (throttled, lost, ...) is not a verdict: the same request is repeated. Whatever the verdicts,
    each position ends up in one accepted request or in `bad`.

    Recorded verdicts are replayed, by later releases too. So this rule is part of the record: a release that searches
    differently would misread the runs in progress.
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
    """What the search has learned; `run` is the search itself."""

    def __init__(self) -> None:
        self.accepted: list[Positions] = []
        self.bad: dict[int, int] = {}
        self.last_refusal = 0
        self.base = 1  # where the server begins to count, as probed once
        self.patience = HINTS

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
        """Find bad contacts among those of a refused request; return the contacts without a verdict."""
        bad_before, hints = len(self.bad), self.patience
        unknown: Positions = ()
        suspects: Positions = ()  # named, but the request was refused without them too
        while len(refused) > 1:
            named = self.named(refused, names) if hints > 0 else ()
            if named == refused:
                refused, hints = (yield from self.each_alone(refused)), 0
                if len(self.bad) > bad_before:
                    return unknown + suspects + refused
                continue
            if suspects and hints <= 0:
                unknown, suspects = unknown + (yield from self.each_alone(suspects)), ()
                if len(self.bad) > bad_before:
                    return unknown + refused
            test = _without(refused, named) if named else refused[: (len(refused) + 1) // 2]
            verdict = yield test
            hints -= bool(named)
            if verdict is None:
                refused, names = _without(refused, test), ()
                if len(named) > 1:
                    verdict = yield named
                    hints -= 1
                    if verdict is None:
                        return unknown + suspects
                    if not (unknown or suspects) and self.named(named, verdict) == named:
                        break
                    names = verdict
            elif not named:
                unknown += _without(refused, test)
                refused, names = test, verdict
            elif self.base == 1 and verdict and min(verdict) < min(names):
                self.base = 0  # the same contact again: it moved up, since the one before it was removed
            else:
                suspects += named
                refused, names = test, verdict
        self.blame(refused)
        return unknown + (yield from self.each_alone(suspects))

    def each_alone(self, suspects: Positions) -> _Steps[Positions]:
        """Send suspects one by one while they prove bad; return those without a verdict. Names gain or lose trust."""
        for index, position in enumerate(suspects):
            if (yield (position,)) is None:
                self.patience = HINTS
                return suspects[index + 1 :]
            self.blame((position,))
            self.patience += 1
        return ()

    def named(self, sent: Positions, names: Sequence[int]) -> Positions:
        """Return the positions that a refusal of `sent` names."""
        if 0 in names:
            self.base = 0
        places = set(names)
        return tuple(position for place, position in enumerate(sent, self.base) if place in places)


def _without(positions: Positions, others: Positions) -> Positions:
    taken = set(others)
    return tuple(position for position in positions if position not in taken)
