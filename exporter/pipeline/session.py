"""Calls to an ActiveCampaign account, each in its turn in the account's shared rate budget (promise P6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from exporter import log
from exporter.activecampaign import pacing
from exporter.activecampaign.wire import Kind, NotSent, Reply, Request
from exporter.errors import Culprit, OthersFirst, Throttled, Unavailable
from exporter.ports import Changed
from exporter.records.definitions import read_connection
from exporter.records.paths import budget_path
from exporter.records.store import MAX_TRIES
from exporter.runs.run import Run
from exporter.services import Services

PATIENCE_S = 20.0
"""A caller does not wait in place for a turn that is further away than this: it hands over and comes back later."""
AHEAD_S = 10.0
"""The same for imports of a run that had more turns lately than other runs of the account: later ones are for those.
Half of the turns within `PATIENCE_S` are anybody's, so none is left out while those who had more come back."""
LONG_S = 1.0
"""After a longer wait for a turn, the budget is read again: ActiveCampaign may have asked for a pause meanwhile."""
CALLED_OFF = NotSent("called_off")


def session_of(services: Services, run: Run, *, fresh: bool = False) -> Session:
    """Return a session with a run's account, using its connection's current key. `fresh` skips the cache.

    The account is the one that the run started with. Its connection may name another secret by now, for example if the
    key was rotated by giving `apiKey` instead of `secretName`. If the connection now has another host or is gone, the
    run keeps the secret that it started with. Raises what `ports.Secrets.get` raises.
    """
    connection_id = run.export.connection_id
    connection = read_connection(services, connection_id) if connection_id else None
    secret_name = connection.secret_name if connection and connection.host == run.host else run.secret_name
    return Session(services, run.host, services.secrets.get(secret_name, fresh=fresh), run.run_id)


@dataclass(slots=True)
class Session:
    """One worker's calls to the account at `host`."""

    services: Services
    host: str
    api_key: str
    run_id: str = ""
    """The run that bulk imports belong to."""
    _budget: tuple[pacing.Budget, str] | None = field(default=None, init=False)

    def call(self, request: Request, before: Callable[[], bool] | None = None, *, soon: bool = False) -> Reply:
        """Wait for a turn and send; `before` runs right before the request leaves, and may call it off.

        Returns `CALLED_OFF` in that case, and if the turn is over after `before`, because what it checked may be out of
        date. Raises `Throttled` if the next turn is more than `PATIENCE_S` away (or `AHEAD_S`, where that holds), or,
        if it has to be `soon`, not the next of its kind; `OthersFirst` if ActiveCampaign has not asked to wait.
        """
        clock = self.services.clock
        while True:
            at = self._take_turn(request.kind, soon=soon)
            wait_s = at - clock.now()
            clock.sleep(max(0.0, wait_s))
            if wait_s > LONG_S and self._paused_at(at):
                continue
            if before and not before():
                return CALLED_OFF
            # A missed turn is lost, because the limit counts when requests arrive.
            if clock.now() <= at + pacing.VALID_S:
                return self.services.activecampaign.call(self.host, self.api_key, request)
            if before:
                return CALLED_OFF

    def slow_down(self, retry_after_s: float) -> None:
        """Hold back every sender to this account: ActiveCampaign refused a request for its rate, or asked to wait."""
        log.event("throttled", host=self.host, retryAfterS=retry_after_s)
        now = self.services.clock.now()
        self._change(lambda budget: (pacing.penalise(budget, now, retry_after_s), None))

    def _take_turn(self, kind: Kind, *, soon: bool = False) -> float:
        def take(budget: pacing.Budget) -> tuple[pacing.Budget, float]:
            now = self.services.clock.now()
            budget, at = pacing.take(budget, kind, now, self._pace, self.run_id)
            if soon:
                patience_s = pacing.spread_at(budget, now) * self._pace.tick_s
            else:
                patience_s = AHEAD_S if kind is Kind.BULK and pacing.is_ahead(budget, self.run_id) else PATIENCE_S
            if at - now > patience_s:
                paused = budget.resume_at > now
                error, code = (Throttled, "throttled") if paused else (OthersFirst, "others_first")
                raise error.of(code, Culprit.EXTERNAL, at - now, host=self.host)
            return budget, at

        return self._change(take)

    def _paused_at(self, at: float) -> bool:
        """Whether others have recorded a pause that this turn is in; the turn is then lost, like a missed one."""
        self._budget = self._read_budget(budget_path(self.host))
        return self._budget[0].resume_at > at

    @property
    def _pace(self) -> pacing.Pace:
        return pacing.Pace(bulk_per_minute=self.services.settings.bulk_requests_per_minute)

    def _change[T](self, update: Callable[[pacing.Budget], tuple[pacing.Budget, T]]) -> T:
        path = budget_path(self.host)
        blobs = self.services.blobs
        for _ in range(10 * MAX_TRIES):
            try:
                budget, etag = self._budget or self._read_budget(path)
                budget, result = update(budget)
                self._budget = None
                self._budget = (budget, blobs.replace(path, budget.to_json(), etag))
            except Changed:
                continue
            return result
        raise Unavailable.of("storage_contention", case="budget", host=self.host)

    def _read_budget(self, path: str) -> tuple[pacing.Budget, str]:
        blob = self.services.blobs.read(path)
        if blob:
            return pacing.Budget.from_json(blob.data), blob.etag
        # Created empty: two workers that create the same content both succeed, but only one of them can replace it.
        return pacing.Budget(), self.services.blobs.create(path, pacing.Budget().to_json())
