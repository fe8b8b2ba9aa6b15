"""What connections and exports have in common."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from exporter.definitions.connections import Connection
from exporter.definitions.exports import Export
from tests.unit.definitions.members import AUDITED, CONNECTION, EXPORT


@pytest.mark.parametrize("bad", ["", "0" * 64, "Main", "main-", "a b", "../x"])
def test_ids_are_safe_in_the_names_of_blobs(bad: str) -> None:
    with pytest.raises(ValidationError):
        Connection.model_validate(CONNECTION | {"id": bad})
    with pytest.raises(ValidationError):
        Export.model_validate({**EXPORT, **AUDITED, "id": bad})
    assert Export.model_validate({**EXPORT, **AUDITED, "id": "0" * 63}).id == "0" * 63
