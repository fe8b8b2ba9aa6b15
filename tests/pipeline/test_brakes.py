"""What holds a run before anything is sent."""

from __future__ import annotations

import pytest

from exporter.errors import Stop
from exporter.pipeline.brakes import check_size


@pytest.mark.parametrize(
    ("rows", "last", "code"), [(0, None, "segment_empty"), (9, 100, "size_changed"), (1_001, 100, "size_changed")]
)
def test_an_implausible_size_is_held(rows: int, last: int | None, code: str) -> None:
    with pytest.raises(Stop) as caught:
        check_size(rows, last, 10)
    assert caught.value.code == code


@pytest.mark.parametrize(("rows", "last"), [(1, None), (10, 100), (1_000, 100)])
def test_a_plausible_size_passes(rows: int, last: int | None) -> None:
    check_size(rows, last, 10)
