"""Which hosts may be called: only those of ActiveCampaign accounts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from exporter import errors

HOST_SUFFIXES: Final = ("api-us1.com", "activehosted.com")


def check_host(text: str, suffixes: Sequence[str] = HOST_SUFFIXES) -> str:
    """Return the host of an ActiveCampaign account in lower case: one label before one of the exact suffixes.

    A leading `https://` and one trailing `/` are accepted, since people copy the URL from ActiveCampaign's developer
    settings. Anything else raises `Stop` ("host_refused"): the key and personal data go to this host. No DNS lookup is
    made: behind a proxy, this machine may not be able to. https://developers.activecampaign.com/reference/url
    """
    host = text.lower().removeprefix("https://").removesuffix("/")
    problem = _host_problem(text, host, suffixes)
    if problem:
        hosts = " or ".join(f"<account>.{suffix}" for suffix in suffixes)
        raise errors.Stop.of("host_refused", hosts=hosts, notAHost=problem)
    return host


def _host_problem(text: str, host: str, suffixes: Sequence[str]) -> str | None:
    label, _, suffix = host.partition(".")
    if not text.isascii():
        return "non_ascii"
    if re.search(r"[^!-~]", text):
        return "space"
    for character, name in _NOT_IN_HOSTS:
        if character in host:
            return name
    if suffix not in suffixes:
        return "domain"
    if not re.fullmatch(r"(?!xn--)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", label):
        return "label"
    return None


_NOT_IN_HOSTS: Final = (
    ("://", "scheme"),
    ("@", "user"),
    ("%", "escape"),
    ("\\", "backslash"),
    ("/", "path"),
    ("?", "query"),
    ("#", "fragment"),
    ("[", "address"),
    (":", "port"),
)
