"""The sentences that people read, each made from a code, a situation and parameters: the one place of their language.

A page in another language makes its own from the same three. Parameters are numbers, and names of what somebody has
named: segments, columns, fields, options, reason codes. They are never personal data and never a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

type Parameter = str | int | float
type Parameters = Mapping[str, Parameter]


class Situation(StrEnum):
    """What the reader is doing when a sentence is read."""

    PREVIEW = "preview"  # nothing has been started
    ENDED = "ended"  # the run is over


_NOTHING_SENT = {
    Situation.PREVIEW: "A run would send nothing.",
    Situation.ENDED: "Nothing was sent.",
}
SENTENCES: Mapping[str, str] = {
    # What holds a run
    "too_many_contacts": (
        "Expected at most {maxContacts} contacts, found {contacts} in the segments. Raise maxContacts of the "
        "export, or split the segments among several exports."
    ),
    "contact_limit": (
        "Expected room for up to {newContacts} new contacts; the account has {accountContacts} of at most "
        "{contactLimit} contacts, and {known} of the people may be among them already. {nothingSent} Raise the "
        "limit of the account's plan, remove contacts, or set allowOverContactLimit of the export."
    ),
    "no_contact": (
        "Expected contacts, found none in {rowsRead} rows: most often, they are rejected as {reason} ({count}). "
        "{nothingSent} Check the data matching and the consentColumn of the export, and its segments. If nobody has "
        "to be sent, set guards.mayBeEmpty of the export."
    ),
    "segment_empty": (
        "Expected rows, found none: the segment is empty. {nothingSent} Nobody is removed from the list. Check the "
        "segment. To let an empty run succeed, start it with force, or set guards.mayBeEmpty of the export."
    ),
    "too_many_rows_rejected": (
        "Expected at most {maxRejectShare:.1%} of the {rowsRead} rows to be rejected, found {rejected} "
        "({rejectShare:.1%}), most often as {reason} ({count}, {countShare:.1%}). {nothingSent} Check the data "
        "matching of the export, and its segments. If this is intended, start the run with force, or raise "
        "guards.maxRejectShare of the export."
    ),
    "size_changed": (
        "Expected at most {factor:g} times more or fewer rows than the {lastRowsRead} of the last successful run, "
        "found {rowsRead}. {nothingSent} If this is intended, start the run with force, or raise guards.sizeFactor "
        "of the export."
    ),
    # What a run comes to
    "nobody_arrived": (
        "Expected people to arrive on the list; of {contacts} contacts, not one is confirmed, most often as "
        "{reason} ({count}). The reject report names all of them. Look there and at the list in ActiveCampaign, "
        "then start the export again."
    ),
    # Fields and what goes into them
    "yes_without_option": (
        "Expected the field {field} to have one option, or one that is called Yes or is named in yes; it has: "
        "{options}. Name one of them in yes."
    ),
    "when_empty_does_not_fit": (
        "Expected whenEmpty of the column {column} to fit the field {field} ({type}); it does not ({reason}). "
        "Correct it."
    ),
    "field_not_related": (
        "Expected the custom field {field} to be related to list {listId}; it is not, so ActiveCampaign does not "
        "show its values for people who are on no other list. Add the list to the field in ActiveCampaign "
        "(Contacts, Manage fields)."
    ),
    "field_type_unknown": (
        "The custom field {field} has a type that is not known here ({type}): its values are sent as they are. Look "
        "at some of them in ActiveCampaign."
    ),
    "field_options_unknown": (
        "ActiveCampaign names no options of the custom field {field} ({type}): its values are sent as they are. "
        "Look at some of them in ActiveCampaign."
    ),
    "options_changed": (
        "{people} people have a value of the column {column} that was an option of the field {field} at an earlier "
        "run and is none any more: it was renamed or removed in ActiveCampaign. Name the option as before, or "
        "correct the values; until then, they are left out."
    ),
    "values_do_not_fit": (
        "{unfit} of {values} values of the column {column} do not fit {field} ({reasons}). They are left out, and "
        "the people are sent."
    ),
    "column_fits_seldom": (
        "Of {values} values in the first rows of the column {column}, {unfit} do not fit {field} ({reasons}). "
        "Preview the export to see which."
    ),
    "values_change": (
        "So far, the values of the column {column} were sent as they are. From the next run on, they are written as "
        "the field {field} ({type}) takes them, and those that do not fit are left out."
    ),
    # What was cleaned
    "no_value": "Contacts with a text that means no value, such as NULL, N/A or #REF!: {contacts}. It was left out.",
    "trimmed": "Contacts with blanks around a value: {contacts}. They were dropped.",
    "line_breaks": "Contacts with line breaks of another system: {contacts}. They became ordinary ones.",
    "control_characters": "Contacts with control characters: {contacts}. They were dropped.",
    "invisible": "Contacts with characters of no width: {contacts}. They were dropped.",
    "address_cleaned": (
        "Contacts whose address came with more than the address, such as mailto: or a name: {contacts}. It was dropped."
    ),
    "punycode": (
        "Contacts whose address has a domain beyond ASCII: {contacts}. It was sent in its ASCII form (punycode)."
    ),
    "whole_number": "Contacts whose phone number ends with .0, as of a calculation: {contacts}. That was dropped.",
    # Why a value does not fit
    "not_a_date": "The value is no date with a year of four digits.",
    "date_order_unknown": "The date does not tell its day from its month: say which comes first with dateOrder.",
    "placeholder_date": "The date is one that programs write where there is none.",
    "not_an_option": "The value is none of the field's options.",
    "option_gone": (
        "The value was an option of the field at an earlier run; it was renamed or removed in ActiveCampaign since."
    ),
    "option_ambiguous": (
        "The field has several options that differ from the value only in case; write it as one of them."
    ),
    "yes_unknown": "The value says yes or no: say which values mean yes with yes.",
    "not_a_list": "The value is no list in the form that separator states.",
    "separator_in_value": "The value holds ||, which ActiveCampaign reads as a separator.",
    "not_a_number": "The value is no number.",
    "decimal_mark_unknown": (
        "A mark in the number may stand before decimals or between thousands: say which with decimalMark."
    ),
    "damaged_phone": "A spreadsheet has calculated with the phone number, so its digits are lost.",
}
"""By code. `{nothingSent}` says what has not happened, as the situation has it."""


def sentence(code: str, parameters: Parameters, situation: Situation = Situation.ENDED) -> str:
    """Return the sentence of a code. Raises `KeyError` for an unknown code or a missing parameter."""
    return SENTENCES[code].format(**parameters, nothingSent=_NOTHING_SENT[situation])
