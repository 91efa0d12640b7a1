"""Whatever a client sends, it gets a sentence and never a 500, and what is refused is not in Kafka."""

from __future__ import annotations

import json
import socket
import time
import uuid
from typing import Any

import httpx
import pytest
from tests.support.api_server import eventually, in_kafka

from segue.api import access
from segue.api.accounts import Accounts
from segue.listens import limits
from segue.settings import Settings

pytestmark = pytest.mark.integration

NOW = int(time.time())
METADATA = {"artist_name": "Rick Astley", "track_name": "Never Gonna Give You Up"}


def listen(**changes: Any) -> dict[str, Any]:
    return {"listened_at": NOW, "track_metadata": METADATA} | changes


def metadata(**changes: Any) -> dict[str, Any]:
    return listen(track_metadata=METADATA | changes)


def info(**changes: Any) -> dict[str, Any]:
    return metadata(additional_info=changes)


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else "deep"


INVALID_LISTENS = {
    "no time": ({"track_metadata": METADATA}, "must contain the key listened_at"),
    "a time that is a word": (listen(listened_at="yesterday"), "an int value for listened_at"),
    "a time that is an object": (listen(listened_at={"$gt": 0}), "an int value for listened_at"),
    "infinite time": (listen(listened_at=10**400), "too high"),
    "the day after tomorrow": (listen(listened_at=NOW + 30 * 3600), "Set the clock of the player"),
    "1970": (listen(listened_at=0), "the clock of the player is not set"),
    "before 2002": (listen(listened_at=1_033_430_399), "too low"),
    "no metadata": ({"listened_at": NOW}, "must contain the key track_metadata"),
    "null metadata": (listen(track_metadata=None), "track_metadata with null value"),
    "metadata that is a list": (listen(track_metadata=[]), "must be a json object"),
    "no artist": (listen(track_metadata={"track_name": "x"}), "required field track_metadata.artist_name"),
    "an empty title": (metadata(track_name="  "), "track_metadata.track_name is empty"),
    "a title that is an operator": (metadata(track_name={"$ne": None}), "must be a single string"),
    "a title of nothing but a null byte": (metadata(track_name="\x00"), "track_metadata.track_name is empty"),
    "a title of 11 KB": (metadata(track_name="x" * 11_000), "track_name is too long"),
    "an artist of 10 MB": (metadata(artist_name="x" * 10_000_000), "artist_name is too long"),
    "a number": (5, "Listen is empty"),
    "null": (None, "Listen is empty"),
}


@pytest.mark.parametrize(("wrong", "sentence"), INVALID_LISTENS.values(), ids=INVALID_LISTENS)
def test_invalid_listen_refuses_the_request(client: httpx.Client, wrong: Any, sentence: str) -> None:
    answer = client.post("/1/submit-listens", json={"listen_type": "import", "payload": [wrong]})
    assert answer.status_code == 400
    assert answer.json()["code"] == 400
    assert sentence in answer.json()["error"]
    assert [each["index"] for each in answer.json()["refused"]] == [0]


INVALID_BODIES = {
    "nothing": (b"", "Cannot parse JSON"),
    "half": (b'{"listen_type": "single", "payl', "Cannot parse JSON"),
    "no UTF-8": (b'{"listen_type": "\xff"}', "Cannot parse JSON"),
    "not a number": (b'{"listen_type": NaN}', "Invalid JSON document"),
    "a form": (b"listen_type=single&payload=x", "Cannot parse JSON"),
    "1,000 lists in each other": (json.dumps(nested(900)).encode() * 2, "Cannot parse JSON"),
    "a list": (b"[]", "Top level"),
    "no payload": (b'{"listen_type": "single"}', "Invalid JSON document"),
    "empty payload": (b'{"listen_type": "single", "payload": []}', "does not contain any listens"),
    "payload that is an object": (b'{"listen_type": "single", "payload": {"$gt": ""}}', "should be a list"),
    "unknown type": (json.dumps({"listen_type": "double", "payload": [listen()]}).encode(), "valid listen_type"),
    "type that is a list": (json.dumps({"listen_type": [], "payload": [listen()]}).encode(), "valid listen_type"),
    "two that play now": (
        json.dumps({"listen_type": "playing_now", "payload": [listen()] * 2}).encode(),
        "only one",
    ),
    "1,001 listens": (json.dumps({"listen_type": "import", "payload": [listen()] * 1001}).encode(), "Too many"),
    "11 MB": (b" " * 11_000_000, "Payload too large"),
}


@pytest.mark.parametrize(("body", "sentence"), INVALID_BODIES.values(), ids=INVALID_BODIES)
def test_invalid_body_is_refused(client: httpx.Client, body: bytes, sentence: str) -> None:
    answer = client.post("/1/submit-listens", content=body)
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]


def test_what_was_refused_is_not_in_kafka(
    client: httpx.Client, new_user: tuple[str, str], api_settings: Settings
) -> None:
    bad = {"listen_type": "import", "payload": [listen(listened_at=0), listen(track_metadata=None)]}
    assert client.post("/1/submit-listens", json=bad).is_client_error
    for body, _ in INVALID_BODIES.values():
        assert client.post("/1/submit-listens", content=body).is_client_error
    assert in_kafka(api_settings, new_user[0]) == []


def test_a_thousand_large_listens_are_accepted(client: httpx.Client, new_user: tuple[str, str]) -> None:
    payload = [info(comment="x" * 9_000) | {"listened_at": NOW - 60 * i} for i in range(1000)]
    answer = client.post("/1/submit-listens", json={"listen_type": "import", "payload": payload}, timeout=60)
    assert answer.json() == {"status": "ok"}
    count = f"/1/user/{new_user[0]}/listen-count"
    eventually(lambda: client.get(count).json()["payload"]["count"] == 1000)


def test_what_plays_is_kept_without_what_kafka_would_not_take(
    client: httpx.Client, new_user: tuple[str, str]
) -> None:
    playing = {"track_metadata": METADATA | {"additional_info": {"comment": "é" * 4_000_000}}}
    answer = client.post("/1/submit-listens", json={"listen_type": "playing_now", "payload": [playing]})
    assert answer.json() == {"status": "ok"}
    [shown] = client.get(f"/1/user/{new_user[0]}/playing-now").json()["payload"]["listens"]
    assert shown["track_metadata"] == METADATA | {"additional_info": {}}


def test_a_bad_listen_costs_no_other_and_is_shown_to_its_user(
    client: httpx.Client, new_user: tuple[str, str], api_settings: Settings
) -> None:
    payload = [
        listen(listened_at=NOW - 600),
        listen(listened_at=0),
        listen(),
        metadata(track_name="x" * 11_000),
        5,
    ]
    answer = client.post("/1/submit-listens", json={"listen_type": "import", "payload": payload})
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    refused = answer.json()["refused"]
    assert [each["index"] for each in refused] == [1, 3, 4]
    assert "the clock of the player is not set" in refused[0]["error"]
    assert [event.listened_at for event in in_kafka(api_settings, new_user[0])] == [NOW - 600, NOW]
    shown = client.get(f"/v1/users/{new_user[0]}/refused-listens").json()["refused"]
    assert [each["error"] for each in shown] == [each["error"] for each in reversed(refused)]
    assert "Never Gonna Give You Up" in shown[-1]["listen"]
    assert len(shown[1]["listen"]) <= 1_000


def test_only_the_last_refusals_are_kept(client: httpx.Client, new_user: tuple[str, str]) -> None:
    for title in ("first", "last"):
        payload = [listen(listened_at=0, track_metadata=METADATA | {"track_name": title})] * 40
        assert client.post("/1/submit-listens", json={"listen_type": "import", "payload": payload}).is_client_error
    shown = client.get(f"/v1/users/{new_user[0]}/refused-listens").json()["refused"]
    assert (len(shown), sum("last" in each["listen"] for each in shown)) == (50, 40)


def test_out_of_order_and_old_listens_are_shown_in_order(client: httpx.Client, new_user: tuple[str, str]) -> None:
    times = [NOW - 50, 1_100_000_000, NOW - 5_000, 1_300_000_000]
    for listened_at in times:
        single = {"listen_type": "single", "payload": [listen(listened_at=listened_at)]}
        assert client.post("/1/submit-listens", json=single).is_success

    def shown() -> list[int]:
        payload = client.get(f"/1/user/{new_user[0]}/listens").json()["payload"]
        return [each["listened_at"] for each in payload["listens"]]

    eventually(lambda: len(shown()) == 4)
    assert shown() == sorted(times, reverse=True)


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (None, "You need to provide an Authorization header."),
        ("Token", "Provided Authorization header is invalid."),
        ("Basic abc", "Provided Authorization header is invalid."),
        ("Token 97a8ae7b-6349-41ff-8a0a-7732a5d2d56c", "Invalid authorization token."),
        ('Token {"$gt": ""}', "Invalid authorization token."),
        (b"Token \xff\xfe", "Invalid authorization token."),
    ],
)
def test_wrong_token_is_refused(api: str, header: str | bytes | None, sentence: str) -> None:
    headers: Any = [(b"Authorization", header.encode() if isinstance(header, str) else header)] if header else []
    answer = httpx.post(f"{api}/1/submit-listens", headers=headers, json={})
    assert (answer.status_code, answer.json()) == (401, {"code": 401, "error": sentence})
    assert "X-RateLimit-Remaining" in answer.headers


def test_a_token_reads_its_own_user_only(client: httpx.Client, database: Any) -> None:
    other = f"other-{time.monotonic_ns()}"
    Accounts(database).add(other)
    for path in ("listens", "listen-count", "playing-now"):
        assert client.get(f"/1/user/{other}/{path}").status_code == 403
        assert client.get(f"/1/user/no-such-{other}/{path}").status_code == 404
        assert client.get(f"/1/user/%7B%22$gt%22:%22%22%7D/{path}").status_code == 404
    assert client.get(f"/1/feedback/user/{other}/get-feedback").status_code == 403
    assert client.get("/1/latest-import", params={"user_name": other}).status_code == 403


def test_rotated_and_revoked_tokens_end_within_seconds(api: str, database: Any, new_user: tuple[str, str]) -> None:
    name, old = new_user

    def valid(token: str) -> bool:
        answer = httpx.get(f"{api}/1/validate-token", headers={"Authorization": f"Token {token}"})
        return bool(answer.json()["valid"])

    assert valid(old)
    new = Accounts(database).rotate(name)
    assert valid(new)
    eventually(lambda: not valid(old))
    Accounts(database).revoke(name)
    eventually(lambda: not valid(new))


def test_latest_import_never_goes_back(client: httpx.Client, new_user: tuple[str, str]) -> None:
    for ts in (5_000, 3_000):
        assert client.post("/1/latest-import", json={"ts": ts}).is_success
    told = client.get("/1/latest-import", params={"user_name": new_user[0]}).json()
    assert (told["musicbrainz_id"], told["latest_import"]) == (new_user[0], 5_000)
    assert client.post("/1/latest-import", json={"ts": 1, "service": "$where"}).status_code == 404


def test_feedback_by_msid_and_what_is_wrong_with_it(client: httpx.Client, new_user: tuple[str, str]) -> None:
    url, msid = "/1/feedback/recording-feedback", str(uuid.uuid4())
    assert client.post(url, json={"recording_msid": msid, "score": 1}).is_success
    told = client.get(f"/1/feedback/user/{new_user[0]}/get-feedback", params={"score": 1}).json()
    assert [item["recording_msid"] for item in told["feedback"]] == [msid]
    for wrong in ({"score": 1}, {"recording_msid": msid}, {"recording_msid": msid, "score": 2},
                  {"recording_msid": {"$ne": ""}, "score": 1}, {"recording_msid": "x", "score": 1},
                  {"recording_msid": msid, "score": True}):  # fmt: skip
        assert client.post(url, json=wrong).status_code == 400


def test_slow_body_is_given_up(api: str, new_user: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access.limits, "BODY_TIMEOUT_S", 0.3)
    host, port = api.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as slow:
        head = f"POST /1/submit-listens HTTP/1.1\r\nHost: x\r\nAuthorization: Token {new_user[1]}\r\n"
        slow.sendall(f"{head}Content-Length: 1000\r\n\r\n{{".encode())
        assert slow.recv(100).startswith(b"HTTP/1.1 408")


def test_limits_are_listenbrainz_own() -> None:
    assert (limits.MAX_BODY_BYTES, limits.MAX_LISTENS_PER_REQUEST) == (10_240_000, 1_000)
