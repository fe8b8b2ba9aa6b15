"""Virtual time, and tasks that take turns: one runs until it waits, then the one whose time comes first goes on."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

from greenlet import getcurrent, greenlet


class Clockwork:
    """A clock that jumps from one thing to do to the next. Nothing here depends on real time."""

    def __init__(self, now: float) -> None:
        self.now = now
        """Seconds since the epoch."""
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._hub = getcurrent()

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Do something after so many seconds; what is due at the same time, in the order of these calls."""
        heapq.heappush(self._due, (self.now + seconds, next(self._order), action))

    def start(self, body: Callable[[], object]) -> None:
        """Begin a task of its own at this time; it may `wait`."""
        self.later(0, greenlet(body, parent=self._hub).switch)

    def wait(self, seconds: float) -> None:
        """Let time pass for the task that calls; others may run meanwhile."""
        wake = self.now + seconds
        if self._due[0][0] > wake:  # nobody else comes first: no need to take turns
            self.now = wake
            return
        self.later(seconds, getcurrent().switch)
        self._hub.switch()

    def run(self, until: float, done: Callable[[], bool]) -> None:
        """Do what is due, in order of time, until it is `done` or that time has come."""
        self._hub = getcurrent()
        self.later(until - self.now, lambda: None)
        while self.now < until and not done():
            self.now, _, action = heapq.heappop(self._due)
            action()
