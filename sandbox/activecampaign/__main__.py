"""Serve an account from a process of its own: `python -m sandbox.activecampaign --port 8181 --key demo-key`."""

import argparse
import contextlib
import threading

from sandbox.activecampaign import Account, serve

parser = argparse.ArgumentParser(prog="python -m sandbox.activecampaign", description=__doc__)
parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
parser.add_argument("--key", default="demo-key", help="the account's API key")
options = parser.parse_args()

with serve(Account(options.key), options.port) as server:
    print(server.url, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
