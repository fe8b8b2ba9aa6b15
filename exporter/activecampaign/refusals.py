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

A cause that all contacts share looks as if everybody were bad. So before anybody else is blamed, three are sent alone:
of those named, where a request names most of its contacts, or of the rest, where nobody was accepted before the first
bad contact was found. If all three are refused, the cause is common, and the search is over. And since ActiveCampaign
takes only 20 imports of one contact a minute, a search sends a bounded number of contacts alone; later, it sets aside
the few among whom a bad one is.

https://developers.activecampaign.com/reference/bulk-import-contacts
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Final

HINTS: Final = 4  # requests that follow names before halving, until names have proved right
PROBES: Final = 3  # contacts that are sent alone to find out whether the cause is common
FEWEST: Final = 10  # with fewer contacts in a request, nobody asks for a common cause: the search is short
SINGLES_A_BATCH: Final = 20
"""How many contacts one search sends alone at most: a minute's worth."""
SINGLES_A_LANE: Final = 40
"""How many contacts all searches of a lane send alone at most."""

type Positions = tuple[int, ...]
type Verdict = Sequence[int] | None  # None: accepted; else what the refusal named, as the server counts
type _Steps[Result] = Generator[Positions, Verdict, Result]  # yields what to send, receives the verdict


@dataclass(frozen=True, slots=True)
class Search:
    """The state of a search.

    `send`: the positions of the next request; empty at the end. `accepted`: the positions of each accepted request.
    `bad`: for each bad position the number of the verdict that refused it, from 0. `left`: those set aside at the end,
    in refused requests only, with nothing proved against them. `common`: whether the cause is common to all.
    """

    send: Positions
    accepted: tuple[Positions, ...]
    bad: dict[int, int]
    left: Positions = ()
    common: bool = False


def search(positions: Sequence[int], verdicts: Sequence[Verdict], alone: int | None = None) -> Search:
    """Fold the verdicts on a batch (or a part of one) into what to send next.

    `positions` are ascending. `verdicts[i]` answers the request for `search(positions, verdicts[:i]).send`. An answer
    that decides nothing (throttled, lost, ...) is not a verdict: the same request is repeated. Whatever the verdicts,
    each position ends up in one accepted request, in `bad` or in `left`.

    `alone`: how many contacts may be sent alone. None is the rule of former releases: any number, and no common cause.

    Recorded verdicts are replayed, by later releases too. So this rule is part of the record: a release that searches
    differently would misread the runs in progress.
    """
    state = _State(alone)
    steps = state.run(tuple(positions))
    try:
        send = next(steps)
        for number, verdict in enumerate(verdicts):
            state.note(number, send, verdict)
            send = steps.send(verdict)
    except StopIteration:
        send = ()
    return state.result(send)


class _State:
    """What the search has learned; `run` is the search itself."""

    def __init__(self, alone: int | None = None) -> None:
        self.alone = alone
        self.signs = 0 if alone is None else 2  # of a common cause, each of which is looked into once
        self.left: Positions = ()
        self.common = False
        self.accepted: list[Positions] = []
        self.bad: dict[int, int] = {}
        self.last_refusal = 0
        self.base = 1  # where the server begins to count, as probed once
        self.patience = HINTS

    def note(self, number: int, sent: Positions, verdict: Verdict) -> None:
        if self.alone and number and len(sent) == 1:
            self.alone -= 1
        if verdict is None:
            self.accepted.append(sent)
        else:
            self.last_refusal = number

    def result(self, send: Positions) -> Search:
        return Search(send, tuple(self.accepted), self.bad, tuple(sorted(self.left)), self.common)

    def blame(self, positions: Positions) -> None:
        self.bad.update(dict.fromkeys(positions, self.last_refusal))

    def run(self, unknown: Positions) -> _Steps[None]:
        began = False
        while unknown:
            if began and not self.may_send(unknown):
                self.left += unknown
                return
            verdict = yield unknown
            began = True
            if verdict is None:
                return
            named = self.named(unknown, verdict)
            if self.may_probe(unknown) and 2 * len(named) > len(unknown):
                unknown = yield from self.probe(unknown, named)
            else:
                unknown = tuple(sorted((yield from self.find(unknown, verdict))))
                if self.may_probe(unknown) and not self.accepted:
                    unknown = yield from self.probe(unknown, unknown)
            if self.common:
                self.left += unknown
                return

    def may_send(self, positions: Positions) -> bool:
        return self.alone is None or self.alone > 0 or len(positions) > 1

    def may_probe(self, unknown: Positions) -> bool:
        return self.signs > 0 and (self.alone or 0) >= PROBES and len(unknown) >= FEWEST

    def probe(self, unknown: Positions, among: Positions) -> _Steps[Positions]:
        """Send three contacts alone, far apart; return the contacts without a verdict."""
        self.signs -= 1
        for index in range(PROBES):
            position = among[index * (len(among) - 1) // (PROBES - 1)]
            unknown = _without(unknown, (position,))
            if (yield (position,)) is None:
                return unknown
            self.blame((position,))
        self.common = True
        return unknown

    def find(self, refused: Positions, names: Sequence[int]) -> _Steps[Positions]:  # noqa: PLR0912 - one search, whose branches share their state
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
            if not self.may_send(test):
                self.left, refused = self.left + refused, ()
                break
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
            if not self.may_send((position,)):
                self.left += suspects[index:]
                return ()
            if (yield (position,)) is None:
                self.patience = HINTS
                return suspects[index + 1 :]
            self.blame((position,))
            self.patience += 1
            if index + 1 == PROBES and self.signs and not self.accepted:
                return suspects[PROBES:]  # the cause may be common
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
