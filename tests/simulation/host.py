"""The Functions host as it is: instances that die or stand still, queues that repeat, lose and poison, doubled timers.

Its manners are those of the host's source (azure-webjobs-sdk, azure-webjobs-sdk-extensions): a message is hidden
for 10 minutes at a time while it is worked on, and stays so when the instance dies; a failed one is there again at
once, and after five failures in the poison queue.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson
from greenlet import getcurrent

from exporter.services import Memory, Services
from tests.simulation.clockwork import Clockwork
from tests.simulation.weather import Crashed, Weather

if TYPE_CHECKING:
    from greenlet import greenlet

HIDDEN_S = 600.0
FUNCTION_TIMEOUT_S = 600.0
MOST_ATTEMPTS = 5

Step = Callable[[], object]


@dataclass(eq=False, slots=True)
class Instance:
    """A machine: what runs on it dies with it, and shares its memory and its clock."""

    clockwork: Clockwork
    number: int
    skew_s: float = 0.0
    """How far its clock is ahead."""
    frozen_until: float = 0.0
    release: int = 1
    """Of the code that runs on it; 2 writes records of schema version 2."""
    secrets: dict[str, tuple[float, str]] = field(default_factory=dict)
    """The Key Vault cache of its process: when read, value."""
    memory: Memory = field(default_factory=Memory)
    """What its process remembers of storage."""
    invocations: list[Invocation] = field(default_factory=list)

    def freeze(self, seconds: float) -> None:
        """Stand still."""
        self.frozen_until = max(self.frozen_until, self.clockwork.now + seconds)

    @property
    def frozen(self) -> bool:
        return self.frozen_until > self.clockwork.now


@dataclass(eq=False, slots=True)
class Invocation:
    """One execution of a function."""

    host: Host
    instance: Instance
    name: str
    message: Message | None = None
    ended: Callable[[bool], object] | None = None
    """Called at the end, with whether the function returned or raised; False: its process died."""
    dead: bool = False
    returned: bool = False
    """Whether it came to its end, by itself."""
    services: Services = field(init=False)
    began: float = field(init=False)
    disturbed: bool = False
    """Whether a fault hit it since it last recorded that a request is about to leave."""

    def wait(self, seconds: float) -> None:
        """Let time pass, as long as its machine runs."""
        clockwork = self.instance.clockwork
        clockwork.wait(seconds)
        while self.instance.frozen_until > clockwork.now:
            self.disturbed = True
            clockwork.wait(self.instance.frozen_until - clockwork.now)
        if self.dead:
            raise Crashed

    def travel(self, seconds: float) -> None:
        """Let time pass for what has left the machine."""
        self.instance.clockwork.wait(seconds)
        if self.dead:
            raise Crashed

    def die(self) -> None:
        """The process ends, here and now, with all that runs in it."""
        self.host.crash(self.instance)
        raise Crashed


@dataclass(eq=False, slots=True)
class Message:
    queue: str
    body: bytes
    attempts: int = 0
    gone: bool = False


class Host:
    """Starts functions for messages, timers and requests."""

    def __init__(self, clockwork: Clockwork, weather: Weather, services: Callable[[Invocation], Services]) -> None:
        self.clockwork = clockwork
        self.weather = weather
        self.random: random.Random = weather.random
        self.instances = [Instance(clockwork, number) for number in range(3)]
        self.functions: dict[str, Callable[[bytes], object]] = {}
        """What a message of each queue calls."""
        self.storage_down_until = 0.0
        self.running: dict[Invocation, None] = {}
        self.messages = 0
        """How many messages are in the queues."""
        self.errors: list[BaseException] = []
        """What functions raised."""
        self.note: Callable[[str, str], None] = lambda who, what: None
        self._services = services
        self._by_task: dict[greenlet, Invocation] = {}

    def current(self) -> Invocation:
        """Return the invocation that is going on."""
        return self._by_task[getcurrent()]

    @property
    def is_at_work(self) -> bool:
        """Whether an invocation is going on, and not something outside of the app."""
        return getcurrent() in self._by_task

    # --- functions ---

    def invoke(
        self,
        name: str,
        step: Step,
        message: Message | None = None,
        ended: Callable[[bool], object] | None = None,
    ) -> Invocation:
        """Start a function on some instance."""
        choices = [i for i in self.instances if not i.frozen] or self.instances
        invocation = Invocation(self, self.random.choice(choices), name, message, ended)
        invocation.services = self._services(invocation)
        invocation.began = self.clockwork.now
        invocation.instance.invocations.append(invocation)
        self.running[invocation] = None
        self.clockwork.start(lambda: self._execute(invocation, step))
        self.clockwork.later(FUNCTION_TIMEOUT_S, lambda: self._time_out(invocation))
        return invocation

    def _execute(self, invocation: Invocation, step: Step) -> None:
        task = getcurrent()
        self._by_task[task] = invocation
        try:
            invocation.wait(0)
            step()
        except Crashed:
            return
        except Exception as error:  # noqa: BLE001 - the host survives whatever a function raises
            self._over(invocation, returned=True)
            self.errors.append(error)
            if invocation.message:
                self._failed(invocation.message)
        else:
            self._over(invocation, returned=True)
            if invocation.message:
                self._done(invocation.message)
        finally:
            del self._by_task[task]

    def _over(self, invocation: Invocation, *, returned: bool) -> None:
        invocation.dead, invocation.returned = True, returned
        invocation.instance.invocations.remove(invocation)
        self.running.pop(invocation, None)
        if invocation.ended:
            invocation.ended(returned)

    def _time_out(self, invocation: Invocation) -> None:
        """The host gives up on a function that takes too long; the process goes on now and then (host issue 8814)."""
        if invocation.dead or invocation not in self.running:
            return
        self.note(invocation.name, "function timeout")
        if self.random.random() < 0.5:
            self.crash(invocation.instance)
        elif invocation.message:
            self._deliver_later(invocation.message, 0)

    def crash(self, instance: Instance) -> None:
        """End the process on an instance. Another takes its place, with empty memory."""
        self.note(f"instance {instance.number}", "crashed")
        for invocation in list(instance.invocations):
            invocation.disturbed = True
            self._over(invocation, returned=False)
            if message := invocation.message:
                early = self.random.random() < 0.1
                hidden_s = self.random.uniform(0, 30) if early else self.random.uniform(HIDDEN_S / 2, HIDDEN_S)
                self._deliver_later(message, hidden_s)
        instance.secrets.clear()
        instance.memory = Memory()
        instance.frozen_until = 0.0

    def deploy(self, instance: Instance, release: int) -> None:
        """Start another release of the code on an instance."""
        self.note(f"instance {instance.number}", f"release {release}")
        self.weather.seen[f"release {release} deployed"] += 1
        self.crash(instance)
        instance.release = release

    # --- queues ---

    def send(self, queue: str, body: dict[str, str | int], delay_s: float) -> None:
        """Take a message of the app; it comes when it comes."""
        self.put(queue, orjson.dumps(body), delay_s)

    def put(self, queue: str, body: bytes, delay_s: float = 0.0) -> None:
        """Take a message, whoever sent it."""
        message = Message(queue, body)
        self.messages += 1
        delay_s += self.random.uniform(0.01, 0.5)
        fate = self.weather.on_message(self.clockwork.now)
        if fate:
            self.weather.seen[f"message {fate}"] += 1
            self.note(queue, f"message {fate}")
        match fate:
            case "lost":
                self.messages -= 1
                return
            case "doubled":
                twin = Message(queue, message.body)
                self.messages += 1
                self._deliver_later(twin, self.random.choice((0.0, delay_s, self.random.uniform(0, HIDDEN_S))))
            case "late":
                delay_s += self.random.uniform(1, HIDDEN_S)
            case "poisoned":
                self.clockwork.later(delay_s, lambda: self._poison(message))
                return
            case "acknowledgement_lost":
                self._deliver_later(message, delay_s + self.random.uniform(0, HIDDEN_S))
        self._deliver_later(message, delay_s)

    def _deliver_later(self, message: Message, seconds: float) -> None:
        self.clockwork.later(seconds, lambda: self._deliver(message))

    def _deliver(self, message: Message) -> None:
        if self.storage_down_until > self.clockwork.now:
            return self._deliver_later(message, self.storage_down_until - self.clockwork.now + self.random.random())
        message.attempts += 1
        if message.attempts > MOST_ATTEMPTS:
            return self._poison(message)
        name = f"{message.queue} {message.body.decode(errors='replace')}"
        invocation = self.invoke(name, lambda: self.functions[message.queue](message.body), message)
        self.clockwork.later(HIDDEN_S, lambda: self._appear_again(invocation))
        return None

    def _appear_again(self, invocation: Invocation) -> None:
        """The host hides a message for as long as it works on it; a machine that stands still cannot."""
        if invocation.message and invocation in self.running and invocation.instance.frozen:
            self.note(invocation.name, "message visible again")
            self._deliver_later(invocation.message, 0)

    def _done(self, message: Message) -> None:
        if not message.gone:
            message.gone = True
            self.messages -= 1

    def _failed(self, message: Message) -> None:
        if message.attempts >= MOST_ATTEMPTS:
            self._poison(message)
        else:
            self._deliver_later(message, 0)

    def _poison(self, message: Message) -> None:
        self._done(message)
        name = f"{message.queue}-poison"
        self.note(name, message.body.decode(errors="replace"))
        self.invoke(name, lambda: self.functions[name](message.body))

    # --- timers ---

    def every(self, seconds: float, name: str, step: Step, wanted: Callable[[], bool] = lambda: True) -> None:
        """Fire a timer at each multiple of so many seconds, as long as it is `wanted`."""
        self.clockwork.later(seconds - self.clockwork.now % seconds, lambda: self._fire(seconds, name, step, wanted))

    def _fire(self, seconds: float, name: str, step: Step, wanted: Callable[[], bool]) -> None:
        if not wanted():
            return
        self.clockwork.later(seconds, lambda: self._fire(seconds, name, step, wanted))
        fate = self.weather.on_timer(self.clockwork.now)
        if fate:
            self.weather.seen[f"timer {fate}"] += 1
            self.note(name, f"timer {fate}")
        if fate == "missed":
            return
        if fate == "late":
            self.clockwork.later(self.random.uniform(0, seconds), lambda: self.invoke(name, step))
            return
        for _ in range(2 if fate == "doubled" else 1):
            self.invoke(name, step)
