"""Where sources disagree or are silent, and what a test may want otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self, get_args, get_origin

from sandbox.activecampaign.limits import Counting


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """How the account behaves. Each default is the likeliest reading, or the stricter one where nothing is known."""

    bad_key: Literal["forbidden", "login_page"] = "forbidden"  # 403 with JSON, or 200 with a page for people

    counting: Counting = "sliding"
    imports_per_minute: int = 100
    single_imports_per_minute: int = 20
    requests_per_second: int = 5
    imports_count_as_requests: bool = True  # whether an import counts in the rate per second too
    other_share: float = 0.0  # of every rate, used by another integration; 0 to 1
    retry_after: Literal["seconds", "http_date", "absent", "absurd", "negative"] = "seconds"  # on a 429
    retry_after_s: int = 30

    success_spelling: Literal["success", "Success"] = "success"  # recorded, documented
    index_base: Literal[0, 1] = 1  # of `contact` in failureReasons
    typographic_quotes: bool = False  # in failureReason
    exclude_automations_at: Literal["top", "contact", "either"] = "either"  # where the member is honored

    status_delay_s: float = 1.0  # so long `status` is false
    processing_base_s: float = 5.0
    processing_per_contact_s: float = 0.008
    unknown_import: Literal["status_false", "not_found"] = "status_false"
    success_lists: Literal["created", "created_and_updated"] = "created"
    failure_case: Literal["as_sent", "lower"] = "as_sent"
    # Who left the list: skipped and told; skipped; skipped and not even queued; updated, but not subscribed.
    unsubscribed: Literal["failure", "silent", "not_queued", "update"] = "failure"
    excluded: Literal["failure", "queued", "silent"] = "failure"  # not queued, and told; queued and told; neither
    over_contact_limit: Literal["failure", "accept"] = "failure"
    unknown_list: Literal["ignore", "failure", "refuse"] = "ignore"  # the contact fails in the import, or in the POST
    unknown_field: Literal["ignore", "failure", "refuse"] = "ignore"
    empty_text: Literal["erase", "keep"] = "erase"  # what an empty value of a custom field does
    unfit_values: Literal["drop", "refuse", "store"] = "drop"  # dropped without a word; the contact fails; kept as sent

    contact_filters: Literal["heeded", "ignored"] = "heeded"  # of GET contacts; ignored, everybody comes back
    includes: Literal["all", "lists", "ignored"] = "all"  # of GET contacts: what `include` may name

    # How GET fields ties options and relations to fields: each names its field, fields name the ids of theirs, both,
    # or there are none beside the fields.
    fields_tell: Literal["both", "by_field", "by_ids", "nothing"] = "both"

    def changed(self, values: Mapping[str, Any]) -> Self:
        """Return a copy with `values`. Raises ValueError for an unknown name, or a value not of the switch."""
        kinds = {each.name: each.type for each in fields(self)}
        for name, value in values.items():
            if name not in kinds:
                raise ValueError(f"expected a switch ({', '.join(kinds)}), found {name!r}")
            if not _fits(value, kinds[name]):
                raise ValueError(f"expected {kinds[name]} for switch {name}, found {value!r}")
        return replace(self, **values)


def _fits(value: object, kind: object) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, int | float if kind is float else int) and value >= 0
