# ruff: noqa: T201 - part of a command that prints
"""Each mutant meets the tests in a process of its own, forked from one that has everything loaded and collected.

So a mutant costs the time of the tests that call the changed function, and no start of Python, pytest and Arrow.
"""

from __future__ import annotations

import gc
import importlib
import importlib.abc
import importlib.util
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase, settings

from tests.mutants.mutate import Mutant

ROOT = Path(__file__).parents[2]
PYTEST = [
    *("-q", "-x", "-s", "--tb=native", "-p", "no:cacheprovider"),  # other tracebacks take longer than most tests
    *("-p", "pytest_timeout", "-p", "_hypothesis_pytestplugin", "--hypothesis-profile=mutants"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # hypothesis is there before pytest
]
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # those of other packages take seconds
# Nothing is kept and nothing is made small: a mutant that fails once has failed.
settings.register_profile(
    "mutants",
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)

MOST_MEMORY_BYTES = 4 << 30
MOST_START_S = 20.0
MOST_WALL_S = 600
"""For a mutant that waits forever; one that runs forever is ended by its processor time."""


class Limits:
    """A plugin of pytest: a test that takes much more processor time than usual ends the process."""

    def __init__(self) -> None:
        """Begin without knowing how long the tests take."""
        self.usual_s: dict[str, float] = {}

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Set the limit of a test."""
        if item.nodeid in self.usual_s:
            signal.setitimer(signal.ITIMER_PROF, 2 + 5 * self.usual_s[item.nodeid])


class Trials:
    """A plugin of pytest: when the tests of a module have passed, each of its mutants has to make one of them fail."""

    def __init__(self, name: str, tests: Sequence[str], mutants: Sequence[Mutant]) -> None:
        """`name` is that of the module, `tests` are the files of its tests."""
        self._name = name
        self._tests = tests
        self._mutants = mutants
        self.limits = Limits()
        self.survivors: list[Mutant] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try all mutants. Raises `pytest.UsageError` when a test fails without one."""
        module = importlib.import_module(self._name)  # some load with their first use
        called, usual_s = _first_run(session.items, str(module.__file__))
        self.limits.usual_s = usual_s
        gc.freeze()  # so that a child does not copy our memory by looking for garbage in it
        for mutant in self._mutants:
            items = [item for item in session.items if mutant.function and mutant.place in called[item.nodeid]]
            if items:
                items.sort(key=lambda item: usual_s[item.nodeid])
                survived = _passes(partial(_run_changed_function, module, mutant, items))
            else:  # or it runs when the module is imported
                survived = _passes(partial(self._run_afresh, mutant))
            if survived:
                self.survivors.append(mutant)
                print(f"survived: {self._name} {mutant.place}: {mutant.change}", flush=True)
        return True

    def _run_afresh(self, mutant: Mutant) -> bool:
        """Import everything of ours again, with this mutant in it."""
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None) or ""
            if file.startswith((f"{ROOT}/exporter/", f"{ROOT}/tests/")) and "tests/mutants" not in file:
                del sys.modules[name]
        sys.meta_path.insert(0, _Finder(self._name, mutant.source))
        return pytest.main([*PYTEST, *self._tests], plugins=[self.limits]) is pytest.ExitCode.OK


class _Finder(importlib.abc.MetaPathFinder):
    """Finds one module, with a source of our choice."""

    def __init__(self, name: str, source: str) -> None:
        self._name = name
        self._source = source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, _Loader(self._source)) if fullname == self._name else None


class _Loader(importlib.abc.InspectLoader):
    def __init__(self, source: str) -> None:
        self._source = source

    def get_source(self, fullname: str) -> str:
        return self._source


def _first_run(items: list[pytest.Item], file: str) -> tuple[dict[str, set[str]], dict[str, float]]:
    """Run the tests without a mutant: which functions of the file they call, and how long they take."""
    called: dict[str, set[str]] = {}
    seconds: dict[str, float] = {}
    names: set[str] = set()

    def note(code: CodeType, _offset: int) -> object:
        if code.co_filename == file:
            names.add(code.co_qualname.partition(".<locals>")[0])
        return sys.monitoring.DISABLE

    tool = sys.monitoring.PROFILER_ID
    sys.monitoring.use_tool_id(tool, "mutants")
    sys.monitoring.register_callback(tool, sys.monitoring.events.PY_START, note)
    sys.monitoring.set_events(tool, sys.monitoring.events.PY_START)
    for item in items:
        names.clear()
        sys.monitoring.restart_events()
        start = time.process_time()
        if not _all_pass([item]):
            raise pytest.UsageError(f"expected tests that pass, found that {item.nodeid} fails without a mutant")
        called[item.nodeid], seconds[item.nodeid] = set(names), time.process_time() - start
    sys.monitoring.set_events(tool, 0)
    sys.monitoring.free_tool_id(tool)
    return called, seconds


def _all_pass(items: Sequence[pytest.Item]) -> bool:
    return not any(report.failed for item in items for report in runtestprotocol(item, log=False, nextitem=None))


def _passes(run: Callable[[], bool]) -> bool:
    """Whether something returns True in a process of its own."""
    sys.stdout.flush()
    if child := os.fork():
        return os.waitpid(child, 0)[1] == 0
    passed = False
    try:
        signal.alarm(MOST_WALL_S)
        signal.setitimer(signal.ITIMER_PROF, MOST_START_S)
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        passed = run()
    finally:
        os._exit(not passed)


def _run_changed_function(module: ModuleType, mutant: Mutant, items: Sequence[pytest.Item]) -> bool:
    """Run tests with the function's code replaced where it is, whoever has imported it."""
    found: object = module
    for part in mutant.place.split("."):
        found = vars(found)[part]
    function = found.fget if isinstance(found, property) else getattr(found, "__func__", found)
    function = getattr(function, "__wrapped__", function)
    assert isinstance(function, FunctionType)
    code = _code(compile(mutant.source, function.__code__.co_filename, "exec"), mutant.place)
    assert code is not None
    function.__code__ = code
    return _all_pass(items)


def _code(code: CodeType, qualname: str) -> CodeType | None:
    if code.co_qualname == qualname:
        return code
    inner = (_code(constant, qualname) for constant in code.co_consts if isinstance(constant, CodeType))
    return next(filter(None, inner), None)
