"""Whether an export fits a segment, judged by its columns and first rows: asked before an export is saved."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from exporter.activecampaign.bodies import envelope
from exporter.contacts.matching import Mapping, match_columns
from exporter.delivery.batches import RequestSize
from exporter.errors import Stop
from exporter.ports import Changed
from exporter.queries.reading import source_changing
from exporter.reasons import Reason
from exporter.services import Services
from exporter.source.files import SegmentFiles
from exporter.source.readers import read_rows
from exporter.source.segments import Refresh

FIRST_ROWS = 1_000
"""The most rows that are looked at: unless they are huge, they are in the first 4 MiB, which one read fetches."""
ALL_THE_SAME = "To save the export all the same, repeat with ?validate=false."
_THREAD = ThreadPoolExecutor(1, "fit")
"""As in `reading`, Arrow's memory is kept per thread; in this one nobody waits for a preview."""


def check_fit(services: Services, refresh: Refresh, mapping: Mapping) -> None:
    """Check that a segment has the columns of a mapping, and an address in one of its first rows, if it has rows.

    Raises `Stop` ("segment_without_columns", "mapping_fits_no_row", and what `matching.match_columns`,
    `Refresh.check_columns` and `readers.read_rows` raise), `NotReady` ("source_changing").
    """
    if not refresh.columns:
        raise Stop(
            "segment_without_columns",
            f"Expected columns in the segment {refresh.segment}, found none: its files are empty, or its table has no"
            f" attributes. Export it from its source again. {ALL_THE_SAME}",
        )
    refresh.check_columns(match_columns(mapping, refresh.columns).needed)
    try:
        reasons = _THREAD.submit(_without_address, services.segments, refresh, mapping.email).result()
    except Changed:
        raise source_changing() from None
    if reasons:
        counts = ", ".join(f"{reason}: {count}" for reason, count in reasons.most_common())
        guess = refresh.partitions[0].looks_like
        cure = (
            f"The file looks like {guess}: set encoding of the export."
            if guess and reasons[Reason.NOT_UTF8]
            else f"Correct dataMatching.email, or the segment. {ALL_THE_SAME}"
        )
        raise Stop(
            "mapping_fits_no_row",
            f"Expected addresses in the column {mapping.email} of the segment {refresh.segment}; none of the first"
            f" {reasons.total()} rows has one ({counts}). {cure}",
        )


def _without_address(files: SegmentFiles, refresh: Refresh, email: str) -> Counter[Reason]:
    """Return why the first rows of the first file have no address; nothing if one of them has one."""
    from exporter.contacts.blocks import check  # noqa: PLC0415 - Arrow takes 0.4 s to import; only reading needs it

    matched = match_columns(Mapping(email, customer_id=None, previous_customer_id=None), refresh.columns)
    tail = envelope(1, run_automations=False).contact_tail
    reasons: Counter[Reason] = Counter()
    for partition in refresh.partitions[:1]:
        for block in read_rows(files, partition, matched.wanted):
            left = FIRST_ROWS - reasons.total()
            rows = block[:left] if isinstance(block, list) else block.slice(0, left)
            checked = check(rows, matched, tail, RequestSize().max_bytes, 1)
            if len(checked.positions):
                return Counter()
            reasons.update(checked.refused.values())
            if reasons.total() == FIRST_ROWS:
                break
    return reasons
