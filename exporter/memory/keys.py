"""Keys for hashes, derived from one secret by purpose and generation. No key and no hash tells the secret.

The key of addresses is the same for all exports, so that their memories can be joined. Hashes of different purposes,
or of different generations, have nothing in common.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from exporter.contacts.addresses import key_of
from exporter.memory.cmac import KEY_BYTES, Cmac, Codes
from exporter.memory.hashes import NONE, Addresses, Hashes

SECRET_BYTES: Final = 32
_INSTEAD_OF_NONE = np.uint64(1)  # two values of 2^64 share a hash


class Purpose(StrEnum):
    """What a key is for."""

    ADDRESS = "address"
    VALUE = "value"
    CUSTOMER_ID = "customer id"
    CHECK = "check"


@dataclass(frozen=True)
class PeopleKey:
    """Hashes of one generation of keys. A new generation is asked for by a larger number; the secret stays."""

    secret: bytes
    generation: int = 1

    def __post_init__(self) -> None:
        """Refuse a secret of another size, and a generation below 1, by `ValueError`."""
        if len(self.secret) != SECRET_BYTES:
            raise ValueError(f"people key: expected {SECRET_BYTES} bytes, found {len(self.secret)}")
        if self.generation < 1:
            raise ValueError(f"people key: expected a generation from 1 on, found {self.generation}")

    def __repr__(self) -> str:
        """Name the key without showing the secret."""
        return f"PeopleKey(check={self.check!r}, generation={self.generation})"

    @classmethod
    def of(cls, text: str, generation: int = 1) -> Self:
        """Read a secret as it is kept: base64url of 32 bytes, without padding. Raises `ValueError` for other texts."""
        try:
            secret = base64.b64decode(text.rstrip("=") + "=", altchars=b"-_", validate=True)
        except ValueError:
            raise ValueError(f"people key: expected {SECRET_BYTES} bytes in base64url, found another text") from None
        return cls(secret, generation)

    @cached_property
    def check(self) -> str:
        """What names the key without revealing it: 16 hexadecimal digits, others for each generation."""
        return self._derived(Purpose.CHECK)[:8].hex()

    def addresses(self, addresses: pa.StringArray) -> Addresses:
        """Return the hashes of addresses as they are compared for duplicates: `Checked.addresses`, in lower case.

        Upper case is lowered here too, so that two hashes never differ where two addresses do not.
        """
        codes = self._address.of_column(pc.ascii_lower(addresses))
        return Addresses(codes[:, 0].copy(), (codes[:, 1] & np.uint64(0xFFFFFFFF)).astype(np.uint32))

    def address(self, text: str) -> Addresses:
        """Return the hash of one address as somebody writes it."""
        return self.addresses(pa.array([key_of(text)], pa.string()))

    def values(self, texts: pa.StringArray) -> Hashes:
        """Return the hashes of what is sent of each person: the contact's text, with its address and `contact_tail`."""
        return _short(self._value.of_column(texts))

    def customer_ids(self, ids: pa.StringArray) -> Hashes:
        """Return the hashes of customer ids, byte for byte; `NONE` for a null and for an empty one."""
        empty = pc.equal(pc.fill_null(pc.binary_length(ids), 0), 0).to_numpy(zero_copy_only=False)
        return np.where(empty, NONE, _short(self._customer_id.of_column(ids)))

    @cached_property
    def _address(self) -> Cmac:
        return Cmac(self._derived(Purpose.ADDRESS))

    @cached_property
    def _value(self) -> Cmac:
        return Cmac(self._derived(Purpose.VALUE))

    @cached_property
    def _customer_id(self) -> Cmac:
        return Cmac(self._derived(Purpose.CUSTOMER_ID))

    def _derived(self, purpose: Purpose) -> bytes:
        what = f"{purpose} {self.generation}".encode()
        return hashlib.blake2b(what, key=self.secret, person=b"people key", digest_size=KEY_BYTES).digest()


def _short(codes: Codes) -> Hashes:
    """Return the first eight bytes of each, never `NONE`."""
    return np.where(codes[:, 0] == NONE, _INSTEAD_OF_NONE, codes[:, 0])
