"""What a listing is made of, and how much of a segment is in memory at a time; contracts has the port's promises."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from azure.core.exceptions import ServiceResponseError
from hypothesis import given
from hypothesis import strategies as st
from requests import Response

from exporter.adapters import segment_files
from exporter.adapters.segment_files import AzureSegmentFiles
from exporter.errors import Culprit, Unavailable
from exporter.source import files
from exporter.source.files import SegmentFile
from tests.unit.adapters.storage_wire import MODIFIED, Damaged, Wire, answer, blob, entry, page, service

AT = MODIFIED + 1_000_000
"""By the service's clock, when it is asked."""
LOST = ServiceResponseError("The connection broke off.")
FOLDER = "<hdi_isfolder>true</hdi_isfolder>"


def landing(wire: Wire) -> AzureSegmentFiles:
    return AzureSegmentFiles(service(wire), "landing")


def test_pieces_and_small_files_have_the_sizes_that_memory_was_measured_with() -> None:
    assert (files.BUFFER_BYTES, segment_files.SMALL_FILE_BYTES) == (4_194_304, 67_108_864)


def test_a_listing_has_all_pages_and_the_services_time_of_the_first() -> None:
    wire = Wire(page(AT, entry("a"), entry("b"), more="m"), page(AT + 9, entry("c"), more="n"), page(AT + 20))
    listing = landing(wire).list("")
    assert [file.path for file in listing.files] == ["a", "b", "c"]
    assert listing.at == AT
    assert {file.modified for file in listing.files} == {MODIFIED}
    assert all(f"marker={marker}" in request.url for marker, request in zip("mn", wire.requests[1:], strict=True))


def test_the_time_is_asked_for_again_when_the_first_try_broke_off() -> None:
    wire = Wire(LOST, page(AT, entry("a"), more="m"), page(AT + 5, entry("a"), more="m"), page(AT + 9, entry("b")))
    listing = landing(wire).list("")
    assert (listing.at, [file.path for file in listing.files]) == (AT + 5, ["a", "b"])


def test_a_listing_whose_time_never_comes_is_no_listing() -> None:
    wire = Wire(*(answer for _ in range(4) for answer in (LOST, page(AT, entry("a")))))
    with pytest.raises(Unavailable):
        landing(wire).list("")


def test_a_proxys_refusal_does_not_tell_the_services_time() -> None:
    refusal = page(0)
    refusal.status_code = 503
    assert landing(Wire(refusal, page(AT, entry("a")))).list("").at == AT


def test_directories_are_told_by_their_metadata_or_by_what_lies_in_them() -> None:
    listing = landing(
        Wire(
            page(
                AT,
                entry("empty", 0, metadata=FOLDER),
                entry("people", 0, metadata=FOLDER.replace("hdi_isfolder", "Hdi_isfolder")),
                entry("people/2026", 0),
                entry("people/made-by-other-tools/", 0),
                entry("people/2026-11.csv", 0),
                entry("people/2026/_SUCCESS", 0),
                more="m",
            ),
            page(AT, entry("people/2026/a.csv"), entry("people/b.csv", metadata="<hdi_isfolder>false</hdi_isfolder>")),
        )
    ).list("")
    assert [file.path for file in listing.files] == [
        "people/2026-11.csv",
        "people/2026/_SUCCESS",
        "people/2026/a.csv",
        "people/b.csv",
    ]


@given(st.dictionaries(st.text("ab/", min_size=1), st.integers(0, 1)))
def test_only_empty_entries_with_something_below_them_are_folders(sizes: dict[str, int]) -> None:
    listed = [SegmentFile(path, size, "0x1", MODIFIED) for path, size in sorted(sizes.items())]
    folders = {path for path in sizes if path.endswith("/") or any(other.startswith(f"{path}/") for other in sizes)}
    left_out = {path for path in folders if not sizes[path]}
    assert segment_files._without_folders(listed) == tuple(f for f in listed if f.path not in left_out)


def test_a_file_is_archived_until_it_has_left_the_archive() -> None:
    tiers = {
        "a": "<AccessTier>Archive</AccessTier>",
        "b": "<AccessTier>Archive</AccessTier><ArchiveStatus>rehydrate-pending-to-hot</ArchiveStatus>",
        "c": "<AccessTier>Cool</AccessTier><ArchiveStatus>rehydrate-pending-to-cool</ArchiveStatus>",
        "d": "<AccessTier>Cold</AccessTier>",
        "e": "",
    }
    listed = landing(Wire(page(AT, *(entry(path, properties=tier) for path, tier in tiers.items())))).list("").files
    assert [file.path for file in listed if file.archived] == ["a", "b", "c"]


def test_a_body_that_is_damaged_on_its_way_is_an_outage_and_no_defect() -> None:
    with pytest.raises(Unavailable, match="SSLError"):
        landing(Wire(blob(b"small", AT, Damaged()))).read("a.csv")
    file = SegmentFile("a.csv", 5, "0x1", MODIFIED)
    with pytest.raises(Unavailable, match="SSLError"):
        landing(Wire(blob(b"small", AT, Damaged()))).open(file).read()


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (403, "AuthorizationPermissionMismatch", "storage_role_missing"),
        (403, "AuthorizationFailure", "storage_firewall"),
        (404, "ContainerNotFound", "storage_container_missing"),
    ],
)
def test_the_account_that_refuses_the_app_is_named_with_what_to_do(status: int, code: str, told: str) -> None:
    def refused() -> Response:
        return answer(b"", AT, status, x_ms_error_code=code)

    calls: tuple[Callable[[AzureSegmentFiles], object], ...] = (
        lambda found: found.list(""),
        lambda found: found.read("model.json"),
        lambda found: found.open(SegmentFile("a.csv", 5, "0x1", MODIFIED)).read(),
    )
    for call in calls[: 2 if status == 404 else 3]:  # a version that is gone was replaced, as far as a reader knows
        with pytest.raises(Unavailable) as caught:
            call(landing(Wire(*(refused() for _ in range(4)))))
        assert (caught.value.code, caught.value.culprit) == (told, Culprit.USER)
        assert "b.blob.core.windows.net" in caught.value.message


def test_a_version_is_asked_for_by_its_quoted_etag() -> None:
    """As in a header; a listing has it without quotes (RFC 9110, 8.8.3)."""
    wire = Wire(blob(b"small", AT))
    assert landing(wire).open(SegmentFile("a.csv", 5, "0x1", MODIFIED)).read(5) == b"small"
    assert wire.requests[0].headers["If-Match"] == '"0x1"'
