"""Calls to an ActiveCampaign account, each in its turn in the account's shared rate budget (promise P6)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from exporter import log
from exporter.activecampaign import account, outcomes, pacing, wire
from exporter.activecampaign.wire import Kind, NotSent, Reply, Request
from exporter.errors import Stop, Throttled, Unavailable, Wait
from exporter.ports import Changed
from exporter.records.definitions import read_connection
from exporter.records.paths import budget_path
from exporter.records.store import MAX_TRIES
from exporter.runs.run import Run
from exporter.services import Services

PATIENCE_S = 20.0
"""A caller does not wait in place for a turn that is further away than this: it hands over and comes back later."""
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
    return Session(services, run.host, services.secrets.get(secret_name, fresh=fresh))


@dataclass(slots=True)
class Session:
    """One worker's calls to the account at `host`."""

    services: Services
    host: str
    api_key: str
    _budget: tuple[pacing.Budget, str] | None = field(default=None, init=False)

    def call(self, request: Request, before: Callable[[], bool] | None = None) -> Reply:
        """Wait for a turn and send; `before` runs right before the request leaves, and may call it off.

        Returns `CALLED_OFF` in that case, and if the turn is over after `before`, because what it checked may be out of
        date. Raises `Throttled` if the next turn is more than `PATIENCE_S` away.
        """
        clock = self.services.clock
        while True:
            at = self._take_turn(request.kind)
            clock.sleep(max(0.0, at - clock.now()))
            if before and not before():
                return CALLED_OFF
            # A missed turn is lost, because the limit counts when requests arrive.
            if clock.now() <= at + pacing.VALID_S:
                return self.services.activecampaign.call(self.host, self.api_key, request)
            if before:
                return CALLED_OFF

    def slow_down(self, retry_after_s: float) -> None:
        """Hold back every sender to this account for a while: ActiveCampaign refused a request for its rate."""
        log.event("throttled", host=self.host, retryAfterS=retry_after_s)
        now = self.services.clock.now()
        self._change(lambda budget: (pacing.penalise(budget, now, retry_after_s), None))

    def _take_turn(self, kind: Kind) -> float:
        def take(budget: pacing.Budget) -> tuple[pacing.Budget, float]:
            now = self.services.clock.now()
            budget, at = pacing.take(budget, kind, now, self._pace)
            if at - now > PATIENCE_S:
                raise Throttled(
                    "throttled",
                    "ActiveCampaign wants fewer requests. The run continues automatically.",
                    retry_after_s=at - now,
                )
            return budget, at

        return self._change(take)

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
        raise Unavailable("storage_contention", "Too many workers updated the rate budget at the same time. Try again.")

    def _read_budget(self, path: str) -> tuple[pacing.Budget, str]:
        blob = self.services.blobs.read(path)
        if blob:
            return pacing.Budget.from_json(blob.data), blob.etag
        # Created empty: two workers that create the same content both succeed, but only one of them can replace it.
        return pacing.Budget(), self.services.blobs.create(path, pacing.Budget().to_json())


# --- Questions ---

MAX_EXCLUSIONS = 1_000
"""Ten requests. With a longer list, some failures do not get this reason."""


def account_limits(session: Session) -> account.AccountLimits | None:
    """Return the account's name and contact limit, or None if the key is not an administrator's."""
    try:
        return ask(session, wire.account_limits(), account.read_account, "the account's limits")
    except Stop as error:
        if error.code in ("permission_refused", "not_found"):
            return None
        raise


def ask[T](
    session: Session,
    request: wire.Request,
    read: Callable[[wire.Reply], T | outcomes.ErrorOutcome],
    what: str,
    not_found: str = "not_found",
) -> T:
    """Send a read-only request; return what was read, or raise what `outcomes.as_error` makes of the outcome."""
    value = read(session.call(request))
    if isinstance(value, outcomes.ErrorOutcome):
        if isinstance(value, outcomes.RateLimited):
            session.slow_down(value.retry_after_s)
        if isinstance(value, outcomes.KeyRefused) and request != wire.who_am_i():
            # Every check first asks whose key it is, so this is a missing permission, unless the key was replaced.
            ask(session, wire.who_am_i(), account.read_user, "the API key's user")
        raise outcomes.as_error(value, what, not_found=not_found, key_works=request != wire.who_am_i())
    return value


def all_fields(session: Session) -> list[account.CustomField]:
    """Return every custom field of the account."""
    return list(_pages(session, wire.fields, account.read_fields_page, "the custom fields"))


def all_lists(session: Session) -> list[account.ContactList]:
    """Return every list that the key's user may see."""
    return list(_pages(session, wire.lists, account.read_lists_page, "the lists"))


def exclusions(session: Session) -> tuple[account.Exclusion, ...]:
    """Return the first `MAX_EXCLUSIONS` entries of the account's e-mail exclusion list; none if it cannot be read.

    The list only explains why someone was not imported, so nothing waits for it.
    """
    pages = _pages(session, wire.exclusions, account.read_exclusions_page, "the exclusion list")
    try:
        return tuple(itertools.islice(pages, MAX_EXCLUSIONS))
    except (Stop, Wait):
        return ()


def ask_page[T](
    session: Session,
    request: Callable[[int], wire.Request],
    read: Callable[[wire.Reply, int], account.ListingPage[T] | outcomes.ErrorOutcome],
    what: str,
    offset: int = 0,
) -> account.ListingPage[T]:
    """Return a page of a listing. Raises what `ask` raises."""
    return ask(session, request(offset), lambda reply: read(reply, offset), what)


def _pages[T](
    session: Session,
    request: Callable[[int], wire.Request],
    read: Callable[[wire.Reply, int], account.ListingPage[T] | outcomes.ErrorOutcome],
    what: str,
) -> Iterator[T]:
    offset: int | None = 0
    while offset is not None:
        page = ask_page(session, request, read, what, offset)
        yield from page.items
        offset = page.next_offset
