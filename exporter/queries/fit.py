"""Whether an export fits a segment, judged by its columns and first rows: asked before an export is saved."""

from __future__ import annotations

from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain

from exporter.activecampaign.bodies import envelope
from exporter.contacts.matching import Mapping, Matched, match_columns
from exporter.contacts.values import Flaw
from exporter.delivery.batches import RequestSize
from exporter.errors import Stop
from exporter.ports import Changed
from exporter.queries.reading import source_changing
from exporter.reasons import Reason
from exporter.services import Services
from exporter.source.files import SegmentFiles
from exporter.source.readers import read_rows
from exporter.source.segments import Refresh
from exporter.warned import Warned

FIRST_ROWS = 1_000
"""The most rows that are looked at: unless they are huge, they are in the first 4 MiB, which one read fetches."""
_THREAD = ThreadPoolExecutor(1, "fit")
"""As in `reading`, Arrow's memory is kept per thread; in this one nobody waits for a preview."""


def check_fit(services: Services, refresh: Refresh, mapping: Mapping) -> tuple[Warned, ...]:
    """Check that a segment has the columns of a mapping, and an address in one of its first rows, if it has rows.

    Returns a warning for each column of whose values under half fit what they fill, as far as those rows tell.
    Raises `Stop` ("segment_without_columns", "mapping_fits_no_row", and what `matching.match_columns`,
    `Refresh.check_columns` and `readers.read_rows` raise), `NotReady` ("source_changing").
    """
    if not refresh.columns:
        raise Stop.of("segment_without_columns", segment=refresh.segment)
    matched = match_columns(replace(mapping, consent=None), refresh.columns)
    refresh.check_columns(match_columns(mapping, refresh.columns).needed)
    try:
        reasons, unfit = _THREAD.submit(_look, services.segments, refresh, matched).result()
    except Changed:
        raise source_changing() from None
    if reasons:
        counts = ", ".join(f"{reason}: {count}" for reason, count in reasons.most_common())
        guess = refresh.partitions[0].looks_like
        case = {"case": "encoding", "encoding": guess} if guess and reasons[Reason.NOT_UTF8] else {}
        about = {"column": mapping.email, "segment": refresh.segment, "reasons": counts}
        raise Stop.of("mapping_fits_no_row", rows=reasons.total(), **about, **case)
    return tuple(
        Warned.of(
            "column_fits_seldom",
            column=target.column,
            field=target.name,
            values=values,
            unfit=flaws.total(),
            reasons=", ".join(f"{flaw.value}: {count}" for flaw, count in flaws.most_common()),
        )
        for target, (values, flaws) in zip(matched.targets, unfit, strict=True)
        if 2 * flaws.total() > values
    )


type _Unfit = list[tuple[int, Counter[Flaw]]]


def _look(files: SegmentFiles, refresh: Refresh, matched: Matched) -> tuple[Counter[Reason], _Unfit]:
    """Look at the first rows of the first file.

    Returns why they have no address (nothing if one of them has one), and, for each target, how many values there are
    and why how many of them do not fit.
    """
    from exporter.contacts.blocks import check  # noqa: PLC0415 - Arrow takes 0.4 s to import; only reading needs it

    tail = envelope(1, run_automations=False).contact_tail
    reasons: Counter[Reason] = Counter()
    filled: Counter[int] = Counter()
    flaws: defaultdict[int, Counter[Flaw]] = defaultdict(Counter)
    rows_seen = addresses = 0
    for partition in refresh.partitions[:1]:
        for block in read_rows(files, partition, matched.wanted):
            left = FIRST_ROWS - rows_seen
            rows = block[:left] if isinstance(block, list) else block.slice(0, left)
            checked = check(rows, matched, tail, RequestSize().max_bytes, 1)
            refused = Counter(checked.refused.values())
            addresses += len(checked.positions) + refused.pop(Reason.VALUE_DOES_NOT_FIT, 0)
            reasons.update(refused)
            rows_seen += len(rows) if isinstance(rows, list) else rows.num_rows
            for number, values in enumerate(checked.filled):
                filled[number] += int(values.sum())
            for unfit in chain.from_iterable(checked.unfit.values()):
                flaws[unfit.target][unfit.flaw] += 1
            if rows_seen == FIRST_ROWS:
                break
    counts = [(filled[number] + flaws[number].total(), flaws[number]) for number in range(len(matched.targets))]
    return (Counter() if addresses else reasons), counts
