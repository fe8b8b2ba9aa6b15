"""How long the clients of Azure wait."""

from __future__ import annotations

from azure.storage.blob import ExponentialRetry

from exporter.bootstrap import BACKOFF, TIMEOUTS
from exporter.settings import Settings


def test_a_call_to_storage_that_is_never_answered_fails_before_its_worker_counts_as_dead() -> None:
    retries = TIMEOUTS["retry_total"]
    retry = ExponentialRetry(**BACKOFF, retry_total=retries)
    pauses_s = sum(retry.get_backoff_time({"count": count}) + 2 * BACKOFF["random_jitter_range"] for count in range(4))
    requests_s = (retries + 1) * (TIMEOUTS["connection_timeout"] + TIMEOUTS["read_timeout"])
    assert requests_s + pauses_s < Settings.model_fields["lane_stale_s"].default
