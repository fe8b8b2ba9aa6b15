"""One line of JSON an event: a stable `action`, ids and counts. Never personal data, never a secret.

Azure Functions drops the `extra` of log records, so the line itself is the structure; queries read it with
`parse_json(message)`.
"""

from __future__ import annotations

import logging

import orjson

_log = logging.getLogger("exporter")

# The SDKs write every request with its URL at INFO; ours is the log that is to be read.
for _name in ("azure", "urllib3", "msal"):
    logging.getLogger(_name).setLevel(logging.WARNING)


def event(action: str, *, level: int = logging.INFO, **fields: str | float | None) -> None:
    """Write one event. Field values are ids, codes and counts."""
    _log.log(level, orjson.dumps({"action": action, **fields}).decode())


def defect(error: BaseException, **fields: str | float | None) -> str:
    """Write that something went wrong that nobody foresaw; return its kind and its place in the code.

    The text of the error is left out: it may hold data.
    """
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace else "unknown"
    event("defect", level=logging.ERROR, kind=type(error).__name__, where=where, **fields)
    return f"{type(error).__name__} at {where}"
