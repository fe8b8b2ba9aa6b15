"""Log events, one line of JSON per event: a stable `action`, ids and counts; never personal data or secrets.

Azure Functions drops the `extra` of log records, so the line itself holds the structure; queries read it with
`parse_json(message)`.
"""

from __future__ import annotations

import logging

import orjson

_log = logging.getLogger("exporter")

# At INFO, the SDKs log every request with its URL, which would drown our own events.
for _name in ("azure", "urllib3", "msal"):
    logging.getLogger(_name).setLevel(logging.WARNING)


def event(action: str, *, level: int = logging.INFO, **fields: str | float | None) -> None:
    """Log an event. Field values are ids, codes and counts."""
    _log.log(level, orjson.dumps({"action": action, **fields}).decode())


def defect(error: BaseException, **fields: str | float | None) -> str:
    """Log an unexpected error; return its kind and its place in the code.

    The error's text is left out, because it may contain personal data.
    """
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace else "unknown"
    event("defect", level=logging.ERROR, kind=type(error).__name__, where=where, **fields)
    return f"{type(error).__name__} at {where}"
