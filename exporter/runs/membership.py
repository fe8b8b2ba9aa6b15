"""The digest of membership: whether two definitions mean the same people on the same list."""

from __future__ import annotations

import hashlib

import orjson

from exporter.definitions.exports import ExportDefinition


def membership(folder: str, host: str, export: ExportDefinition) -> str:
    """Return a digest, 64 hexadecimal digits, of where people are read, which of them, and to which list they go.

    `folder`: where segments are, as `Settings.segment_folder`. `host`: of the account, without which the list's id
    says nothing. What is sent of a person beside the address, and how much is plausible, is not in it.
    """
    consent = export.consent_column.model_dump() if export.consent_column else None
    parts = [folder, sorted(export.segments), export.data_matching.email, consent, host, export.list_id]
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()
