"""The console's files: what is served, with which headers, and that nothing else is."""

import gzip
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from exporter.api import console
from exporter.api.http import Response

BUILT = {
    "index.html": b'<!doctype html><html lang="en" data-sign-in="key"><script src="/api/console/assets/app-1a2b.js">',
    "icon.svg": b"<svg/>",
    "assets/app-1a2b.js": b"console.log(1)",
}


@pytest.fixture
def built(tmp_path: Path) -> Path:
    for name, content in BUILT.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return tmp_path


def get(
    built: Path, path: str, headers: Mapping[str, str] | None = None, *, method: str = "GET", sign_in: str = "key"
) -> Response:
    return console.answer(method, path, headers or {}, sign_in, built)


@pytest.mark.parametrize("path", ["", "exports", "exports/newsletter/edit", "segments/a/b.csv", "index.html"])
def test_every_view_of_the_page_is_the_page(built: Path, path: str) -> None:
    answer = get(built, path)
    assert (answer.status, answer.body) == (200, BUILT["index.html"])
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache"


def test_files_whose_names_hold_a_digest_are_kept_for_ever(built: Path) -> None:
    answer = get(built, "assets/app-1a2b.js")
    assert (answer.body, answer.headers["Content-Type"]) == (BUILT["assets/app-1a2b.js"], "text/javascript")
    assert "immutable" in answer.headers["Cache-Control"]
    assert get(built, "icon.svg").headers["Content-Type"] == "image/svg+xml"


@pytest.mark.parametrize(
    "path", ["assets/app-old.js", "assets/../../http.py", "assets/..%2f..%2fhttp.py", "assets/", "assets//etc/passwd"]
)
def test_a_file_that_was_not_built_is_not_there(built: Path, path: str) -> None:
    answer = get(built, path)
    assert (answer.status, answer.code) == (404, "no_such_path")


def test_no_path_leads_out_of_the_folder(built: Path) -> None:
    (built.parent / "secret.txt").write_text("secret")
    for path in ("../secret.txt", "..%2fsecret.txt", "/../secret.txt", "./../secret.txt"):
        assert get(built, path).body == BUILT["index.html"]


def test_a_browser_that_has_the_newest_page_gets_no_body(built: Path) -> None:
    etag = get(built, "").headers["ETag"]
    answer = get(built, "", {"if-none-match": f'W/"other", {etag}'})
    assert (answer.status, answer.body) == (304, b"")
    assert get(built, "", {"if-none-match": '"other"'}).status == 200


def test_what_is_sent_is_packed_where_the_browser_can_unpack_it(built: Path) -> None:
    answer = get(built, "", {"accept-encoding": "br, gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.body) == BUILT["index.html"]
    assert "Content-Encoding" not in get(built, "").headers


def test_the_smallest_form_that_was_built_is_sent_to_whoever_takes_it(built: Path) -> None:
    (built / "assets/app-1a2b.js.br").write_bytes(b"as brotli")
    answer = get(built, "assets/app-1a2b.js", {"accept-encoding": "gzip, deflate, br;q=1.0"})
    assert (answer.headers["Content-Encoding"], answer.body) == ("br", b"as brotli")
    assert get(built, "assets/app-1a2b.js", {"accept-encoding": "gzip"}).headers["Content-Encoding"] == "gzip"
    assert get(built, "assets/app-1a2b.js.br").status == 404


def test_the_page_knows_how_people_sign_in(built: Path) -> None:
    entra = get(built, "", sign_in="entra")
    assert b'data-sign-in="entra"' in entra.body
    assert entra.headers["ETag"] != get(built, "").headers["ETag"]


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "DELETE"])
def test_only_reading_is_possible(built: Path, method: str) -> None:
    answer = get(built, "", method=method)
    assert answer.status == {"HEAD": 200, "OPTIONS": 204}.get(method, 405)
    if method != "OPTIONS":
        assert (answer.body == b"") == (method == "HEAD")


def test_a_deployment_without_the_page_says_so(tmp_path: Path) -> None:
    answer = get(tmp_path, "")
    assert (answer.status, answer.code) == (404, "console_not_built")


@pytest.mark.parametrize("path", ["", "assets/app-1a2b.js", "icon.svg"])
def test_the_policy_allows_nothing_but_the_pages_own_files(built: Path, path: str) -> None:
    policy = dict(part.split(" ", 1) for part in get(built, path).headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert set(policy.values()) <= {"'none'", "'self'", "'script'"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", ["", "assets/app-1a2b.js", "icon.svg"])
def test_nobody_guesses_types_learns_addresses_or_keeps_a_hand_on_the_page(built: Path, path: str, method: str) -> None:
    headers = get(built, path, method=method).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_the_source_of_the_page_holds_nothing_inline_and_no_other_host() -> None:
    page = (Path(__file__).parents[2] / "console/index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script>|<style|style=|\son\w+=", page)
    assert "//" not in page.replace("<!doctype html>", "")
