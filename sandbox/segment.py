"""A sample segment as Customer Insights writes it to blob storage: made-up people, documented layout, no header row.

https://learn.microsoft.com/dynamics365/customer-insights/data/export-azure-blob-storage#export-data-to-azure-blob-storage
https://learn.microsoft.com/common-data-model/model-json

Each row is a function of seed and position alone, so any size streams and any part can be made again. One row in 50
is bad in a way that real segments are; `Segment.expected` says how many of each. All addresses are in domains reserved
for examples (RFC 2606).
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

INSTANCE = "CustomerInsights_5a0c3b1e-7d24-4c86-9f3b-2e6d8a41b907"
EXPORT = "BlobExport"
LOCATION = "https://segmentlanding.blob.core.windows.net/dynamics365customerinsights"

COLUMNS: Mapping[str, str] = {
    "CustomerId": "string",
    "eCommerce_Contacts_ContactId": "string",
    "eCommerce_Contacts_ContactId_Alternate": "string",
    "Loyalty_Customers_LoyaltyId": "string",
    "Loyalty_Customers_LoyaltyId_Alternate": "string",
    "PreviousCustomerId": "string",
    "FirstName": "string",
    "LastName": "string",
    "FullName": "string",
    "DateOfBirth": "dateTime",
    "Gender": "string",
    "EMail": "string",
    "Telephone": "string",
    "StreetAddress": "string",
    "PostCode": "string",
    "City": "string",
    "Country": "string",
    "LoyaltyTier": "string",
    "RewardPoints": "int64",
    "EmailSubscriber": "string",
}
"""Name to type in the Common Data Model. Source keys, `_Alternate`, `PreviousCustomerId`: what unification adds."""


@dataclass(frozen=True)
class Region:
    """People of one country. Each name comes with the ASCII form that its owner's e-mail address has."""

    country: str
    cities: tuple[str, ...]
    first_names: tuple[tuple[str, str], ...]
    last_names: tuple[tuple[str, str], ...]


REGIONS = (
    Region(
        "Österreich",
        ("Wien", "Graz", "Gänserndorf"),
        (("Jörg", "joerg"), ("Käthe", "kaethe"), ("Zoë", "zoe"), ("Matthias", "matthias")),
        (("Müller", "mueller"), ("Groß", "gross"), ("Brandstätter", "brandstaetter")),
    ),
    Region(
        "Polska",
        ("Łódź", "Kraków", "Gdańsk"),
        (("Łucja", "lucja"), ("Stanisław", "stanislaw"), ("Żaneta", "zaneta")),
        (("Wójcik", "wojcik"), ("Dąbrowski", "dabrowski"), ("Kaczmarek", "kaczmarek")),
    ),
    Region(
        "Việt Nam",
        ("Hà Nội", "Đà Nẵng"),
        (("Thị Hương", "huong"), ("Đức", "duc"), ("Ngọc", "ngoc")),
        (("Nguyễn", "nguyen"), ("Phạm", "pham"), ("Đặng", "dang")),
    ),
    Region(
        "Ireland",
        ("Dublin", "Dún Laoghaire"),
        (("Siobhán", "siobhan"), ("Pádraig", "padraig"), ("Grace", "grace")),
        (("O'Brien", "obrien"), ("Ní Dhomhnaill", "nidhomhnaill"), ("Walsh-Byrne", "walsh-byrne")),
    ),
    Region(
        "Україна",
        ("Київ", "Львів"),
        (("Олена", "olena"), ("Андрій", "andrii"), ("Їва", "yiva")),
        (("Шевченко", "shevchenko"), ("Коваль", "koval"), ("Мельник", "melnyk")),
    ),
    Region(
        "Ελλάδα",
        ("Αθήνα", "Θεσσαλονίκη"),
        (("Ελένη", "eleni"), ("Γιώργος", "giorgos"), ("Σοφία", "sofia")),
        (("Παπαδόπουλος", "papadopoulos"), ("Νικολάου", "nikolaou")),
    ),
    Region(
        "مصر",
        ("القاهرة", "الإسكندرية"),
        (("محمد", "mohamed"), ("فاطمة", "fatma"), ("ليلى", "leila")),
        (("حسن", "hassan"), ("الشريف", "elsherif")),
    ),
    Region(
        "ישראל",
        ("תל אביב", "חיפה"),
        (("נועה", "noa"), ("דוד", "david"), ("יעל", "yael")),
        (("כהן", "cohen"), ("מזרחי", "mizrahi")),
    ),
    Region(
        "中国",
        ("北京", "上海"),
        (("伟", "wei"), ("秀英", "xiuying"), ("小龙", "xiaolong")),
        (("王", "wang"), ("欧阳", "ouyang"), ("李", "li")),
    ),
    Region(
        "日本",
        ("東京", "大阪"),
        (("さくら", "sakura"), ("健太", "kenta")),
        (("佐藤", "sato"), ("高橋", "takahashi")),
    ),
    Region(
        "대한민국",
        ("서울", "부산"),
        (("민준", "minjun"), ("서연", "seoyeon")),
        (("김", "kim"), ("박", "park")),
    ),
    Region(
        "भारत",
        ("दिल्ली", "मुंबई"),
        (("आरव", "aarav"), ("प्रिया", "priya")),
        (("शर्मा", "sharma"), ("गुप्ता", "gupta")),
    ),
)

STREETS = ("Bridge Street", "Linden Alley", "Harbour Road", "Old Mill Lane", "Station Square")
DOMAINS = ("example.com", "example.org", "example.net", "mail.example.com", "news.example.org")
GENDERS = ("Female", "Male", "", "Other")
TIERS = ("low", "medium", "high")

BAD_EVERY = 50
BAD_AT = 25
"""Of each 50 rows the one at this position is bad, so the first 25 rows are good: duplicates repeat their addresses."""

SHORT_ROW = 40
"""The one row that lacks its last field."""

KINDS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("missing_email", lambda _: ""),
    ("duplicate_email", lambda email: email),
    ("invalid_email_no_at", lambda _: "Yes"),
    ("invalid_email_domain", lambda email: email.partition("@")[0] + "@localhost"),
    ("duplicate_email", str.upper),
    ("invalid_email_character", lambda email: "o'" + email),
    ("duplicate_email", lambda email: f"  {email} "),
    ("invalid_email_no_at", lambda _: "No"),
    ("invalid_email_character", lambda email: "no reply " + email),
)
"""What is wrong, in the service's reason codes, and what stands in the e-mail column, made from a good address."""


@dataclass(frozen=True)
class Expected:
    """What an export of the segment must come to. `contacts` + all of `set_aside` (reason code to rows) = `rows`."""

    rows: int
    contacts: int
    set_aside: Mapping[str, int]


@dataclass(frozen=True)
class Segment:
    """One refresh of one segment; `refreshed` is when Customer Insights exported it."""

    refreshed: datetime
    profiles: int = 5000
    partitions: int = 3
    table: str = "NewsletterSubscribers"
    seed: int = 0

    @property
    def expected(self) -> Expected:
        """Return what an export must come to."""
        bad_rows = range(BAD_AT, self.profiles, BAD_EVERY)
        set_aside = Counter(KINDS[index // BAD_EVERY % len(KINDS)][0] for index in bad_rows)
        if self.profiles > SHORT_ROW:
            set_aside["wrong_field_count"] = 1
        return Expected(self.profiles, self.profiles - set_aside.total(), dict(set_aside))

    def files(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield path and content of each file, `model.json` last. Paths are relative to the container."""
        bounds = [self.profiles * number // self.partitions for number in range(self.partitions + 1)]
        paths = self._paths()
        for path, start, stop in zip(paths, bounds[:-1], bounds[1:], strict=True):
            yield path, csv_chunks(row(index, self.seed) for index in range(start, stop))
        content = json.dumps(model(self.table, paths, self.refreshed.astimezone(UTC)), indent=1)
        yield f"{INSTANCE}/{EXPORT}/model.json", iter([content.encode()])

    def write(self, folder: Path) -> None:
        """Write the files into a folder that stands for the container."""
        for path, chunks in self.files():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                file.writelines(chunks)

    def _paths(self) -> list[str]:
        folder = f"{INSTANCE}/{EXPORT}/{self.table}/{self.refreshed.astimezone(UTC):%Y/%m/%d/%H%M}"
        return [f"{folder}/{self.table}_{number}.csv" for number in range(1, self.partitions + 1)]


def row(index: int, seed: int = 0) -> tuple[str, ...]:
    """Return the fields of the row at a position, counted from 0."""
    chance = chance_of(index, seed)
    region = pick(REGIONS, chance[0])
    first, last = pick(region.first_names, chance[1])[0], pick(region.last_names, chance[2])[0]
    contact_id = f"CNTID_{index + 1000}"
    loyalty_id = f"LOYID_{index + 1000}" if chance[4] % 4 else ""
    fields = (
        chance.hex(),
        contact_id,
        contact_id,
        loyalty_id,
        loyalty_id,
        chance_of(index, seed + 1).hex() if chance[5] == 0 else "",
        first,
        last,
        f"{first} {last}",
        f"{1940 + chance[6] % 66}-{1 + chance[7] % 12:02d}-{1 + chance[8] % 28:02d}T00:00:00Z",
        pick(GENDERS, chance[9]),
        shown_email(index, seed, chance),
        f"+{10 + chance[10] % 89} {index % 1000:03d} {chance[4]:03d}{chance[5]:03d}" if chance[6] % 8 else "",
        address(chance[7], chance[8], chance[11]),
        f"{257 * chance[12] + chance[13]:05d}",
        pick(region.cities, chance[14]),
        region.country,
        pick(TIERS, chance[15]),
        str(4 * chance[9]),
        "Yes" if chance[10] % 3 else "No",
    )
    return fields[:-1] if index == SHORT_ROW else fields


def shown_email(index: int, seed: int, chance: bytes) -> str:
    """Return what stands in the e-mail column of a row."""
    if index % BAD_EVERY != BAD_AT:
        return good_email(index, chance)
    turn = index // BAD_EVERY
    kind, change = KINDS[turn % len(KINDS)]
    if kind == "duplicate_email":
        index = turn % BAD_AT
        chance = chance_of(index, seed)
    return change(good_email(index, chance))


def good_email(index: int, chance: bytes) -> str:
    """Return an address that fits the name of a row. No two rows have the same."""
    region = pick(REGIONS, chance[0])
    first, last = pick(region.first_names, chance[1])[1], pick(region.last_names, chance[2])[1]
    return f"{first}.{last}.{index}@{pick(DOMAINS, chance[3])}"


def address(number: int, street: int, form: int) -> str:
    """Return a street address; some have a comma, quotes or a line break, as addresses do."""
    line = f"{1 + number} {pick(STREETS, street)}"
    match form % 8:
        case 0 | 1:
            return f"{line}, Door {1 + number % 30}"
        case 2:
            return f'{line}, "Rose Court"'
        case 3:
            return f"{line}\nFloor {1 + number % 9}"
        case _:
            return line


def chance_of(index: int, seed: int) -> bytes:
    """Return 16 bytes that look random, the same for the same arguments; a byte makes a choice."""
    return blake2b(b"%d:%d" % (seed, index), digest_size=16).digest()


def pick[T](choices: tuple[T, ...], number: int) -> T:
    """Choose by a number of any size."""
    return choices[number % len(choices)]


def csv_chunks(rows: Iterable[tuple[str, ...]], rows_per_chunk: int = 2000) -> Iterator[bytes]:
    """Write rows as CSV (RFC 4180, UTF-8, no header row, LF), some at a time."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for count, fields in enumerate(rows, 1):
        writer.writerow(fields)
        if count % rows_per_chunk == 0:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    if buffer.tell():
        yield buffer.getvalue().encode()


def model(table: str, paths: list[str], refreshed: datetime) -> dict[str, object]:
    """Return the content of `model.json` for one table."""
    moment = refreshed.isoformat(timespec="microseconds").replace("+", "0+")  # seven digits, as .NET writes them
    csv_format = {"$type": "CsvFormatSettings", "columnHeaders": False, "delimiter": ",", "encoding": "UTF-8"}
    csv_format |= {"quoteStyle": "QuoteStyle.Csv", "csvStyle": "CsvStyle.QuoteAlways"}
    entity = {
        "$type": "LocalEntity",
        "name": table,
        "description": "",
        "annotations": [{"name": "c360:PrimaryKey", "value": "CustomerId"}],
        "attributes": [{"name": name, "dataType": data_type} for name, data_type in COLUMNS.items()],
        "partitions": [
            {
                "name": Path(path).stem,
                "refreshTime": moment,
                "location": f"{LOCATION}/{path}",
                "fileFormatSettings": csv_format,
            }
            for path in paths
        ],
    }
    return {
        "application": "Dynamics365CustomerInsights",
        "name": EXPORT,
        "description": "",
        "version": "1.0",
        "modifiedTime": moment,
        "annotations": [],
        "entities": [entity],
        "relationships": [],
        "referenceModels": [],
    }
