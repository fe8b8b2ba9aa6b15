"""AES-CMAC of whole columns of text: a million short texts in a few calls of the cipher.

RFC 4493 (https://www.rfc-editor.org/rfc/rfc4493), with a key of 16 bytes. The n-th blocks of many texts are encrypted
in one call; what comes out is the same as from `cryptography`'s CMAC for one text at a time, which takes long texts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.cmac import CMAC

from exporter.source.formats.text_columns import bounds, content

type Codes = npt.NDArray[np.uint64]
"""Of n texts: shape (n, 2), the 16 bytes of each as two numbers, the first byte the least significant."""
type Numbers = npt.NDArray[np.int64]
KEY_BYTES = 16
_BLOCK_BYTES = 16
_TEXTS_AT_ONCE = 16_384  # so that their blocks stay in the processor's cache
_MOST_BLOCKS = 64  # of a longer text, the blocks of which would be encrypted alone
_BLOCK = np.dtype((np.void, _BLOCK_BYTES))


class Cmac:
    """Computes the codes of texts with one key."""

    def __init__(self, key: bytes) -> None:
        """`key` has `KEY_BYTES`."""
        self._aes = AES(key)
        zero = self._encryptor().update(bytes(_BLOCK_BYTES))
        once = _doubled(zero)
        twice = _doubled(once)
        self._one = CMAC(self._aes)
        # What the last block of a text is combined with, by the number of its bytes: a mark after an unfinished one.
        marks = [bytes(size) + b"\x80" + bytes(_BLOCK_BYTES - 1 - size) for size in range(_BLOCK_BYTES)]
        self._ends = _pairs(b"".join([*(_xor(mark, twice) for mark in marks), once]))

    def of(self, text: bytes) -> bytes:
        """Return the 16 bytes of one text."""
        code = self._one.copy()
        code.update(text)
        return code.finalize()

    def of_column(self, texts: pa.StringArray) -> Codes:
        """Return the codes of all texts; a null counts as empty."""
        codes = np.empty((len(texts), 2), np.uint64)
        encryptor = self._encryptor()
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            part = texts.slice(start, _TEXTS_AT_ONCE)
            codes[start : start + len(part)] = self._of_part(part, encryptor)
        return codes

    def _encryptor(self) -> CipherContext:
        # The bare cipher, for blocks of different texts; CMAC is what chains the blocks of one.
        return Cipher(self._aes, ECB()).encryptor()  # noqa: S305

    def _of_part(self, texts: pa.StringArray, encryptor: CipherContext) -> Codes:
        edges = bounds(texts).astype(np.int64)
        data = np.zeros(edges[-1] - edges[0] + _BLOCK_BYTES, np.uint8)  # so that a block can begin anywhere in it
        data[:-_BLOCK_BYTES] = content(texts)[edges[0] : edges[-1]]
        starts, sizes = edges[:-1] - edges[0], np.diff(edges)
        counts = np.maximum(-(-sizes // _BLOCK_BYTES), 1)  # the empty text has an (empty) block
        order = np.argsort(-counts, kind="stable")  # the longest first: those not yet over are always the first ones
        long = int(np.count_nonzero(counts > _MOST_BLOCKS))
        codes = np.empty((len(texts), 2), np.uint64)
        for row in order[:long].tolist():
            codes[row] = _pairs(self.of(data[starts[row] : starts[row] + sizes[row]].tobytes()))[0]
        order = order[long:]
        codes[order] = self._chained(data, starts[order], sizes[order], counts[order], encryptor)
        return codes

    def _chained(
        self, data: npt.NDArray[np.uint8], starts: Numbers, sizes: Numbers, counts: Numbers, encryptor: CipherContext
    ) -> Codes:
        """Return the codes of texts with fewer and fewer blocks."""
        blocks: npt.NDArray[np.void] = np.ndarray(len(data) - _BLOCK_BYTES + 1, _BLOCK, data, strides=(1,))

        def at(places: Numbers) -> Codes:
            return blocks[places].view(np.uint64).reshape(-1, 2)

        behind = sizes - _BLOCK_BYTES * (counts - 1)  # bytes of the last block
        last = at(starts + sizes - behind) & _KEPT[behind] ^ self._ends[behind]
        codes: Codes = np.zeros((len(starts), 2), np.uint64)
        encrypted = bytearray(codes.nbytes + _BLOCK_BYTES - 1)  # what `update_into` asks for
        begun = len(starts)
        for number in range(int(counts[0]) if begun else 0):
            going = int(np.searchsorted(-counts, -number - 1))  # those with more blocks than this one
            codes[:going] ^= at(starts[:going] + _BLOCK_BYTES * number)
            codes[going:begun] ^= last[going:begun]
            encryptor.update_into(memoryview(codes[:begun]).cast("B"), encrypted)
            codes[:begun] = np.frombuffer(encrypted, np.uint64, 2 * begun).reshape(-1, 2)
            begun = going
        return codes


def _pairs(data: bytes) -> Codes:
    return np.frombuffer(data, np.uint64).reshape(-1, 2)


_KEPT = _pairs(b"".join(b"\xff" * size + bytes(_BLOCK_BYTES - size) for size in range(_BLOCK_BYTES + 1)))
"""The bits of a block that belong to a text, by the number of bytes that do."""


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _doubled(block: bytes) -> bytes:
    """Return a subkey from the one before: RFC 4493, section 2.3."""
    number = int.from_bytes(block) << 1
    number ^= 0x87 if number >> (8 * _BLOCK_BYTES) else 0
    return (number & ((1 << 8 * _BLOCK_BYTES) - 1)).to_bytes(_BLOCK_BYTES)
