"""What an ActiveCampaign account was seen to hold, shared by all runs of the account for a while."""

from __future__ import annotations

import orjson
from pydantic import Field

from exporter.activecampaign.account import AccountLimits, ContactList, CustomField
from exporter.model import Record, Time, Value

LOOKING_S = 60.0
"""After this long, whoever is looking counts as dead."""
LOOK_EVERY_S = 20.0
LOOKS_AT_ONCE = 3
"""So many looks may follow each other at once, then one every `LOOK_EVERY_S`: looking costs turns of the account, at
least four a time, and a hundred exports may end in the same minute."""


class Seen(Value):
    """What an account held: its lists as far as the key's user may see them, its custom fields and its limits."""

    began: Time
    """When the look began: everything was so at that time, or later."""
    lists: tuple[ContactList, ...]
    fields: tuple[CustomField, ...]
    limits: AccountLimits | None = None
    """None if the key is not an administrator's."""


class Look(Record):
    """The newest look at an account with one key, and whether somebody is looking."""

    seen: Seen | None = None
    looking: Time | None = None
    """When somebody began to look, who has not finished."""
    paid_until: Time = Field(default=0.0)
    """Until when the looks so far are paid for, at `LOOK_EVERY_S` each."""

    def to_json(self) -> bytes:
        """Return the bytes to store, with what is None in `seen`: the options of a field are then unknown, not none."""
        members = self.model_dump(mode="json", by_alias=True)
        return orjson.dumps({name: value for name, value in members.items() if value is not None})

    def may_begin_at(self, now: float) -> float:
        """Return when the next look may begin (epoch seconds)."""
        busy_until = self.looking + LOOKING_S if self.looking else 0.0
        return max(now, busy_until, self.paid_until - (LOOKS_AT_ONCE - 1) * LOOK_EVERY_S)

    def begin(self, now: float) -> Look:
        """Return the record of who begins to look now."""
        return self.model_copy(update={"looking": now, "paid_until": max(self.paid_until, now) + LOOK_EVERY_S})

    def end(self, seen: Seen | None) -> Look:
        """Return the record of who has looked, and what was seen; if nothing was, the look counts as none."""
        paid_until = self.paid_until - (0.0 if seen else LOOK_EVERY_S)
        return self.model_copy(update={"looking": None, "seen": seen or self.seen, "paid_until": paid_until})
