"""Requests as real players send them, one line of clients.jsonl each, against the real API."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_server import eventually, free_port, in_kafka, serving

from segue.serving.accounts import Accounts
from segue.settings import Settings

pytestmark = pytest.mark.integration

CASES = [json.loads(line) for line in (Path(__file__).parent / "clients.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def usual_limits(api_settings: Settings, database: Any) -> Iterator[str]:
    """An API with the default limits; the shared one has none to speak of."""
    assert database is not None
    defaults = {name: Settings.model_fields[name].default for name in ("api_requests_per_window",)}
    with serving(api_settings.model_copy(update=defaults | {"api_port": free_port()})) as url:
        yield url


def filled(value: Any, user: str, token: str, now: int) -> Any:
    """Put user, token and times in the place of a case's placeholders."""
    if isinstance(value, dict):
        return {key: filled(each, user, token, now) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, user, token, now) for each in value]
    if not isinstance(value, str):
        return value
    if value.startswith("NOW+"):
        return now + int(value.removeprefix("NOW+"))
    encoded = base64.b64encode(token.encode()).decode()
    return value.replace("BASE64_OF_TOKEN", encoded).replace("TOKEN", token).replace("USER", user)


def fits(answer: Any, expected: Any) -> bool:
    """Tell whether an answer has at least what is expected; "*" stands for anything but null."""
    if expected == "*":
        return answer is not None
    if isinstance(expected, dict):
        return isinstance(answer, dict) and all(k in answer and fits(answer[k], v) for k, v in expected.items())
    if isinstance(expected, list):
        same = isinstance(answer, list) and len(answer) == len(expected)
        return same and all(fits(a, e) for a, e in zip(answer, expected, strict=True))
    return bool(answer == expected)


def send(url: str, case: dict[str, Any], user: str, token: str, repeat: int = 0) -> httpx.Response:
    body = filled(case["body"], user, token, int(time.time()))
    if repeat:
        body["payload"][0]["listened_at"] += repeat
    with httpx.Client(timeout=30, follow_redirects=False) as client:
        # Not `base_url=`, which would mend double slashes on the way.
        address = url + filled(case["path"], user, token, 0)
        headers = filled(case["headers"], user, token, 0)
        return client.request(case["method"], address, headers=headers, json=body)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_request_is_answered_as_its_player_expects(
    request: pytest.FixtureRequest,
    api: str,
    api_settings: Settings,
    database: Any,
    new_user: tuple[str, str],
    client: httpx.Client,
    case: dict[str, Any],
) -> None:
    user, token = new_user
    if "public" in case.get("given", ""):
        assert send(api, case, user, token).status_code == 401
        Accounts(database).set_public(user, True)
    if "after a love" in case.get("given", ""):
        love(client, user)
    url = request.getfixturevalue("usual_limits") if "repeat" in case else api
    answers = [send(url, case, user, token, number) for number in range(case.get("repeat", 1))]
    allowed = case["expect"]["status"]
    for answer in answers:
        assert answer.status_code in (allowed if isinstance(allowed, list) else [allowed]), answer.text
        if answer.status_code == 503:
            assert int(answer.headers["Retry-After"]) > 0
        elif "body" in case["expect"]:
            assert fits(answer.json(), filled(case["expect"]["body"], user, token, 0)), answer.text
    if case["method"] == "POST" and case["body"]["listen_type"] != "playing_now":
        kept = in_kafka(api_settings, user)
        sent = sum(len(case["body"]["payload"]) for answer in answers if answer.status_code == 200)
        assert len({event.event_id for event in kept}) == sent
        assert all(event.recording_mbid is None for event in kept)


def love(client: httpx.Client, user: str) -> str:
    """Play something and love it as Pano Scrobbler does: by its MSID."""
    names = {"artist_name": "Ina Vogel", "track_name": "Ruhiger Fluss", "release_name": "Quelle"}
    listen = {"listened_at": 1_700_000_000, "track_metadata": names}
    client.post("/1/submit-listens", json={"listen_type": "single", "payload": [listen]}).raise_for_status()
    [shown] = eventually(lambda: client.get(f"/1/user/{user}/listens").json()["payload"]["listens"])
    msid = str(shown["recording_msid"])
    client.post("/1/feedback/recording-feedback", json={"recording_msid": msid, "score": 1}).raise_for_status()
    return msid
