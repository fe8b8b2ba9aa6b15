"""Child processes that never outlive their parent."""

import contextlib
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path


class SandboxError(Exception):
    """The sandbox cannot start or go on. The text says what was looked for, where, and what to do."""


class Child:
    """A child process in a session of its own: Ctrl-C reaches only the parent, which then stops its children in order.

    Its standard input is a pipe that the parent never writes to: a child that watches it ends even when the parent was
    killed. Standard error goes to the file `log`; standard output is read line by line with `next_line`.
    """

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str], folder: Path, log: Path) -> None:
        """Start the process in `folder` with this environment and nothing else."""
        self.log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def next_line(self, what: str, patience_s: float = 120.0) -> str:
        """Wait for the next line on standard output.

        :raises SandboxError: the process ended instead, or was ended after `patience_s` of silence; the text has its
            exit code and the end of its log.
        """
        alarm = threading.Timer(patience_s, self._process.kill)
        alarm.start()
        line = self._process.stdout.readline() if self._process.stdout else ""
        alarm.cancel()
        if not line:
            self._wait(patience_s=3.0)
            self.kill()
            tail = self.log.read_text(errors="replace")[-4000:]
            expected = f"expected {what} to start within {patience_s:.0f} s"
            raise SandboxError(f"{expected}, found that it ended with exit code {self._process.returncode}:\n{tail}")
        return line

    def stop(self, patience_s: float = 3.0) -> None:
        """Ask the process to end (SIGTERM); after `patience_s` end it."""
        self._process.terminate()
        self._wait(patience_s)
        self.kill()

    def kill(self) -> None:
        """End the process at once (SIGKILL). Nothing in it gets a chance to clean up."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _wait(self, patience_s: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience_s)
