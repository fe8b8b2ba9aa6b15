"""Why there is no memory to go by, so that everybody is sent."""

from __future__ import annotations

from enum import StrEnum


class Lack(StrEnum):
    """Why an export knows nobody. Only after the first of these is sending everybody no surprise."""

    FIRST_RUN = "first_run"
    """The export never had a memory: a baseline."""
    LOST = "lost"
    """There was one; its blob is gone."""
    OF_ANOTHER_RUN = "of_another_run"
    """It is not of the last run that sent: a release was rolled back, or storage restored."""
    OTHER_DESTINATION = "other_destination"
    """It is of another account or list."""
    NO_KEY = "no_key"
    """The people key is gone, so nobody in it can be found."""
    OTHER_KEY = "other_key"
    """It was written with another people key, or with a generation of it that is not known."""
    NO_MEMORY = "no_memory"
    """The bytes are something else."""
    UNKNOWN_VERSION = "unknown_version"
    """It has a format that this release does not read."""
    TRUNCATED = "truncated"
    """Bytes are missing at the end."""
    DAMAGED = "damaged"
    """The bytes are not those that were written, or mean nothing."""
    UNSORTED = "unsorted"
    """People are not in the order of their addresses."""
    DOUBLES = "doubles"
    """An address is in it twice."""


class Unreadable(Exception):
    """A memory that cannot be read: `lack` names why; the message says what was expected and what was found."""

    def __init__(self, lack: Lack, expected: str, found: str) -> None:
        """Keep the parts; neither `expected` nor `found` may hold personal data or a secret."""
        super().__init__(f"memory: expected {expected}, found {found}")
        self.lack = lack
        self.expected = expected
        self.found = found
