"""A browser signs in with the token or with a link, and the session ends when it must."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.support.api_server import eventually

from segue.api import sessions
from segue.api.accounts import CACHED_S, Accounts
from segue.api.forgetting import simulated_listeners
from segue.api.sessions import Sessions, page_address
from segue.demo.report import _page_of
from segue.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture
def browser(api: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=api) as client:
        yield client


def sign_in(browser: httpx.Client, **presented: str) -> bool:
    answer = browser.post("/v1/sign-in", json=presented)
    assert answer.status_code == 200, "browsers write other statuses to the console"
    found = answer.json()
    assert (found["user_name"] is None) == bool(found.get("refused")) == ("set-cookie" not in answer.headers)
    return found["user_name"] is not None


def private(browser: httpx.Client, user: str) -> int:
    """Ask for something that only the user may see."""
    return browser.get(f"/v1/users/{user}/refused-listens").status_code


def test_the_token_opens_a_session_that_scripts_cannot_read_until_the_user_signs_out(
    browser: httpx.Client, new_user: tuple[str, str]
) -> None:
    user, token = new_user
    assert private(browser, user) == 401
    assert browser.get("/v1/sign-in").json() == {"user_name": None}
    answer = browser.post("/v1/sign-in", json={"token": token})
    assert answer.json() == {"user_name": user}
    attributes = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= attributes
    assert token not in answer.headers["set-cookie"]
    assert private(browser, user) == 200
    assert browser.get("/v1/sign-in").json() == {"user_name": user}
    assert private(browser, "somebody-else") == 404
    key = browser.cookies["segue_session"]
    assert browser.post("/v1/sign-out").status_code == 204
    assert private(browser, user) == 401
    assert private(httpx.Client(base_url=browser.base_url, cookies={"segue_session": key}), user) == 401
    assert browser.get("/1/validate-token", headers={"Authorization": f"Token {token}"}).json()["valid"]


def test_a_page_of_another_origin_cannot_use_the_session(browser: httpx.Client, new_user: tuple[str, str]) -> None:
    assert sign_in(browser, token=new_user[1])
    love = {"recording_msid": "2b29a3ad-75e9-4ae3-bdd7-7e0c3c1d2bd1", "score": 1}
    statuses = {
        origin: browser.post(
            "/1/feedback/recording-feedback", json=love, headers={"Origin": origin} if origin else {}
        ).status_code
        for origin in ("http://127.0.0.1:1", "https://example.org", "null", str(browser.base_url), "")
    }
    assert list(statuses.values()) == [401, 401, 401, 200, 200]


def test_a_link_signs_in_once_and_within_ten_minutes(
    browser: httpx.Client,
    api_settings: Settings,
    database: Any,
    new_user: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user, _ = new_user
    address = urlsplit(page_address(database, api_settings, user))
    assert address.path == f"/u/{user}"
    code = address.fragment.removeprefix("code=")
    assert not sign_in(browser, code="no code")
    assert sign_in(browser, code=code)
    assert private(browser, user) == 200
    assert not sign_in(httpx.Client(base_url=browser.base_url), code=code)
    monkeypatch.setattr(sessions, "CODE_S", 0.0)
    late = Sessions(database).make_code(user)
    time.sleep(0.01)
    assert not sign_in(browser, code=late)
    assert private(browser, user) == 200, "the session from before goes on"


@pytest.mark.parametrize("end", [Accounts.rotate, Accounts.revoke])
def test_a_session_and_a_link_end_with_the_token(
    browser: httpx.Client, database: Any, new_user: tuple[str, str], end: Any
) -> None:
    user, token = new_user
    assert sign_in(browser, token=token)
    code = Sessions(database).make_code(user)
    assert private(browser, user) == 200
    end(Accounts(database), user)
    eventually(lambda: private(browser, user) == 401, timeout_s=CACHED_S + 5)
    assert not sign_in(browser, code=code)
    assert not sign_in(browser, token=token)


def test_a_simulated_listener_gets_an_account_for_the_link_and_stays_simulated(
    browser: httpx.Client, api_settings: Settings, database: Any
) -> None:
    database["recommendations"].insert_one({"_id": "sim-0001"})
    _page_of(database, api_settings, "sim-0001")  # in the demo's table
    code = urlsplit(_page_of(database, api_settings, "sim-0001")).fragment.removeprefix("code=")
    assert sign_in(browser, code=code)
    assert private(browser, "sim-0001") == 200
    assert simulated_listeners(database) == ["sim-0001"]
    [shown] = [account for account in Accounts(database).all() if account.user_name == "sim-0001"]
    assert not shown.active
    Accounts(database).rotate("sim-0001")  # somebody real takes it over
    assert simulated_listeners(database) == []
    Accounts(database).remove("sim-0001")
    database["recommendations"].delete_one({"_id": "sim-0001"})


@pytest.mark.parametrize("body", [{}, {"token": ""}, {"code": ""}, {"token": None}])
def test_nothing_signs_nobody_in(browser: httpx.Client, body: dict[str, Any]) -> None:
    assert not sign_in(browser, **body)


def test_what_is_no_sign_in_is_refused_with_a_sentence(browser: httpx.Client) -> None:
    for content in ('{"token": 5}', "[]", "{", '{"password": "x"}', '{"token": "' + "x" * 300 + '"}'):
        answer = browser.post("/v1/sign-in", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400
        assert answer.json()["error"]
