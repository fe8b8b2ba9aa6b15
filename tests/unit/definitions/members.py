"""A connection and an export as they are stored."""

from __future__ import annotations

AUDITED = {"createdBy": "ada", "createdUtc": "2026-11-18T11:06:40.000Z", "updatedBy": "bob", "updatedUtc": "2026-11-19T11:06:40.000Z"}  # fmt: skip # noqa: E501
EXPORT = {
    "displayName": "Newsletter",
    "listId": 7,
    "segments": ["people"],
    "dataMatching": {"email": "EMail"},
}
CONNECTION = {
    **AUDITED,
    "id": "main",
    "displayName": "Main account",
    "host": "acme.api-us1.com",
    "secretName": "connection-main",
    "consent": {"agreedBy": "ada", "agreedUtc": "2026-11-18T11:06:40.000Z"},
}
