"""The export resource: which segments go to which list, and how columns become contact fields."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, computed_field, model_validator

from exporter.definitions.resources import ID_PATTERN, CellText, DisplayName, TimeZone, Versioned
from exporter.definitions.schedules import OnDemand, Schedule
from exporter.model import Time, Value

MAX_CONTACTS = 1_000_000
"""Contacts per export, as in the connector of Customer Insights: its page names 1 million."""
SegmentName = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]+$")]


def _each_once(segments: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(segments)) < len(segments):
        raise ValueError("each segment must be named only once")
    return segments


class WhenEmpty(Value):
    """What is sent where a column holds nothing: give one of the two."""

    text: CellText | None = None
    """A value that fits the field, such as one of its options."""
    clear: bool = False
    """True: an empty text, which erases what is in ActiveCampaign. Only a run for a few people (`only`) does so until
    one of them who had a value was read back without it."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.text is None) is not self.clear:
            raise ValueError("give a text, or clear: true")
        return self


def _separator(text: str) -> str:
    if any(character.isalnum() for character in text) and text != "json":
        raise ValueError("expected punctuation, a blank or json")
    return text


class FieldMatch(Value):
    """Another column and the custom field that it fills.

    ActiveCampaign knows the field's type and options; the further members say what nobody can know from a value alone.
    """

    column: CellText
    """The column's name in the segment."""
    field: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_%]+$")
    """The field's numeric id or its personalization tag; percent signs around it are ignored."""
    date_order: Literal["dmy", "mdy"] | None = None
    """For dates such as `5/3/1980`: whether the day (`dmy`) or the month (`mdy`) comes first. Without it, such dates do
    not fit. Dates that begin with the year, or name the month in English, need none."""
    decimal_mark: Literal[".", ","] | None = None
    """For numbers such as `1,234`: what stands before the decimals. Without it, a number that may be read in two ways
    does not fit."""
    separator: Annotated[str, StringConstraints(min_length=1, max_length=4), AfterValidator(_separator)] = ";"
    """For fields of several values: what stands between them, or `json` for lists such as `["Coffee", "Tea"]`. Values
    that are written as in ActiveCampaign, `||Coffee||Tea||`, are understood anyway."""
    yes: tuple[CellText, ...] = Field(default=(), max_length=20)
    """For fields with options: the values that mean yes, such as `true` or `1`, whatever their case. They become the
    field's only option, or the one that is called Yes or is named here. Values such as `false` then mean no."""
    on_bad_value: Literal["leaveOut", "rejectRow"] = "leaveOut"
    """What a value costs that does not fit the field: `leaveOut`, this one value; `rejectRow`, the row."""
    when_empty: WhenEmpty | None = None
    """What is sent where the column holds nothing. Without it, what is in ActiveCampaign stays."""


class Winner(Value):
    """Which of several rows with one address is sent: the one with the largest value in this column."""

    column: CellText
    """A column of dates and times as ISO 8601 writes them (without a time zone, in UTC) or of numbers. A row that holds
    neither loses. Where values are equal, the first row wins."""


class DataMatching(Value):
    """Which column holds what. The e-mail column is required, as in Customer Insights."""

    email: CellText
    """The column with the e-mail address."""
    first_name: CellText | None = None
    """The column with the first name."""
    last_name: CellText | None = None
    """The column with the last name."""
    phone: CellText | None = None
    """The column with the phone number."""
    fields: tuple[FieldMatch, ...] = Field(default=(), max_length=50)
    """More columns, and the custom fields that they fill."""
    winner: Winner | None = None
    """Which of several rows with one address is sent. Without it, the first: in the order of `segments`, then the
    newest file, then the order of its rows."""
    fill_empty: bool = False
    """Whether names, phone and fields that are empty in the row that is sent come from the other rows with its address:
    from the first of them that can be sent and has a value."""
    time_zone: TimeZone = "UTC"
    """The zone of times that name none, as in the IANA time zone database: `Europe/Amsterdam`. A time with a zone of
    its own keeps it, and gives the day as it is written."""
    no_value_texts: bool = True
    """Whether texts such as `NULL`, `\\N`, `N/A`, `None` or `#REF!` mean that there is no value. Turn it off for people
    who are called Null."""


class ConsentColumn(Value):
    """Only people who agreed are exported.

    One row that says no holds back all rows with its address, in all segments; they are reported as `no_consent`.
    """

    column: CellText
    """The column's name in the segment."""
    condition: Literal["equals", "isNot", "isEmpty"] = "equals"
    """When a row says yes: if its cell `equals` the value, if it holds anything else (`isNot`; an empty cell is a yes),
    or if it `isEmpty` (a text that means no value, such as `NULL`, counts as empty)."""
    value: CellText | None = None
    """What the cell is compared with; case, outer blanks and what nobody sees are ignored. `isEmpty` takes none, the
    other conditions require it."""

    @model_validator(mode="after")
    def _value_where_it_is_compared(self) -> Self:
        if (self.value is None) is not (self.condition == "isEmpty"):
            raise ValueError("equals and isNot take a value; isEmpty takes none")
        return self


class CompleteWhen(Value):
    """What tells that a segment is complete, instead of the app's own quiet time. Give one of the two."""

    marker: str | None = Field(default=None, min_length=1, max_length=128, pattern=r"^[^/\x00-\x1f\x7f]+$")
    """A file beside those of the segment that is written last, such as "_SUCCESS": the segment is complete when it is
    there and newer than they are."""
    minutes: int | None = Field(default=None, ge=1, le=1440)
    """So many minutes without a write."""

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Self:
        if (self.marker is None) is (self.minutes is None):
            raise ValueError("give either marker or minutes")
        return self


class Guards(Value):
    """What a run of this export may come to without being held, until somebody approves it, before anything is sent."""

    may_be_empty: bool = False
    """Let a run succeed whose segments are empty, or hold nobody who can be sent."""
    size_factor: float | None = Field(default=None, ge=1, le=1_000_000)
    """How many times more or fewer rows than in the last successful run are plausible. Without it, the app's setting
    `SIZE_CHANGE_FACTOR` counts. Not compared if that run read fewer than 100 rows."""
    max_reject_share: float = Field(default=0.5, ge=0, le=1)
    """The share of the rows that may be rejected; with `1`, all of them may be. Duplicates and rows without consent are
    not counted as rejected, and fewer than 20 rejected rows hold no run."""


Ignored = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]


class ExportDefinition(Value):
    """What a person decides about an export."""

    display_name: DisplayName
    """A name for people: one line, no surrounding blanks."""
    connection_id: str | None = Field(default=None, pattern=ID_PATTERN)
    """The id of the connection. Without one, the export keeps its definition but does not run."""
    list_id: int = Field(ge=1, le=2**31 - 1)
    """The id of the ActiveCampaign list, which has to be an e-mail list."""
    segments: Annotated[tuple[SegmentName, ...], AfterValidator(_each_once)] = Field(min_length=1, max_length=20)
    """Their union is exported, distinct by e-mail address: the first row of an address counts, in this order, unless
    the data matching names a `winner`."""
    files: Literal["all", "newest"] | None = None
    """Which files of a folder are the segment, where their names differ only in a date or time: `newest`, if each of
    them holds everybody, or `all` together. Without it, such a folder is refused, and of others all files are read. In
    a folder without dates in its names, `newest` is the one file that was written last."""
    ignore: tuple[Ignored, ...] = Field(default=(), max_length=20)
    """Files to leave out, as patterns with `*` and `?` for the name or the path, in whatever case."""
    complete_when: CompleteWhen | None = None
    """What tells that a segment is complete. Without it, the app's quiet time does."""
    encoding: str | None = Field(default=None, min_length=1, max_length=32, pattern=r"^[A-Za-z0-9_.:-]+$")
    """The encoding of the segments' files of text, such as `windows-1252`. Without it, UTF-8, or UTF-16 where a file
    shows that; a file with a byte order mark is read as that says. What a `model.json` states wins."""
    data_matching: DataMatching
    """Which column fills which member of a contact."""
    schedule: Schedule | None = None
    """When it runs by itself: `{"kind": "withEveryRefresh"}`, at times of day
    (`{"kind": "cron", "cron": "0 6 * * 1-5", "timeZone": "Europe/Amsterdam"}`), or never (`{"kind": "none"}`). Without
    it, a new export runs with every refresh, and one that is there keeps its schedule."""
    run_automations: bool = False
    """Whether the import may start ActiveCampaign automations. Off by default: an import of a million people must not
    send mail to a million people."""
    consent_column: ConsentColumn | None = None
    """Export only people who agreed, according to a column of the segment. Without it, every row is exported."""
    max_contacts: int = Field(default=MAX_CONTACTS, ge=1, le=MAX_CONTACTS)
    """A run with more contacts than this fails before anything is sent."""
    allow_over_contact_limit: bool = False
    """Run even if the account could exceed the contact limit of its plan."""
    guards: Guards = Guards()
    """What a run may come to without being held."""
    skip_unchanged: bool = True
    """Skip a scheduled run, or one of run all, if neither the segments nor what their fields take has changed since the
    last run that left nobody unconfirmed and brought somebody."""

    @property
    def runs_by_itself(self) -> bool:
        """Whether it has a schedule."""
        return self.schedule is not None and not isinstance(self.schedule, OnDemand)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of all columns that the export reads."""
        matching = self.data_matching
        named = (matching.email, matching.first_name, matching.last_name, matching.phone)
        fields = (field.column for field in matching.fields)
        consent = self.consent_column.column if self.consent_column else None
        winner = matching.winner.column if matching.winner else None
        return tuple(name for name in (*named, *fields, consent, winner) if name is not None)


class Seen(Value):
    """What counts as exported: saving an export runs nothing, so the schedule begins with what comes after."""

    at: Time
    """When the schedule, the segments, the connection or a pause was changed last; times before are not made up for."""
    refresh: str | None = None
    """The complete refresh that lay there then, as `sources.digest` names it; None if there was none."""
    refreshed_utc: Time | None = None
    """When that was written."""
    exported: bool = False
    """Whether a run had sent exactly that."""


def with_schedule(stored: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return an export, or the copy in a run, as it is stored now, from before exports had schedules of their own."""
    if isinstance(stored, dict) and "scheduled" in stored and "schedule" not in stored:
        return stored | {"schedule": {"kind": "cron" if stored["scheduled"] else "none"}}
    return stored


class Export(Versioned, ExportDefinition):
    """An export as it is stored."""

    id: str = Field(pattern=ID_PATTERN)
    seen: Seen | None = None
    """None in what a former release stored."""

    @model_validator(mode="before")
    @classmethod
    def _of_a_former_release(cls, stored: Any) -> Any:  # noqa: ANN401 - any JSON
        return with_schedule(stored)

    @computed_field  # type: ignore[prop-decorator] # as pydantic writes it, which mypy does not know
    @property
    def scheduled(self) -> bool:
        """What a release from before schedules and pauses goes by, until it is replaced or if it is deployed again."""
        return self.runs_by_itself and self.paused is None
