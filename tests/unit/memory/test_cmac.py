"""Codes of columns: the published examples, and whatever the library says of one text at a time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import strategies as st

from exporter.memory.cmac import Cmac

# https://www.rfc-editor.org/rfc/rfc4493#section-4
KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
MESSAGE = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
EXAMPLES = {
    0: "bb1d6929e95937287fa37d129b756746",
    16: "070a16b46b4d4144f79bdd9dd04a287c",
    40: "dfa66747de9ae63030ca32611497c827",
    64: "51f0bebf7e3b9d92fc49741779363cfe",
}
TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from([0, 1, 15, 16, 17, 31, 32, 33, 1_023, 1_024, 1_025, 5_000]).map(lambda size: "x" * size),
)


def column(texts: list[bytes]) -> pa.StringArray:
    return pa.array(texts, pa.binary()).view(pa.string())  # bytes of the examples that are no text


@pytest.mark.parametrize("size", EXAMPLES)
def test_the_published_examples(size: int) -> None:
    cmac = Cmac(KEY)

    assert cmac.of(MESSAGE[:size]).hex() == EXAMPLES[size]
    assert cmac.of_column(column([MESSAGE[:size]])).tobytes().hex() == EXAMPLES[size]


@given(st.lists(TEXTS, max_size=40), st.integers(0, 3), st.binary(min_size=16, max_size=16))
def test_a_column_has_the_codes_that_the_library_gives_each_of_its_texts(
    texts: list[str], skipped: int, key: bytes
) -> None:
    codes = Cmac(key).of_column(pa.array(texts, pa.string()).slice(skipped))

    assert [row.tobytes() for row in codes] == [one(key, text.encode()) for text in texts[skipped:]]


def test_more_texts_than_are_taken_at_once_and_nulls() -> None:
    texts = [None if number % 7 == 0 else f"{number}" * (number % 9) for number in range(40_000)]
    codes = Cmac(KEY).of_column(pa.array(texts, pa.string()))

    for number in (0, 1, 16_383, 16_384, 16_385, 39_999):
        assert codes[number].tobytes() == one(KEY, (texts[number] or "").encode())
    assert len(np.unique(codes[:, 0])) == len(set(texts) - {None} | {""})


def one(key: bytes, text: bytes) -> bytes:
    code = CMAC(AES(key))
    code.update(text)
    return code.finalize()
