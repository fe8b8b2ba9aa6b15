"""A memory of a million people: its size, and what hashing, reading, deciding and merging take.

Medians of CPU time, beside a peer that does the same in plain Python: `hashlib` for each text, people in a dictionary,
kept by `pickle`. Both have to decide the same and to remember as many. Trust the ratios, not the seconds.
"""

from __future__ import annotations

import gc
import hashlib
import pickle
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from exporter.memory.blob import Header, read, write
from exporter.memory.decide import Asked, Decision, Planned, decide
from exporter.memory.hashes import Addresses, Hashes
from exporter.memory.keys import PeopleKey
from exporter.memory.merge import Fate, Requested, Segment, merge

PEOPLE, CHANGED_IN, OTHERS_IN = 1_000_000, 17, 100  # 6 % have changed; 1 % are new, and as many left
ROUNDS = 5
DAY, REPEAT_EVERY_DAYS = 20_784, 7
KEY = PeopleKey(bytes(range(32)))
HEADER = Header(key_check=KEY.check, generation=1, membership="0" * 64, values="0" * 64, run="bench")
MOST_MB_A_MILLION = 42


@dataclass(frozen=True)
class Texts:
    """A day's segment: what is hashed of each person."""

    addresses: pa.StringArray
    values: pa.StringArray
    customer_ids: pa.StringArray


@dataclass(frozen=True)
class Hashed:
    """The same, hashed."""

    addresses: Addresses
    values: Hashes
    customer_ids: Hashes

    @property
    def planned(self) -> Planned:
        return Planned(self.addresses, self.values)

    @property
    def segment(self) -> Segment:
        return Segment(self.addresses, self.customer_ids)

    def requested(self, decision: Decision) -> Requested:
        """Return that everybody who is sent was confirmed."""
        sent = decision.sent
        count = int(np.count_nonzero(sent))
        fates = np.full(count, Fate.CONFIRMED, np.uint8)
        nothing = np.zeros(count, np.uint8), np.zeros(count, np.uint16)
        return Requested(self.addresses.take(sent), self.values[sent], self.customer_ids[sent], fates, *nothing)


def texts(day: int) -> Texts:
    """Return the segment of a day, in an order of its own."""
    numbers = np.random.default_rng(day).permutation(PEOPLE) + day * PEOPLE // OTHERS_IN
    addresses = [f"person{number}.lastname@example-{number % 977}.com" for number in numbers]
    points = [day * (number % CHANGED_IN == 0) for number in numbers]
    fields = '"fields":[{"id":1,"value":"London"},{"id":2,"value":"Gold"},{"id":3,"value":"%d"}]'
    values = [
        f'{{"email":"{address}","firstName":"Ada","lastName":"Lovelace","phone":"+44 20 7946 0958",{fields % point}}}'
        for address, point in zip(addresses, points, strict=True)
    ]
    ids = [f"{number:08x}-1c2d-4e3f-8a9b-0c1d2e3f4a5b" for number in numbers]
    return Texts(*(pa.array(column, pa.string()) for column in (addresses, values, ids)))


def hashed(day: Texts) -> Hashed:
    return Hashed(KEY.addresses(day.addresses), KEY.values(day.values), KEY.customer_ids(day.customer_ids))


type Row = tuple[bytes, bytes, int]
"""Of the peer: value, customer id, day of the next try."""


def peer_hashed(day: Texts) -> list[tuple[bytes, bytes, bytes]]:
    columns = []
    for column, size in ((day.addresses, 12), (day.values, 8), (day.customer_ids, 8)):
        keyed = hashlib.blake2b(key=KEY.secret, digest_size=size)
        hashes = []
        for text in column.to_pylist():
            one = keyed.copy()
            one.update(text.encode())
            hashes.append(one.digest())
        columns.append(hashes)
    return list(zip(*columns, strict=True))


def peer_decide(known: dict[bytes, Row], planned: list[tuple[bytes, bytes, bytes]], parts: int) -> list[bool]:
    sent = []
    for address, value, _ in planned:
        row = known.get(address)
        is_due = parts > 0 and int.from_bytes(address[8:], "little") % parts == DAY % parts
        sent.append(row is None or row[0] != value or is_due)
    return sent


def peer_merge(
    known: dict[bytes, Row], planned: list[tuple[bytes, bytes, bytes]], sent: list[bool]
) -> dict[bytes, Row]:
    after = {}
    for (address, value, customer_id), is_sent in zip(planned, sent, strict=True):
        if is_sent:
            after[address] = (value, customer_id, 0)
        elif row := known.get(address):
            after[address] = (row[0], customer_id, row[2])
    return after


def cpu_s(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the median CPU time of a call, in seconds, and what it returned."""
    times = []
    for _ in range(ROUNDS):
        found = None  # what the call before returned is not freed while the next one is measured
        gc.collect()
        before = time.process_time()
        found = call()
        times.append(time.process_time() - before)
    return statistics.median(times), found


def show(step: str, own: Callable[[], Any], peer: Callable[[], Any]) -> tuple[Any, Any]:
    """Measure a step and print its line."""
    (own_s, found), (peer_s, peer_found) = cpu_s(own), cpu_s(peer)
    print(f"{step:34}{own_s:>8.2f}{peer_s:>8.2f}{own_s / peer_s:>8.2f}", flush=True)
    return found, peer_found


def main() -> None:
    """Print the table, and the size."""
    yesterday, today = texts(0), texts(1)
    first = hashed(yesterday)
    everybody = Decision(np.zeros(PEOPLE, np.uint8), np.zeros(PEOPLE, np.int64))
    data = write(merge(None, HEADER, first.segment, first.requested(everybody), DAY - 1))
    peer_first = peer_hashed(yesterday)
    peer_data = pickle.dumps(peer_merge({}, peer_first, [True] * PEOPLE))
    print(f"{PEOPLE:,} people, CPU s (median of {ROUNDS})   own    dict   ratio")
    now, peer_now = show("hash addresses, values, ids", partial(hashed, today), partial(peer_hashed, today))
    memory, peer_memory = show("read", partial(read, data, KEY), partial(pickle.loads, peer_data))
    asked = Asked(DAY, repeat_every_days=REPEAT_EVERY_DAYS, days_since_repeat=1)
    decision, peer_sent = show(
        "decide",
        partial(decide, memory.people, now.planned, asked),
        partial(peer_decide, peer_memory, peer_now, REPEAT_EVERY_DAYS),
    )
    unrepeated = decide(memory.people, now.planned, Asked(DAY))
    assert unrepeated.sent.tolist() == peer_decide(peer_memory, peer_now, 0)  # parts differ, as hashes do
    after, peer_after = show(
        "merge",
        partial(merge, memory, HEADER, now.segment, now.requested(decision), DAY),
        partial(peer_merge, peer_memory, peer_now, peer_sent),
    )
    show("write", partial(write, after), partial(pickle.dumps, peer_after))
    assert len(after.people) == len(peer_after) == PEOPLE
    megabytes = len(data) / PEOPLE
    print(
        f"MB a million: {megabytes:.1f} (at most {MOST_MB_A_MILLION}); pickled dictionary {len(peer_data) / PEOPLE:.1f}"
    )
    counts = {kind.name.lower(): count for kind, count in decision.counts().items() if count}
    print("decided: " + ", ".join(f"{count:,} {kind}" for kind, count in counts.items()))
    assert megabytes <= MOST_MB_A_MILLION


if __name__ == "__main__":
    main()
