import pytest

from sandbox.host.routes import Route


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("api/runs", "/api/runs", {}),
        ("api/Runs", "/API/runs/", {}),
        ("api/runs", "/api/runs/1", None),
        ("api/runs/{id}", "/api/runs/a%20b", {"id": "a b"}),
        ("api/runs/{id}", "/api/runs", None),
        ("api/runs/{id?}", "/api/runs", {}),
        ("api/runs/{id:int}", "/api/runs/12", {"id": "12"}),
        ("api/runs/{id:int}", "/api/runs/x", None),
        (
            "api/runs/{id:guid}",
            "/api/runs/0f8fad5b-d9cb-469f-a165-70867728950e",
            {"id": "0f8fad5b-d9cb-469f-a165-70867728950e"},
        ),
        ("api/runs/{id:length(3):alpha}", "/api/runs/abc", {"id": "abc"}),
        ("api/runs/{id:length(3):alpha}", "/api/runs/ab1", None),
        ("api/runs/{id:range(1,9)}", "/api/runs/10", None),
        ("api/runs/{id:regex(^r-)}", "/api/runs/r-1", {"id": "r-1"}),
        ("api/{*path}", "/api/a/b%2Fc%20d", {"path": "a/b%2Fc d"}),
        ("api/{*path}", "/api", {"path": ""}),
        ("api/{*path}", "/other", None),
    ],
)
def test_a_template_matches(template: str, path: str, expected: dict[str, str] | None) -> None:
    assert Route.parse(template, ["GET"]).match("GET", path) == expected


def test_a_method_that_is_not_listed_does_not_match() -> None:
    assert Route.parse("api/runs", ["GET"]).match("HEAD", "/api/runs") is None
    assert Route.parse("api/runs", []).match("PURGE", "/api/runs") == {}


def test_the_most_specific_template_comes_first() -> None:
    templates = ["a/{*rest}", "a/{x}", "a/{x:int}", "a/b", "a/{*rest:alpha}", "{*rest}"]
    ordered = sorted(templates, key=lambda template: Route.parse(template, []).precedence)
    assert ordered == ["a/b", "a/{x:int}", "a/{x}", "a/{*rest:alpha}", "a/{*rest}", "{*rest}"]


@pytest.mark.parametrize("template", ["files/{name}.csv", "runs/{id:even}", "runs/{id"])
def test_a_template_that_is_not_modelled_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="route segment"):
        Route.parse(template, [])
