"""A deployment, the guard before it and the proof after it, against an app that answers from a list."""

import base64
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from exporter.api.access import Role, principal
from exporter.definitions.connections import SECRET_PREFIXES
from exporter.runs.run import TERMINAL, RunStatus
from exporter.settings import Settings
from infra import deploy
from tests.fakes import SETTINGS
from tests.infra.bicep import INFRA, resources


@dataclass
class Answers:
    """Stands for `deploy.App`: answers by path; a list is used up one by one, its last answer stays."""

    by_path: dict[str, Any]

    def get(self, path: str) -> tuple[int, Any]:
        answer = self.by_path.get(path, (404, None))
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
    deploy.wait(answers, lambda: answers, clock, clock.sleep)  # type: ignore[arg-type, return-value]  # has what is called
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


CLOSED = {"health": HEALTHY, "exports": (401, None)}


def check(
    with_key: dict[str, Any],
    without: dict[str, Any] | None = None,
    sign_in: Callable[[], None] = lambda: None,
    pretending: dict[str, Any] | None = None,
) -> float:
    clock, stranger, known = Clock(), Answers(without or dict(CLOSED)), Answers(with_key)
    pretender = Answers(pretending or dict(CLOSED))

    def signed_in() -> Any:
        sign_in()
        return known

    deploy.check(stranger, pretender, signed_in, clock, clock.sleep)  # type: ignore[arg-type]
    return clock.now


def test_an_app_that_works_is_proven() -> None:
    assert check({"exports": EXPORTS}) == 0


def test_an_app_gets_time_to_start() -> None:
    assert check({"exports": [(0, None), (503, None), EXPORTS]}) == 20


def test_a_new_app_gets_time_to_make_its_keys() -> None:
    # Right after the first deployment, Azure answers `keys list` with an error or an empty list.
    ready = {"functionKeys": {"default": "the key"}}
    asked: Iterator[Any] = iter(["the host is not running", None, {"functionKeys": {}}, ready])

    def azure(*_: str) -> Any:
        answer = next(asked)
        if isinstance(answer, str):
            raise deploy.NotAsExpectedError(answer)
        return answer

    assert check({"exports": EXPORTS}, sign_in=lambda: assert_key(deploy.app_of(NAMED, azure))) == 30


def assert_key(app: deploy.App) -> None:
    assert app.key == "the key"


def test_an_app_without_a_key_is_no_success() -> None:
    with pytest.raises(deploy.NotAsExpectedError, match="expected the function key `default`, found none"):
        check({"exports": EXPORTS}, sign_in=lambda: assert_key(deploy.app_of(NAMED, lambda *_: {"functionKeys": {}})))


def test_an_app_that_shows_exports_to_strangers_is_no_success() -> None:
    with pytest.raises(deploy.NotAsExpectedError, match="without a key, found 200"):
        check({"exports": EXPORTS}, {"health": HEALTHY, "exports": EXPORTS})


def test_an_app_that_believes_whatever_a_caller_claims_to_be_is_no_success() -> None:
    with pytest.raises(deploy.NotAsExpectedError, match="with a principal header of one's own, found 200"):
        check({"exports": EXPORTS}, pretending={"exports": EXPORTS})


def test_what_is_claimed_would_be_believed() -> None:
    # Otherwise an open door would look closed.
    settings = Settings.from_environ(SETTINGS | {"SIGN_IN": "entra", "WEBSITE_AUTH_ENABLED": "True"})
    assert principal({"x-ms-client-principal": deploy.ADMIN_CLAIMS}, settings).role is Role.ADMIN


def test_an_app_that_does_not_answer_probes_is_no_success() -> None:
    with pytest.raises(deploy.NotAsExpectedError, match="expected 200 from GET /api/health"):
        check({"exports": EXPORTS}, CLOSED | {"health": (401, None)})


def test_of_an_app_whose_settings_are_wrong_one_learns_which() -> None:
    unusable = (503, {"status": 503, "code": "unusable_settings", "detail": "EXPORT_SCHEDULE: expected six fields."})

    with pytest.raises(deploy.NotAsExpectedError, match=r"found 503: EXPORT_SCHEDULE: expected six fields$"):
        check({"exports": unusable}, CLOSED | {"health": (503, {"status": "unusable"})})


def test_a_run_is_over_for_the_guard_when_it_is_over_for_the_app() -> None:
    # The guard goes by `endedUtc`, which the app shows for a run with an end, and only terminal states have one.
    assert set(RunStatus) - TERMINAL == {
        *(RunStatus.QUEUED, RunStatus.PLANNING, RunStatus.RUNNING, RunStatus.WAITING, RunStatus.CANCELING)
    }


NAMED = {
    "FUNCTION_APP_URL": "https://func.example",
    "FUNCTION_APP_NAME": "func",
    "AZURE_RESOURCE_GROUP": "group",
    "AZURE_SUBSCRIPTION_ID": "of azd",
    "KEY_VAULT_NAME": "kv",
    "EXPORT_STORAGE_ACCOUNT": "stexport",
}


def azure(*arguments: str) -> Any:
    """Stands for the Azure CLI where another subscription is the default: only azd's has the app."""
    subscription = arguments[arguments.index("--subscription") + 1]
    assert subscription == "of azd"
    if arguments[:3] == ("functionapp", "keys", "list"):
        return {"functionKeys": {"default": "the key"}, "masterKey": "another"}
    if arguments[:2] == ("functionapp", "show"):
        return FLEX
    return {"accessToken": f"a token for {arguments[-1]}", "subscription": subscription}


HOSTS = ["func.azurewebsites.net", "func.scm.azurewebsites.net"]
STATES = [{"name": HOSTS[0], "hostType": "Standard"}, {"name": HOSTS[1], "hostType": "Repository"}]
FLEX = {
    "name": "func",
    "properties": {"enabledHostNames": HOSTS, "hostNameSslStates": STATES, "sku": "FlexConsumption"},
}
"""Of Flex Consumption, the CLI gives the answer of Resource Manager as it is."""
FLATTENED = {"name": "func", "enabledHostNames": HOSTS, "hostNameSslStates": STATES, "identity": {}}


def test_the_key_comes_from_the_azure_cli() -> None:
    assert deploy.app_of(NAMED, azure) == deploy.App("https://func.example", "the key")


def test_where_people_sign_in_the_guard_does_so_too_and_asks_for_no_key() -> None:
    guard = deploy.App("https://func.example", token="a token for api://id")
    assert deploy.app_of({**NAMED, "ENTRA_CLIENT_ID": "id"}, azure) == guard


def test_neither_key_nor_token_is_shown() -> None:
    assert "secret" not in repr(deploy.App("https://func.example", "secret key", "secret token"))


def test_an_address_without_tls_is_refused() -> None:
    with pytest.raises(deploy.NotAsExpectedError, match="https://"):
        deploy.stranger_of({**NAMED, "FUNCTION_APP_URL": "http://example.com"})


@pytest.mark.parametrize("name", ["AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "FUNCTION_APP_NAME"])
def test_a_name_that_is_not_given_is_asked_for(name: str) -> None:
    with pytest.raises(deploy.NotAsExpectedError, match=f"expected {name} to be set"):
        deploy.app_of({**NAMED, name: ""}, azure)


@pytest.fixture
def az(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put an `az` on the path that knows the app in one subscription, and in no other."""
    program = tmp_path / "az"
    program.write_text(f"""#!{sys.executable}
import json, sys
if sys.argv[sys.argv.index("--subscription") + 1] != "of azd":
    sys.exit("ERROR: (ResourceGroupNotFound) Resource group 'group' could not be found.\\nCode: ResourceGroupNotFound")
assert sys.argv[-1] == "json"
print(json.dumps({{"functionKeys": {{"default": "the key"}}}}))
""")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("az")
def test_the_answer_of_the_azure_cli_is_read() -> None:
    assert deploy.app_of(NAMED, deploy.azure_cli).key == "the key"


@pytest.mark.usefixtures("az")
def test_what_the_azure_cli_refuses_is_told_with_its_words() -> None:
    refused = (
        "expected an answer from `az functionapp keys list`, found: .ResourceGroupNotFound. Resource group 'group'"
    )

    with pytest.raises(deploy.NotAsExpectedError, match=refused):
        deploy.app_of({**NAMED, "AZURE_SUBSCRIPTION_ID": "another"}, deploy.azure_cli)


def test_without_the_azure_cli_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(deploy.NotAsExpectedError, match="found no `az`"):
        deploy.azure_cli("account", "show")


def test_an_unknown_command_is_refused() -> None:
    with pytest.raises(
        deploy.NotAsExpectedError, match="expected people-key, sign-in, wait, first, publish or check, found 'deploy'"
    ):
        deploy.main("deploy", NAMED, azure)


class Registration:
    """Stands for `az ad app`: an app registration that starts as `infra/entra-app.json`."""

    def __init__(self) -> None:
        posted = json.loads((INFRA / "entra-app.json").read_text())
        self.app: dict[str, Any] = {"web": {"redirectUris": [], **posted["web"]}}
        self.credentials: list[dict[str, Any]] = []
        self.changes: list[str] = []

    def __call__(self, *arguments: str) -> Any:
        words = [*arguments]
        options = {words[i]: words[i + 1] for i in range(len(words)) if words[i].startswith("--")}
        assert options["--id"] == "client"
        match words[:4]:
            case ["ad", "app", "show", _]:
                return self.app
            case ["ad", "app", "update", _]:
                begin = words.index("--web-redirect-uris") + 1
                uris = list(takewhile(lambda word: not word.startswith("--"), words[begin:]))
                issued = {"enableIdTokenIssuance": options["--enable-id-token-issuance"] == "true"}
                self.app = {"web": {"redirectUris": uris, "implicitGrantSettings": issued}}
                self.changes.append("app")
                return None
            case ["ad", "app", "federated-credential", "list"]:
                return self.credentials
            case ["ad", "app", "federated-credential", verb]:
                credential = json.loads(options["--parameters"])
                if verb == "update":
                    self.credentials.remove(next(c for c in self.credentials if c["name"] == credential["name"]))
                assert credential["name"] not in [one["name"] for one in self.credentials]
                self.credentials.append(credential | {"id": "1", "description": None})
                self.changes.append(verb)
                return self.credentials[-1]
        raise AssertionError(words)


PROVISIONED = {
    "FUNCTION_APP_URL": "https://func.example",
    "ENTRA_CLIENT_ID": "client",
    "AZURE_TENANT_ID": "tenant",
    "IDENTITY_PRINCIPAL_ID": "object id",
}


def test_the_registration_learns_where_the_app_is_and_whom_to_believe_once() -> None:
    registration = Registration()
    for _ in range(2):
        deploy.main("sign-in", PROVISIONED, registration)
    assert registration.changes == ["app", "create"]
    assert registration.app["web"] == {
        "redirectUris": ["https://func.example/.auth/login/aad/callback"],
        "implicitGrantSettings": {"enableIdTokenIssuance": True},
    }
    (credential,) = registration.credentials
    assert credential["issuer"] == "https://login.microsoftonline.com/tenant/v2.0"
    assert (credential["subject"], credential["audiences"]) == ("object id", ["api://AzureADTokenExchange"])


def test_other_addresses_of_the_registration_stay_and_those_of_the_console_come_along() -> None:
    registration = Registration()
    registration.app["web"]["redirectUris"] = ["https://other.example/callback"]
    origins = "https://exports.contoso.com,https://exports.example"
    deploy.main("sign-in", PROVISIONED | {"CONSOLE_ORIGINS": origins}, registration)
    assert registration.app["web"]["redirectUris"] == [
        "https://other.example/callback",
        "https://func.example/.auth/login/aad/callback",
        "https://exports.contoso.com/.auth/login/aad/callback",
        "https://exports.example/.auth/login/aad/callback",
    ]


def test_a_registration_made_without_id_tokens_issues_them() -> None:
    registration = Registration()
    registration.app = {"web": {"redirectUris": ["https://func.example/.auth/login/aad/callback"]}}
    deploy.main("sign-in", PROVISIONED, registration)
    assert registration.app["web"]["implicitGrantSettings"] == {"enableIdTokenIssuance": True}


def test_a_new_identity_takes_the_place_of_the_old_one_and_those_of_others_stay() -> None:
    registration = Registration()
    registration.credentials = [{"name": "github", "subject": "repo", "id": "0"}]
    deploy.main("sign-in", PROVISIONED, registration)
    deploy.main("sign-in", PROVISIONED | {"IDENTITY_PRINCIPAL_ID": "another"}, registration)
    assert {one["name"]: one["subject"] for one in registration.credentials} == {
        "github": "repo",
        deploy.CREDENTIAL: "another",
    }


def test_without_sign_in_no_registration_is_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    deploy.main("sign-in", PROVISIONED | {"ENTRA_CLIENT_ID": ""}, azure)
    assert "function key" in capsys.readouterr().out


def test_without_an_identity_nobody_is_believed() -> None:
    with pytest.raises(deploy.NotAsExpectedError, match="expected IDENTITY_PRINCIPAL_ID to be set"):
        deploy.main("sign-in", PROVISIONED | {"IDENTITY_PRINCIPAL_ID": ""}, Registration())


class ScmSite:
    """Stands for `deploy.Site`: takes the package, then answers from a list."""

    def __init__(self, accepted: list[tuple[int, Any]], *progress: tuple[int, Any]) -> None:
        self.accepted, self.progress = accepted, list(progress)
        self.posted: list[tuple[str, bytes | None]] = []

    def call(self, method: str, path: str, package: bytes | None = None) -> tuple[int, Any]:
        if method == "POST":
            self.posted.append((path, package))
            return self.accepted.pop(0) if len(self.accepted) > 1 else self.accepted[0]
        assert path == "/api/deployments/dep-1"
        return self.progress.pop(0) if len(self.progress) > 1 else self.progress[0]


BUILDING, DONE, GONE = (200, {"status": 1}), (200, {"status": 4}), (404, None)
FORBIDDEN = (200, {"status": 3, "status_text": "Azure Storage responded with Forbidden"})
TAKEN = (202, "dep-1")


def publish(site: ScmSite) -> float:
    clock = Clock()
    deploy.publish(site, b"zip", clock, clock.sleep)  # type: ignore[arg-type]
    return clock.now


def test_the_package_is_deployed_as_it_is() -> None:
    site = ScmSite([TAKEN], BUILDING, (0, None), (502, None), DONE)

    assert publish(site) == 15
    ((path, package),) = site.posted
    assert path.startswith("/api/publish?RemoteBuild=false")
    assert package == b"zip"


@pytest.mark.parametrize("status", [-1, 5, 6])
def test_a_deployment_that_ends_badly_is_no_success(status: int) -> None:
    with pytest.raises(deploy.NotAsExpectedError, match="dep-1 succeeds"):
        publish(ScmSite([TAKEN], BUILDING, (200, {"status": status})))


def test_a_deployment_that_fails_is_repeated_until_a_new_role_is_in_effect() -> None:
    site = ScmSite([TAKEN], FORBIDDEN, FORBIDDEN, BUILDING, DONE)

    assert publish(site) == 2 * deploy.LOOK_AGAIN_S + 5
    assert len(site.posted) == 3


def test_a_new_app_gets_time_to_take_a_package() -> None:
    assert publish(ScmSite([(0, None), (503, None), (404, None), TAKEN], DONE)) == 3 * deploy.LOOK_AGAIN_S


def test_a_deployment_that_fails_for_longer_than_roles_take_is_no_success() -> None:
    with pytest.raises(deploy.NotAsExpectedError, match="it failed: Azure Storage responded with Forbidden"):
        publish(ScmSite([TAKEN], FORBIDDEN))


def test_a_deployment_that_is_unknown_after_it_was_known_is_done() -> None:
    # The worker that knew it is taken down when all is done.
    assert publish(ScmSite([TAKEN], *[BUILDING] * 10, GONE)) == 50


def test_a_deployment_may_be_unknown_at_first() -> None:
    assert publish(ScmSite([TAKEN], BUILDING, GONE, GONE, BUILDING, DONE)) == 20


@pytest.mark.parametrize("answer", [BUILDING, GONE])
def test_a_deployment_that_does_not_end_is_no_success(answer: tuple[int, Any]) -> None:
    with pytest.raises(deploy.NotAsExpectedError, match="within 15 minutes"):
        publish(ScmSite([TAKEN], answer))


@pytest.mark.parametrize("refused", [(401, None), (403, None), (400, {"error": "x"}), (202, {"id": "x"}), (0, None)])
def test_a_package_that_is_not_taken_is_no_success(refused: tuple[int, Any]) -> None:
    with pytest.raises(deploy.NotAsExpectedError, match="POST /api/publish"):
        publish(ScmSite([refused], DONE))


def first(health: tuple[int, Any]) -> int:
    clock, site = Clock(), ScmSite([TAKEN], DONE)
    deploy.first(Answers({"health": health}), lambda: site, b"zip", clock, clock.sleep)  # type: ignore[arg-type, return-value]
    return len(site.posted)


@pytest.mark.parametrize("health", [(0, None), (404, None), (503, None)])
def test_a_new_app_gets_the_package_before_azd_tries_once(health: tuple[int, Any]) -> None:
    assert first(health) == 1


@pytest.mark.parametrize("health", [HEALTHY, (503, {"status": "unusable"})])
def test_an_app_with_code_is_left_to_azd(health: tuple[int, Any]) -> None:
    assert first(health) == 0


@pytest.mark.parametrize("answer", [FLEX, FLATTENED, {"properties": {"enabledHostNames": HOSTS}}], ids=str)
def test_the_place_for_deployments_is_found_in_each_shape_of_answer(answer: dict[str, Any]) -> None:
    assert deploy.scm_host(answer) == "func.scm.azurewebsites.net"


def test_an_app_without_a_place_for_deployments_is_told() -> None:
    with pytest.raises(deploy.NotAsExpectedError, match="SCM host"):
        deploy.scm_host({"properties": {"enabledHostNames": HOSTS[:1], "hostNameSslStates": None}})


def test_the_place_for_deployments_comes_from_the_azure_cli() -> None:
    site = deploy.site_of(NAMED, azure)

    assert site == deploy.Site("func.scm.azurewebsites.net", "a token for of azd")
    assert "a token" not in repr(site)


class Cloud:
    """Stands for `deploy.Api`, of Resource Manager and of the vault: holds the key, its marker and a deleted key."""

    group = "/subscriptions/of azd/resourceGroups/group/providers"
    secret = f"{group}/Microsoft.KeyVault/vaults/kv/secrets/people-key"
    marker = f"{group}/Microsoft.Storage/storageAccounts/stexport/blobServices/default/containers/people-key-made"

    def __init__(self, *, key: bool = False, made: str | None = None, deleted: bool = False) -> None:
        self.there: dict[str, Any] = {self.secret: {"properties": {"value": "the first"}}} if key else {}
        if made is not None:
            self.there[self.marker] = {"properties": {"metadata": {"madeOn": made}}}
        self.deleted = deleted
        self.vault_answers: int | None = None
        """What the vault says instead of the truth: it does not know the deployer, or cannot be reached."""
        self.refused: dict[tuple[str, str], int] = {}
        self.takes = 0
        """Looks at the secret until a recovery has taken effect."""

    @property
    def value(self) -> str:
        return str(self.there[self.secret]["properties"]["value"])

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        path, _, version = path.partition("?api-version=")
        if path == "/deletedsecrets/people-key/recover":
            assert (method, version) == ("POST", "7.4")
            return self._recover(), None
        assert version == (deploy.VAULTS_VERSION if path == self.secret else deploy.STORAGE_VERSION)
        if status := self.refused.get((method, path)):
            return status, {"error": {"code": "AuthorizationFailed"}}
        if method == "GET":
            if path == self.secret and self.takes:
                self.takes -= 1
                return 404, None
            return (200, self.there[path]) if path in self.there else (404, {"error": {"code": "NotFound"}})
        if path == self.secret:
            assert path not in self.there, "a second key"
            if self.deleted:
                return 409, None
        self.there[path] = body
        return 201, body

    def _recover(self) -> int:
        if self.vault_answers is not None:
            return self.vault_answers
        if self.deleted:
            self.there[self.secret], self.deleted = {"properties": {"value": "the first"}}, False
            return 200
        return 404


def people_key(cloud: Cloud) -> float:
    clock = Clock()
    deploy.people_key(
        *deploy.secret_and_marker_of(NAMED, cloud),  # type: ignore[arg-type]  # has what is called
        lambda: cloud,  # type: ignore[arg-type, return-value]
        clock,
        clock.sleep,
    )
    return clock.now


@pytest.mark.parametrize("vault_answers", [None, 0, 403], ids=["it may look", "in a network", "without a role"])
def test_a_new_installation_gets_a_key_also_where_its_vault_says_nothing(
    vault_answers: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud = Cloud()
    cloud.vault_answers = vault_answers

    people_key(cloud)

    assert len(base64.urlsafe_b64decode(cloud.value + "=")) == 32
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", cloud.there[Cloud.marker]["properties"]["metadata"]["madeOn"])
    shown = "".join(capsys.readouterr())
    assert "people-key is made" in shown
    assert cloud.value not in shown


def test_two_installations_have_different_keys() -> None:
    one, other = Cloud(), Cloud()
    people_key(one)
    people_key(other)

    assert one.value != other.value


def test_a_second_deployment_leaves_key_and_marker_alone() -> None:
    cloud = Cloud()
    people_key(cloud)
    before = dict(cloud.there)
    cloud.refused = {("PUT", Cloud.secret): 403, ("PUT", Cloud.marker): 403}

    people_key(cloud)

    assert cloud.there == before


def test_a_deployment_that_stopped_before_the_marker_is_completed_by_the_next() -> None:
    cloud = Cloud()
    cloud.refused = {("PUT", Cloud.marker): 500}
    with pytest.raises(deploy.NotAsExpectedError, match=r"PUT storageAccounts/stexport/\S+/people-key-made succeeds"):
        people_key(cloud)
    value, cloud.refused = cloud.value, {}

    people_key(cloud)

    assert cloud.value == value
    assert Cloud.marker in cloud.there


@pytest.mark.parametrize("made", ["2026-11-29", None])
def test_a_deleted_key_is_recovered(made: str | None) -> None:
    cloud = Cloud(made=made, deleted=True)
    cloud.takes = 3

    assert people_key(cloud) == 10
    assert cloud.value == "the first"
    assert Cloud.marker in cloud.there


def test_a_recovery_that_does_not_end_is_told() -> None:
    cloud = Cloud(made="2026-11-29", deleted=True)
    cloud.takes = 1000

    with pytest.raises(deploy.NotAsExpectedError, match="within 120 s of its recovery; repeat the command"):
        people_key(cloud)


def test_a_key_that_is_deleted_for_good_is_not_replaced_behind_the_operators_back() -> None:
    cloud = Cloud(made="2026-11-29")

    with pytest.raises(
        deploy.NotAsExpectedError,
        match=r"people-key of 2026-11-29, found it deleted for good; .*everybody may count as new: delete"
        " container people-key-made of stexport, and repeat",
    ):
        people_key(cloud)

    del cloud.there[Cloud.marker]
    people_key(cloud)
    assert cloud.value


@pytest.mark.parametrize(("answer", "shown"), [(0, "no answer"), (403, "403")])
@pytest.mark.parametrize("made", ["2026-11-29", None])
def test_where_the_vault_does_not_say_whether_a_deleted_key_can_be_recovered_the_operator_has_to_look(
    made: str | None, answer: int, shown: str
) -> None:
    # Without the marker, Resource Manager refuses the name of a deleted secret.
    cloud = Cloud(made=made, deleted=True)
    cloud.vault_answers = answer

    with pytest.raises(deploy.NotAsExpectedError, match=rf"\({shown}\)\. With .* recover --vault-name kv "):
        people_key(cloud)

    assert Cloud.secret not in cloud.there


@pytest.mark.parametrize(
    ("method", "path", "right"),
    [
        ("GET", Cloud.secret, "Microsoft.KeyVault/vaults/secrets/read on kv"),
        ("PUT", Cloud.secret, "Microsoft.KeyVault/vaults/secrets/write on kv"),
        ("GET", Cloud.marker, "Microsoft.Storage/storageAccounts/blobServices/containers/read on stexport"),
        ("PUT", Cloud.marker, "Microsoft.Storage/storageAccounts/blobServices/containers/write on stexport"),
    ],
)
def test_a_right_that_is_missing_is_named(method: str, path: str, right: str) -> None:
    cloud = Cloud()
    cloud.refused = {(method, path): 403}

    with pytest.raises(deploy.NotAsExpectedError, match=f"expected the right {right}, found 403"):
        people_key(cloud)


def test_an_answer_that_does_not_say_whether_there_is_a_key_makes_none() -> None:
    cloud = Cloud()
    cloud.refused = {("GET", Cloud.secret): 503}

    with pytest.raises(deploy.NotAsExpectedError, match="GET vaults/kv/secrets/people-key succeeds, found 503"):
        people_key(cloud)

    assert cloud.there == {}


def test_resource_manager_and_the_vault_each_get_a_token_of_their_own() -> None:
    manager, vault = deploy.apis_of(NAMED, azure)

    assert manager == deploy.Api("https://management.azure.com", "a token for of azd")
    assert vault() == deploy.Api("https://kv.vault.azure.net", "a token for https://vault.azure.net")
    assert "a token" not in repr(manager)


def test_no_connection_can_name_the_key() -> None:
    assert not deploy.PEOPLE_KEY.startswith(SECRET_PREFIXES)


def test_the_key_is_made_with_the_versions_that_the_template_was_checked_with() -> None:
    (vault,) = resources("Microsoft.KeyVault/vaults")
    containers = resources("Microsoft.Storage/storageAccounts/blobServices/containers")

    assert vault.of.endswith(f"@{deploy.VAULTS_VERSION}")
    assert {one.of.partition("@")[2] for one in containers} == {deploy.STORAGE_VERSION}
