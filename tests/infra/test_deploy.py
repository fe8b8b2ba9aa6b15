"""A deployment, the guard before it and the proof after it, against an app that answers from a list."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from exporter.runs.run import TERMINAL, RunStatus
from infra import deploy


@dataclass
class Answers:
    """Stands for `deploy.App`: answers by path; a list is used up one by one, its last answer stays."""

    by_path: dict[str, Any]
    asked: list[str] = field(default_factory=list)

    def get(self, path: str, *, as_stranger: bool = False) -> tuple[int, Any]:
        key = f"stranger {path}" if as_stranger else path
        self.asked.append(key)
        answer = self.by_path.get(key, self.by_path.get(path, (404, None)))
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        status, body = answer
        return status, body


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


HEALTHY = (200, {"status": "ok"})
EXPORTS = (200, {"value": [{"id": "news"}]})
RUNNING = (200, {"value": [{"runId": "news.2", "status": "running"}, {"runId": "news.1", "endedUtc": "then"}]})
OVER = (200, {"value": [{"runId": "news.2", "endedUtc": "now"}]})


def wait(answers: Answers) -> float:
    clock = Clock()
    deploy.wait(answers, clock, clock.sleep)  # type: ignore[arg-type]  # the stand-in has what is called
    return clock.now


def test_a_deployment_waits_until_the_run_is_over() -> None:
    assert wait(Answers({"health": HEALTHY, "exports": EXPORTS, "exports/news/runs": [RUNNING, RUNNING, OVER]})) == 60


def test_a_run_that_is_older_than_a_skipped_one_is_seen() -> None:
    behind = (200, {"value": [{"runId": "news.3", "endedUtc": "now"}, {"runId": "news.2"}]})

    assert wait(Answers({"health": HEALTHY, "exports": EXPORTS, "exports/news/runs": [behind, OVER]})) == 30


def test_all_pages_of_exports_are_looked_at() -> None:
    answers = Answers(
        {
            "health": HEALTHY,
            "exports": (200, {"value": [], "nextLink": "/api/exports?top=100&after=a"}),
            "exports?top=100&after=a": EXPORTS,
            "exports/news/runs": [RUNNING, OVER],
        }
    )

    assert wait(answers) == 30


def test_a_run_that_waits_for_long_does_not_hold_a_deployment_back_for_ever() -> None:
    assert wait(Answers({"health": HEALTHY, "exports": EXPORTS, "exports/news/runs": RUNNING})) >= 100 * 60


@pytest.mark.parametrize("health", [(0, None), (503, None), (404, None)])
def test_before_the_first_deployment_there_is_nothing_to_wait_for(health: tuple[int, Any]) -> None:
    assert wait(Answers({"health": health})) == 0


def test_a_guard_that_may_not_look_stops_the_deployment() -> None:
    with pytest.raises(deploy.NotAsExpectedError, match="found 401"):
        wait(Answers({"health": HEALTHY, "exports": (401, None)}))


def check(by_path: dict[str, Any]) -> float:
    clock = Clock()
    deploy.check(Answers(by_path), clock, clock.sleep)  # type: ignore[arg-type]
    return clock.now


def test_an_app_that_works_is_proven() -> None:
    assert check({"health": HEALTHY, "exports": EXPORTS, "stranger exports": (401, None)}) == 0


def test_an_app_gets_time_to_start() -> None:
    assert (
        check({"health": [(0, None), (503, None), HEALTHY], "exports": EXPORTS, "stranger exports": (401, None)}) == 20
    )


def test_an_app_that_shows_exports_to_strangers_is_no_success() -> None:
    with pytest.raises(deploy.NotAsExpectedError, match="without a key, found 200"):
        check({"health": HEALTHY, "exports": EXPORTS, "stranger exports": EXPORTS})


def test_an_app_whose_settings_are_wrong_is_no_success() -> None:
    with pytest.raises(deploy.NotAsExpectedError, match="expected 200 from GET /api/health"):
        check({"health": (503, {"status": "unusable"})})


def test_a_run_is_over_for_the_guard_when_it_is_over_for_the_app() -> None:
    # The guard goes by `endedUtc`, which the app shows for a run with an end, and only terminal states have one.
    assert {RunStatus.QUEUED, RunStatus.PLANNING, RunStatus.RUNNING, RunStatus.WAITING} == set(RunStatus) - TERMINAL


NAMED = {"FUNCTION_APP_URL": "https://func.example", "FUNCTION_APP_NAME": "func", "AZURE_RESOURCE_GROUP": "group"}


def azure(*arguments: str) -> str:
    return {"functionapp": "the key", "account": f"a token for {arguments[3]}"}[arguments[0]]


def test_the_key_comes_from_the_azure_cli() -> None:
    assert deploy.app_of(NAMED, azure) == deploy.App("https://func.example", "the key")


def test_where_people_sign_in_the_guard_does_so_too() -> None:
    assert deploy.app_of({**NAMED, "ENTRA_CLIENT_ID": "id"}, azure).token == "a token for api://id"


def test_neither_key_nor_token_is_shown() -> None:
    assert "secret" not in repr(deploy.App("https://func.example", "secret key", "secret token"))


def test_an_address_without_tls_is_refused() -> None:
    with pytest.raises(deploy.NotAsExpectedError, match="https://"):
        deploy.app_of({**NAMED, "FUNCTION_APP_URL": "http://example.com"}, azure)


class ScmSite:
    """Stands for `deploy.Site`: takes the package, then answers from a list."""

    def __init__(self, accepted: tuple[int, Any], *progress: tuple[int, Any]) -> None:
        self.accepted, self.progress = accepted, list(progress)
        self.posted: list[tuple[str, bytes | None]] = []

    def call(self, method: str, path: str, package: bytes | None = None) -> tuple[int, Any]:
        if method == "POST":
            self.posted.append((path, package))
            return self.accepted
        assert path == "/api/deployments/dep-1"
        return self.progress.pop(0) if len(self.progress) > 1 else self.progress[0]


BUILDING, DONE = (200, {"status": 1}), (200, {"status": 4})


def publish(site: ScmSite) -> float:
    clock = Clock()
    deploy.publish(site, b"zip", clock, clock.sleep)  # type: ignore[arg-type]
    return clock.now


def test_the_package_is_deployed_as_it_is() -> None:
    site = ScmSite((202, "dep-1"), BUILDING, (0, None), (502, None), DONE)

    assert publish(site) == 15
    ((path, package),) = site.posted
    assert path.startswith("/api/publish?RemoteBuild=false")
    assert package == b"zip"


@pytest.mark.parametrize("status", [3, -1, 5, 6])
def test_a_deployment_that_ends_badly_is_no_success(status: int) -> None:
    with pytest.raises(deploy.NotAsExpectedError, match="dep-1 succeeds"):
        publish(ScmSite((202, "dep-1"), BUILDING, (200, {"status": status})))


def test_a_deployment_that_does_not_end_is_no_success() -> None:
    with pytest.raises(deploy.NotAsExpectedError, match="within 15 minutes"):
        publish(ScmSite((202, "dep-1"), BUILDING))


@pytest.mark.parametrize("refused", [(401, None), (403, None), (400, {"error": "x"}), (202, {"id": "x"}), (0, None)])
def test_a_package_that_is_not_taken_is_no_success(refused: tuple[int, Any]) -> None:
    with pytest.raises(deploy.NotAsExpectedError, match="POST /api/publish"):
        publish(ScmSite(refused, DONE))


def test_the_place_for_deployments_comes_from_the_azure_cli() -> None:
    answers = {"functionapp": "func.scm.example", "account": "the token"}

    assert deploy.site_of(NAMED, lambda *arguments: answers[arguments[0]]) == deploy.Site(
        "func.scm.example", "the token"
    )
    assert "the token" not in repr(deploy.Site("func.scm.example", "the token"))
    with pytest.raises(deploy.NotAsExpectedError, match="SCM host"):
        deploy.site_of(NAMED, lambda *_: "")
