"""What is remembered after a run, and after its late imports.

Not confirmed is not remembered as confirmed, so it is sent again: whoever was in a request of a run is in doubt, until
an outcome says more. This holds at every end, also of a run that failed or was canceled.

Two imports that are open at the same time may end in either order, and the one that ends last has the last word. So who
is sent while an import with them is open is `OVERTAKEN`, whatever becomes of either, and is sent once more later.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from exporter.memory.blob import Header, Memory, OpenRun
from exporter.memory.hashes import NOWHERE, Addresses, Flags, Hashes, Places
from exporter.memory.people import LAST_DAY, NO_DAY, Days, People, Small, State

_PAUSES_DAYS: Final = np.array([1, 1, 2, 4, 8, 16, 28])
"""By the number of refusals; the last one for all that follow."""
_MOST_REFUSALS: Final = 255


class Fate(IntEnum):
    """What became of somebody who was in a request."""

    WITHOUT_OUTCOME = 0
    OPEN = 1
    """Is in an import without final status."""
    CONFIRMED = 2
    REFUSED = 3


@dataclass(frozen=True, slots=True, eq=False)
class Requested:
    """Who was in a request, as columns of one length, in any order."""

    addresses: Addresses
    values: Hashes
    """Of what was sent of them."""
    customer_ids: Hashes
    fates: Small
    reasons: Small
    """Of those who were refused: `people.number_of`."""
    refused_lists: npt.NDArray[np.uint16]
    """Of those who were confirmed or refused: which lists did not take them."""

    def take(self, chosen: Places | Flags) -> Requested:
        """Return those at some places, or those that are flagged."""
        return Requested(
            self.addresses.take(chosen),
            self.values[chosen],
            self.customer_ids[chosen],
            self.fates[chosen],
            self.reasons[chosen],
            self.refused_lists[chosen],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Who is in the segments of an export, as columns of one length, in any order: everybody who could be sent."""

    addresses: Addresses
    customer_ids: Hashes


def merge(
    old: Memory | None,
    header: Header,
    segment: Segment,
    requested: Requested,
    day: int,
    *,
    overtaking: Addresses | None = None,
    leavers: bool = False,
) -> Memory:
    """Return the memory after a run.

    `old`: the one that the run was planned with; None: it had none that it could go by. `header` says what is new: the
    run, its digests, and itself as `open` if imports of it are. `overtaking`: who was in imports of other runs that
    were open when this one was planned, in any order. `day`: today, in UTC. Who is in neither the segment nor a
    request leaves; with `leavers` they stay, with the day of the first refresh without them. Raises `ValueError` when
    somebody was requested twice.
    """
    known, places = _with(old.people if old else _nobody(), requested.addresses)
    here = _take_over(known, segment)
    here[places] = True
    back = np.flatnonzero(here & (known.states == State.LEAVING))
    known.doubt(back, State.OVERTAKEN)  # may have a mark
    known.since[here] = NO_DAY
    gone = ~here
    known.since[gone & (known.since == NO_DAY)] = day
    _enter(known, places, requested, day, overtaking)
    if not leavers and gone.any():
        known = known.take(here)
    if old:
        header = header.model_copy(
            update={
                "open": (*old.header.open, *header.open),
                "repeated_on": max(old.header.repeated_on, header.repeated_on),
            }
        )
    return Memory(header, known)


def merge_few(
    old: Memory, opened: OpenRun | None, requested: Requested, day: int, *, overtaking: Addresses | None = None
) -> Memory:
    """Return the memory after a run for a few people, which says nothing of anybody else.

    It stays the memory of the run before. `opened`: the run itself, if imports of it are open; the rest is as in
    `merge`.
    """
    known, places = _with(old.people, requested.addresses)
    known.since[places] = NO_DAY
    _enter(known, places, requested, day, overtaking)
    opened_runs = (*old.header.open, *([opened] if opened else []))
    return Memory(old.header.model_copy(update={"open": opened_runs}), known)


def fold(memory: Memory, run: str, ended: Mapping[str, Requested], day: int) -> Memory:
    """Return the memory with late outcomes: those of imports of a run, by their ids.

    Each import counts once: those that `Header.open` does not name are passed over. An import that is given up comes
    with people without outcome. Nobody is added; only who is `IN_DOUBT` gets an outcome, and who is in several of these
    imports is confirmed if one confirms it.
    """
    waiting = next((each.imports for each in memory.header.open if each.run == run), ())
    late = [ended[name] for name in waiting if name in ended]
    if not late:
        return memory
    people = memory.people.copy()
    for fate in (Fate.CONFIRMED, Fate.REFUSED):
        for each in late:
            chosen = each.take(each.fates == fate)
            places = people.addresses.find(chosen.addresses)
            doubted = (places != NOWHERE) & (people.states[places] == State.IN_DOUBT) if len(people) else places >= 0
            _enter_outcomes(people, places[doubted], chosen.take(doubted), day)
    return Memory(memory.header.model_copy(update={"open": _without(memory.header.open, run, ended)}), people)


def amend(memory: Memory, run: str, addresses: Addresses, reasons: Small) -> Memory:
    """Return the memory with what look-ups after the end of a run have found.

    Of these people, who is remembered as confirmed is not as confirmed, so in doubt; who was refused has the reason
    (`people.number_of`) that was found. Nothing changes when the memory is not of that run any more.
    """
    places = memory.people.addresses.find(addresses)
    known = places != NOWHERE
    if memory.header.run != run or not known.any():
        return memory
    people = memory.people.copy()
    at, found = places[known], reasons[known]
    states = people.states[at]
    people.reasons[at[states == State.REFUSED]] = found[states == State.REFUSED]
    people.doubt(at[states == State.CONFIRMED])
    return Memory(memory.header, people)


def missing(people: People, segment: Addresses) -> Flags:
    """Return who of the remembered people is not in the segment."""
    flags: Flags = _sorted(segment).find(people.addresses) == NOWHERE
    return flags


def pause_days(refusals: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Return after how many days people are tried again who were refused so often in succession."""
    pauses: npt.NDArray[np.int64] = _PAUSES_DAYS[np.minimum(refusals, len(_PAUSES_DAYS) - 1)]
    return pauses


def _nobody() -> People:
    return People.new(Addresses.none())


def _with(people: People, addresses: Addresses) -> tuple[People, Places]:
    """Return a copy of the people with those of the addresses who are new, and the places of all of these."""
    ordered = addresses.take(addresses.order())
    if not ordered.is_ascending():
        raise ValueError("memory: expected that each person was requested once, found somebody twice")
    new = People.new(ordered.take(people.addresses.find(ordered) == NOWHERE))
    if not len(new):
        known = people.copy()
    elif not len(people):
        known = new
    else:
        order = Addresses.joined([people.addresses, new.addresses]).order()
        pairs = zip(people.columns(), new.columns(), strict=True)
        known = People.of(np.concatenate(pair)[order] for pair in pairs)  # one column at a time, to save memory
    return known, known.addresses.find(addresses)


def _take_over(known: People, segment: Segment) -> Flags:
    """Note the customer ids of the segment; return who of the people is in it."""
    order = segment.addresses.order()
    found = segment.addresses.take(order).find(known.addresses)
    here: Flags = found != NOWHERE
    known.customer_ids[here] = segment.customer_ids[order[found[here]]]
    return here


def _enter(known: People, places: Places, requested: Requested, day: int, overtaking: Addresses | None) -> None:
    """Enter who was in a request, at these places, and what became of them."""
    known.doubt(places)
    known.customer_ids[places] = requested.customer_ids
    overtaken = _sorted(Addresses.none() if overtaking is None else overtaking).find(requested.addresses) != NOWHERE
    if overtaken.any():
        known.doubt(places[overtaken], State.OVERTAKEN)
        places, requested = places[~overtaken], requested.take(~overtaken)
    _enter_outcomes(known, places, requested, day)


def _enter_outcomes(known: People, places: Places, requested: Requested, day: int) -> None:
    confirmed, refused = (requested.fates == fate for fate in (Fate.CONFIRMED, Fate.REFUSED))
    for chosen, state in ((confirmed, State.CONFIRMED), (refused, State.REFUSED)):
        known.states[places[chosen]] = state
        known.values[places[chosen]] = requested.values[chosen]
        known.refused_lists[places[chosen]] = requested.refused_lists[chosen]
    known.refusals[places[confirmed]] = 0
    known.reasons[places[confirmed]] = 0
    known.next_tries[places[confirmed]] = NO_DAY
    at = places[refused]
    refusals = np.minimum(known.refusals[at].astype(np.int64) + 1, _MOST_REFUSALS)
    known.refusals[at] = refusals
    known.reasons[at] = requested.reasons[refused]
    known.next_tries[at] = _days(day + pause_days(refusals))


def _days(days: npt.NDArray[np.int64]) -> Days:
    return np.minimum(days, LAST_DAY).astype(np.uint16)


def _sorted(addresses: Addresses) -> Addresses:
    return addresses if addresses.is_ascending() else addresses.take(addresses.order())


def _without(runs: tuple[OpenRun, ...], run: str, ended: Collection[str]) -> tuple[OpenRun, ...]:
    """Return the open runs without these imports of one of them, and without those that have none left."""
    left = (
        each.model_copy(update={"imports": tuple(name for name in each.imports if name not in ended)})
        if each.run == run
        else each
        for each in runs
    )
    return tuple(each for each in left if each.imports)
