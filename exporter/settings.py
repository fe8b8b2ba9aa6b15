"""Every setting of the app: its name, unit, default and the reason for the default.

`Settings.from_environ(os.environ)` reports all problems at once. Names with `__` follow the convention of Azure
Functions for identity-based connections, because the queue triggers read the same settings.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from exporter.errors import Stop

_CRON_VALUE = r"(\*|([0-9]+|[A-Za-z]{3})(-([0-9]+|[A-Za-z]{3}))?)(/[0-9]+)?"
_CRON_FIELD = rf"{_CRON_VALUE}(,{_CRON_VALUE})*"


def _https_origin(value: str) -> str:
    value = value.rstrip("/")
    if not re.fullmatch(r"https://[a-z0-9.-]+", value):
        raise ValueError("must be https://<host> without a path")
    return value


def _endpoint(kind: str) -> Callable[[str], str]:
    """Return a check that an address is not that of another service of a storage account."""

    def check(value: str) -> str:
        other = re.fullmatch(r"https://[^.]+\.(blob|dfs|file|queue|table|web)\..+", value)
        if other and other[1] != kind:
            raise ValueError(
                f"must be the {kind} endpoint of the account, found its {other[1]} endpoint: write .{kind}. instead of"
                f" .{other[1]}."
            )
        return value

    return check


def _ncrontab(value: str) -> str:
    """Check a schedule as the Functions host will read it: it cannot index a function whose schedule is invalid."""
    if not re.fullmatch(rf"{_CRON_FIELD}( {_CRON_FIELD}){{5}}", value):
        raise ValueError("must have six fields: second minute hour day month day-of-week (NCRONTAB, UTC)")
    if re.search(r"(?<![0-9/])7(?![0-9])", value.split()[5]):
        raise ValueError("must name Sunday as 0 or SUN: NCRONTAB has no day 7")

    from croniter import croniter  # noqa: PLC0415 - slow to import, and useless where a test makes the settings

    try:
        # Unlike in Unix, the day of the month and the day of the week have to match both.
        croniter(value, 0.0, second_at_beginning=True, day_or=False).get_next()
    except ValueError:
        raise ValueError(
            "must hold valid values: seconds and minutes 0-59, hours 0-23, days 1-31, months 1-12, days of the"
            " week 0-6, and a date that occurs (NCRONTAB, UTC)"
        ) from None
    return value


def _suffixes(value: str) -> str:
    for suffix in filter(None, value.split(",")):
        if not re.fullmatch(r"([0-9-]*[a-z][a-z0-9-]*\.)+[a-z]{2,}", suffix):
            raise ValueError(
                "must be host suffixes such as api-eu1.com, separated by commas: no spaces, wildcards or addresses"
            )
        if re.fullmatch(_SHARED_SUFFIX, suffix):
            raise ValueError("must be host suffixes of one owner: below this one, anybody can have a host")
    return value


def _origins(value: str) -> str:
    for origin in filter(None, value.split(",")):
        if not re.fullmatch(r"https://[a-z0-9.-]+(:[0-9]+)?|http://127\.0\.0\.1:[0-9]+", origin):
            raise ValueError(
                "must be https://<host>, in lower case, separated by commas: no spaces and no paths; http:// on this"
                " machine only, as http://127.0.0.1:<port>"
            )
    return value


_SHARED_SUFFIX = (
    r"(co|com|net|org|gov|edu|ac)\.[a-z]{2}"
    r"|(.+\.)?(windows\.net|azure\.com|azurewebsites\.net|azurefd\.net|azureedge\.net|trafficmanager\.net|cloudapp\.net"
    r"|amazonaws\.com|cloudfront\.net|appspot\.com|run\.app|web\.app|github\.io|herokuapp\.com|netlify\.app|vercel\.app"
    r"|pages\.dev|workers\.dev|ngrok\.io|ngrok\.app)"
)
"""Suffixes below which strangers get names; not all of them, only what somebody might enter by mistake."""


HttpsOrigin = Annotated[str, AfterValidator(_https_origin)]
BlobEndpoint = Annotated[HttpsOrigin, AfterValidator(_endpoint("blob"))]
QueueEndpoint = Annotated[HttpsOrigin, AfterValidator(_endpoint("queue"))]
Ncrontab = Annotated[str, AfterValidator(_ncrontab)]


class Settings(BaseModel):
    """The settings, checked. Each field's `alias` is the name of the app setting."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_by_name=True)

    export_blob_uri: BlobEndpoint = Field(
        alias="ExportStorage__blobServiceUri",
        description="Blob endpoint of the app's own storage account: records, working copies, reject reports.",
    )
    export_queue_uri: QueueEndpoint = Field(
        alias="ExportStorage__queueServiceUri",
        description="Queue endpoint of the app's own storage account; the queue triggers read it too.",
    )
    segment_blob_uri: BlobEndpoint = Field(
        alias="SegmentStorage__blobServiceUri",
        description="Blob endpoint of the account where segments land. The app only reads there.",
    )
    segment_container: str = Field(
        alias="SEGMENT_CONTAINER",
        pattern=r"^[a-z0-9](-?[a-z0-9]){2,62}$",
        description="Container where segments land.",
    )
    segment_prefix: str = Field(
        default="",
        alias="SEGMENT_PREFIX",
        max_length=512,
        description="Folder in that container below which segments are looked for. Default: the whole container.",
    )
    segment_quiet_s: float = Field(
        default=300,
        alias="SEGMENT_QUIET_S",
        ge=0,
        le=86_400,
        description="Seconds without a write after which a refresh counts as complete. Default 300: Customer Insights"
        " writes no done-marker, and its parts arrive within minutes of each other.",
    )
    hidden_columns: str = Field(
        default="",
        alias="HIDDEN_COLUMNS",
        description="Columns of segments whose values are never shown, not even masked or as numbers: names separated"
        " by commas, in whatever case. Default: none. They can be exported as any other; a name with a comma in it"
        " cannot be hidden.",
    )
    key_vault_uri: HttpsOrigin = Field(
        alias="KEY_VAULT_URI", description="The Key Vault that holds the ActiveCampaign API keys."
    )
    look_schedule: Ncrontab = Field(
        alias="LOOK_SCHEDULE",
        description="When the app looks which exports are due: at their times, and at whether their segments were"
        " refreshed (NCRONTAB, six fields, UTC). Use every five minutes, 0 */5 * * * *: a refresh counts as complete"
        " after as long. The signs ?, L, W and #, Sunday as 7, and a day that never comes are refused. If a day of the"
        " month and a day of the week are given, both have to match.",
    )
    store_api_keys: bool = Field(
        default=True,
        alias="STORE_API_KEYS",
        description="Whether the app may store API keys in Key Vault. false: a connection names a secret that somebody"
        " has put there (secretName), and an apiKey is refused. Default true. The template sets it together with the"
        " app's role on the vault, which alone decides what is possible.",
    )
    export_schedule: Ncrontab = Field(
        default="0 0 2 * * *",
        alias="EXPORT_SCHEDULE",
        description="The times of exports whose schedule is cron and names none of its own, as those have that were"
        " saved before exports had schedules (NCRONTAB, six fields, UTC; as LOOK_SCHEDULE). Default 0 0 2 * * *.",
    )
    sweep_schedule: Ncrontab = Field(
        alias="SWEEP_SCHEDULE",
        description="When the sweep looks for stopped work. Use every minute, 0 * * * * *: recovery times assume it.",
    )
    host_suffixes: Annotated[str, AfterValidator(_suffixes)] = Field(
        default="",
        alias="ACTIVECAMPAIGN_HOST_SUFFIXES",
        description="More exact host suffixes of ActiveCampaign, separated by commas. Default: none besides"
        " api-us1.com and activehosted.com. Only a deployment can extend the list, never a request. Suffixes below"
        " which anybody can have a host, such as co.uk or azurewebsites.net, are refused.",
    )
    bulk_requests_per_minute: int = Field(
        default=96,
        alias="BULK_REQUESTS_PER_MINUTE",
        ge=6,
        le=96,
        description="Bulk requests per minute to one ActiveCampaign account. Default 96 of the 100 allowed, so that"
        " late requests cannot break the limit. Lower it when other integrations share the account.",
    )
    request_deadline_s: float = Field(
        default=60,
        alias="REQUEST_DEADLINE_S",
        ge=1,
        le=120,
        description="Seconds, counted from when the connection is open, after which a request to ActiveCampaign times"
        " out, whether its answer is slow or never comes. Default 60: answers take about a second; a longer silence is"
        " an outage. More than 74.5 needs a higher LANE_STALE_S.",
    )
    lanes: int = Field(
        default=6,
        alias="LANES",
        ge=1,
        le=8,
        description="Lanes per run, each one worker's sequence of batches. Default 6: enough to use the full rate limit"
        " when a request takes a second; more would only wait.",
    )
    lane_time_budget_s: float = Field(
        default=240,
        alias="LANE_TIME_BUDGET_S",
        ge=5,
        le=480,
        description="Seconds that one invocation works on a lane before it hands the lane over. Default 240: well below"
        " the function timeout of 10 minutes, and short enough for scale-in.",
    )
    lane_stale_s: float = Field(
        default=150,
        alias="LANE_STALE_S",
        ge=3,
        le=600,
        description="Seconds without a ledger entry after which a lane's worker counts as dead; at least 2 x"
        " REQUEST_DEADLINE_S + 1. Default 150: two requests at their deadline and the waits between them fit in it.",
    )
    confirm_within_s: float = Field(
        default=7_200,
        alias="CONFIRM_WITHIN_S",
        ge=10,
        le=86_400,
        description="Seconds after which a run ends without the final status of an import, but no later than 23.5 hours"
        " after planning, since the working copy, which has the names, is deleted after 24. Default 2 hours. The app"
        " keeps asking for the status until the working copy is deleted.",
    )
    retry_for_s: float = Field(
        default=86_400,
        alias="RETRY_FOR_S",
        ge=60,
        le=604_800,
        description="Seconds that a run waits for something external (an outage, a refused key) before it fails."
        " Default 24 hours. A run is stopped 23 hours after planning if contacts are left; it ends when what it sent"
        " has its outcome.",
    )
    rejects_retention_days: int = Field(
        default=30,
        alias="REJECTS_RETENTION_DAYS",
        ge=1,
        le=365,
        description="Days after which a reject report, which holds e-mail addresses, is deleted. Default 30.",
    )
    audit_retention_days: int = Field(
        default=400,
        alias="AUDIT_RETENTION_DAYS",
        ge=1,
        le=3_650,
        description="Days after which an entry of the audit trail is deleted; until then, storage protects it. Default"
        " 400: a year, and a month to look back on it.",
    )
    size_change_factor: float = Field(
        default=10,
        alias="SIZE_CHANGE_FACTOR",
        ge=1.1,
        le=1_000_000,
        description="How many times larger or smaller than last time a segment may be before its run is held until"
        " somebody approves it. Default 10: a segment of 100,000 that shrinks to 9,000 is more likely a mistake. Fewer"
        " than 100 rows last time are not compared; an export's guards.sizeFactor comes first.",
    )

    threads: int = Field(
        default=16,
        alias="PYTHON_THREADPOOL_THREAD_COUNT",
        ge=1,
        le=32,
        description="Threads of the Python worker, which reads this setting too; connection pools have the same size."
        " Default 16, as in the template: more than one per lane.",
    )
    sign_in: Literal["key", "entra"] = Field(
        default="key",
        alias="SIGN_IN",
        description="Who may call: key, whoever holds a function key, as an administrator; entra, whoever signs in with"
        " Microsoft Entra, as their app role says, and function keys mean nothing. Default key. The template sets entra"
        " where it sets up App Service authentication; without that, entra refuses every call.",
    )
    platform_authenticates: bool = Field(
        default=False,
        alias="WEBSITE_AUTH_ENABLED",
        description="Set by the platform when App Service authentication is on. With SIGN_IN = entra, its principal"
        " header is believed only then. Do not set it by hand.",
    )
    host_name: str = Field(
        default="",
        alias="WEBSITE_HOSTNAME",
        description="Set by the platform: the host of the app's own address. Pages from there may ask for changes, and"
        " the door check calls it. Do not set it by hand.",
    )
    console_origins: Annotated[str, AfterValidator(_origins)] = Field(
        default="",
        alias="CONSOLE_ORIGINS",
        description="Where browsers see the app, besides https://WEBSITE_HOSTNAME: addresses such as"
        " https://exports.contoso.com, separated by commas. Default: nowhere else. Needed with a domain of your own, or"
        " behind a gateway: a browser that is signed in may change something only from an address that is known.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.lane_stale_s < 2 * self.request_deadline_s + 1:
            raise ValueError(
                "LANE_STALE_S must be more than twice REQUEST_DEADLINE_S, or a slow worker would count as dead"
            )
        return self

    @property
    def extra_host_suffixes(self) -> tuple[str, ...]:
        """The configured host suffixes as a tuple."""
        return tuple(filter(None, self.host_suffixes.split(",")))

    @property
    def page_origins(self) -> frozenset[str]:
        """The origins of the app's own pages, as browsers send them in the header Origin."""
        own = [f"https://{self.host_name.lower()}"] if self.host_name else []
        return frozenset([*own, *filter(None, self.console_origins.split(","))])

    @property
    def vault_name(self) -> str:
        """The name of the Key Vault, as its commands take it."""
        return self.key_vault_uri.removeprefix("https://").partition(".")[0]

    @property
    def segment_folder(self) -> str:
        """Where segments are looked for, as a URL."""
        return f"{self.segment_blob_uri}/{self.segment_container}/{self.segment_prefix}"

    def hides(self, column: str) -> bool:
        """Return whether the values of the column with this name are never shown."""
        return column.strip().casefold() in {name.strip().casefold() for name in self.hidden_columns.split(",")} - {""}

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read and check all settings.

        Raises `Stop` ("unusable_settings") whose message lists every problem, each with the setting's name, what is
        expected and what to do. Values are not repeated.
        """
        try:
            return cls.model_validate({k: v for k, v in environ.items() if v != ""})
        except ValidationError as error:
            problems = [
                _problem(str(e["loc"][0]) if e["loc"] else "", e["type"], e["msg"], environ) for e in error.errors()
            ]
            raise Stop.of("unusable_settings", count=len(problems), settings="; ".join(problems)) from None


def setting_names() -> dict[str, str]:
    """Map every setting's name to its description, in the order of the class."""
    return {str(f.alias): str(f.description) for f in Settings.model_fields.values()}


def _problem(name: str, kind: str, message: str, environ: Mapping[str, str]) -> str:
    message = message.removeprefix("Value error, ")
    if kind == "missing":
        near = difflib.get_close_matches(name, [k for k in environ if k not in setting_names()], n=1, cutoff=0.8)
        return f"{name} is not set" + (f" (found {near[0]}: misspelled?)" if near else "")
    return f"{name} {message}" if name else message
