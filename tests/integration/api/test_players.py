"""Requests as real players send them, one line of clients.jsonl each, against the real API."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.api_server import eventually, free_port, in_kafka, serving
from tests.support.navidrome import Drained, drain

from segue.api.accounts import CACHED_S, AccountError, Accounts
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


def test_headers_of_the_rate_limit_are_spelled_as_by_listenbrainz(api: str, new_user: tuple[str, str]) -> None:
    host, port = api.removeprefix("http://").split(":")
    ask = f"GET /1/validate-token HTTP/1.1\r\nHost: x\r\nAuthorization: Token {new_user[1]}\r\n"
    with socket.create_connection((host, int(port)), timeout=20) as player:
        player.sendall(f"{ask}Connection: close\r\n\r\n".encode())
        head = b"".join(iter(lambda: player.recv(4_096), b"")).partition(b"\r\n\r\n")[0].decode()
    names = [line.partition(":")[0] for line in head.splitlines()]
    for name in ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset-In", "X-RateLimit-Reset"):
        assert name in names


def test_the_first_request_of_a_player_in_java_arrives_with_its_body(
    api: str, new_user: tuple[str, str], api_settings: Settings
) -> None:
    host, port = api.removeprefix("http://").split(":")
    answers = []
    with socket.create_connection((host, int(port)), timeout=20) as player:
        for number, offer in enumerate(("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n", "")):
            body = json.dumps({"listen_type": "single", "payload": [listen_number(number)]})
            head = f"POST /1/submit-listens HTTP/1.1\r\nHost: x\r\nAuthorization: Token {new_user[1]}\r\n{offer}"
            player.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
            player.sendall(body.encode())
            answers.append(player.recv(4_096).partition(b"\r\n")[0])
    assert answers == [b"HTTP/1.1 200 OK"] * 2
    assert len(in_kafka(api_settings, new_user[0])) == 2


def test_a_buffer_that_is_drained_as_navidrome_does_arrives_whole(api_settings: Settings, database: Any) -> None:
    user = f"navidrome-{time.monotonic_ns()}"
    token = Accounts(database).add(user)
    tight = api_settings.model_copy(update={"api_requests_per_window": 100, "api_port": free_port()})
    with serving(tight) as url:
        tally = Drained()
        drain(url, token, [listen_number(number) for number in range(130)], tally)
    assert (tally.discarded, tally.sent) == ({}, 130)
    assert len({event.event_id for event in in_kafka(tight, user)}) == 130


def test_who_submits_faster_than_waiting_helps_gets_503_and_loses_nothing(
    api_settings: Settings, database: Any
) -> None:
    user = f"many-{time.monotonic_ns()}"
    token = Accounts(database).add(user)
    tight = api_settings.model_copy(update={"api_requests_per_window": 20, "api_port": free_port()})
    with serving(tight) as url:
        tallies = [Drained() for _ in range(40)]
        threads = [
            threading.Thread(target=drain, args=(url, token, [listen_number(i), listen_number(1_000 + i)], tally))
            for i, tally in enumerate(tallies)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(tally.retried for tally in tallies) > 0
    assert [tally.discarded for tally in tallies] == [{}] * 40
    assert len({event.event_id for event in in_kafka(tight, user)}) == 80


def test_a_valid_token_is_heard_where_somebody_guesses(api_settings: Settings, database: Any) -> None:
    token = Accounts(database).add(f"beside-{time.monotonic_ns()}")
    few = {"api_anonymous_requests_per_window": 3, "api_port": free_port()}
    with serving(api_settings.model_copy(update=few)) as url, httpx.Client(base_url=url, timeout=30) as player:
        body = {"listen_type": "single", "payload": [listen_number(1)]}
        mine = {"Authorization": f"Token {token}"}
        assert player.post("/1/submit-listens", json=body, headers=mine).status_code == 200
        until = time.monotonic() + CACHED_S + 1  # by then the API asks the database for the token again
        while time.monotonic() < until:
            guess = {"Authorization": f"Token {time.monotonic_ns()}"}
            player.post("/1/submit-listens", json=body, headers=guess)
            time.sleep(0.05)
        eventually(lambda: player.post("/1/submit-listens", json=body).status_code == 429)
        assert player.post("/1/submit-listens", json=body, headers=mine).status_code == 200
        new = {"Authorization": f"Token {Accounts(database).add(f'new-{time.monotonic_ns()}')}"}
        unknown = player.post("/1/submit-listens", json=body, headers=new)  # it may be a user's, and is one
        assert (unknown.status_code, int(unknown.headers["Retry-After"]) > 0) == (503, True)
        assert player.get("/1/validate-token", headers=new).status_code == 429


def test_names_of_users_match_in_any_case_but_other_users_do_not(
    client: httpx.Client, database: Any, new_user: tuple[str, str]
) -> None:
    user = new_user[0]
    for path in ("/1/user/{}/listens", "/1/user/{}/listen-count", "/1/user/{}/playing-now", "/1/user/{}/following",
                 "/1/feedback/user/{}/get-feedback", "/1/latest-import?user_name={}"):  # fmt: skip
        assert client.get(path.format(user.upper())).status_code == 200
    other = f"Other-{time.monotonic_ns()}"
    Accounts(database).add(other)
    assert client.get(f"/1/user/{other.upper()}/listens").status_code == 403
    with pytest.raises(AccountError, match="differ only in case"):
        Accounts(database).add(other.lower())


def test_accounts_of_earlier_versions_are_found_in_any_case_and_are_not_public(database: Any) -> None:
    accounts, name = Accounts(database), f"Old-{time.monotonic_ns()}"
    database["accounts"].insert_one({"_id": name, "created_at": datetime.now(UTC)})
    accounts.create_indexes()
    found = accounts.find(name.upper())
    assert (found and found.user_name, found and found.public) == (name, False)


def test_public_reads_need_no_token_and_give_nothing_else(
    api: str, client: httpx.Client, database: Any, new_user: tuple[str, str]
) -> None:
    user = new_user[0]
    love(client, user)
    Accounts(database).set_public(user, True)
    public = (f"/1/user/{user}/listens", f"/1/user/{user}/listen-count", f"/1/stats/user/{user}/artists",
              f"/1/feedback/user/{user.upper()}/get-feedback", f"/1/latest-import?user_name={user}")  # fmt: skip
    private = (f"/1/user/{user}/playing-now", f"/v1/users/{user}/refused-listens", f"/1/user/{user}/following")
    assert [httpx.get(api + path).status_code for path in public] == [200] * len(public)
    assert [httpx.get(api + path).status_code for path in private] == [401] * len(private)
    assert httpx.get(api + public[0], headers={"Authorization": "Token x"}).status_code == 401
    assert httpx.post(f"{api}/1/submit-listens", json={}).status_code == 401
    Accounts(database).set_public(user, False)
    assert [httpx.get(api + path).status_code for path in public] == [401] * len(public)


def test_a_time_ahead_is_stored_as_that_of_arrival_and_told_beside(
    client: httpx.Client, new_user: tuple[str, str], api_settings: Settings
) -> None:
    ahead = int(time.time()) + 7_200
    body = {"listen_type": "single", "payload": [listen_number(0) | {"listened_at": ahead}]}
    for _ in range(2):  # sent again, it is the same listen, though it arrives later
        assert client.post("/1/submit-listens", json=body).status_code == 200
        time.sleep(1.1)
    assert len({event.event_id for event in in_kafka(api_settings, new_user[0])}) == 1
    [shown] = eventually(lambda: client.get(f"/1/user/{new_user[0]}/listens").json()["payload"]["listens"])
    assert shown["listened_at"] <= time.time()
    assert shown["segue"]["claimed_at"] == ahead


def test_fields_that_are_dropped_are_counted_and_kept_as_they_came(
    client: httpx.Client, new_user: tuple[str, str], api_settings: Settings
) -> None:
    def counted() -> float:
        lines = client.get("/metrics").text.splitlines()
        found = [line for line in lines if line.startswith('segue_listen_fields_dropped_total{field="duration"}')]
        return float(found[0].split()[-1]) if found else 0.0

    before = counted()
    odd = listen_number(0)
    odd["track_metadata"]["additional_info"] = {"duration": "3:35", "comment": "kept"}
    assert client.post("/1/submit-listens", json={"listen_type": "single", "payload": [odd]}).status_code == 200
    assert counted() == before + 1
    [event] = in_kafka(api_settings, new_user[0])
    assert (event.additional_info, event.dropped) == ({"comment": "kept"}, {"duration": '"3:35"'})


def test_equal_bounds_give_an_empty_list(client: httpx.Client, new_user: tuple[str, str]) -> None:
    listens = f"/1/user/{new_user[0]}/listens"
    answer = client.get(listens, params={"min_ts": 1_700_000_000, "max_ts": 1_700_000_000})
    assert (answer.status_code, answer.json()["payload"]["listens"]) == (200, [])
    assert client.get(listens, params={"min_ts": 2, "max_ts": 1}).status_code == 400


def test_a_love_has_names_whether_it_is_of_what_plays_of_a_listen_or_of_the_corpus(
    client: httpx.Client, new_user: tuple[str, str]
) -> None:
    user, mbid = new_user[0], "98255a8c-017a-4bc7-8dd6-1fa36124572b"
    msid = love(client, user)
    playing = {"track_metadata": {"artist_name": "Ina Vogel", "track_name": "Jetzt"}}
    playing["track_metadata"]["additional_info"] = {"recording_mbid": mbid}  # type: ignore[assignment]
    answer = client.post(
        "/1/submit-listens?return_msid=true", json={"listen_type": "playing_now", "payload": [playing]}
    )
    url, loves = "/1/feedback/recording-feedback", f"/1/feedback/user/{user}/get-feedback"
    assert client.post(url, json={"recording_mbid": mbid, "score": 1}).status_code == 200
    client.post("/1/playing-now/delete")
    rows = client.get(loves, params={"metadata": "true"}).json()["feedback"]
    assert [row["track_metadata"]["track_name"] for row in rows] == ["Jetzt", "Ruhiger Fluss"]
    assert [row["recording_msid"] for row in rows] == [answer.json()["recording_msid"], msid]
    assert "track_metadata" not in client.get(loves).json()["feedback"][0]


def test_loves_of_earlier_versions_get_names_too(
    client: httpx.Client, database: Any, new_user: tuple[str, str]
) -> None:
    msid = love(client, new_user[0])
    nameless = {"artist_name": "", "track_name": "", "release_name": ""}
    mine = {"user_name": new_user[0], "recording_msid": msid}
    database["feedback"].update_one(mine, {"$set": {"schema_version": 1}, "$unset": nameless})
    loves = f"/1/feedback/user/{new_user[0]}/get-feedback?metadata=true"
    [row] = client.get(loves).json()["feedback"]
    assert row["track_metadata"]["track_name"] == "Ruhiger Fluss"
    assert database["feedback"].find_one(mine)["schema_version"] == 2


def test_a_love_is_taken_back_by_either_id(client: httpx.Client, new_user: tuple[str, str]) -> None:
    url, both = (
        "/1/feedback/recording-feedback",
        {"recording_mbid": str(uuid.uuid4()), "recording_msid": str(uuid.uuid4())},
    )
    asked = f"/1/feedback/user/{new_user[0]}/get-feedback-for-recordings"
    for taken_back in both.items():
        client.post(url, json=both | {"score": 1}).raise_for_status()
        told = client.get(asked, params={"recording_msids": both["recording_msid"]}).json()["feedback"]
        assert [row["score"] for row in told] == [1]
        client.post(url, json=dict([taken_back]) | {"score": 0}).raise_for_status()
        told = client.get(asked, params={"recording_msids": both["recording_msid"]}).json()["feedback"]
        assert [(row["recording_msid"], row["score"]) for row in told] == [(both["recording_msid"], 0)]
    assert client.get(asked).status_code == 400
    assert client.get(asked, params={"recording_msids": "x"}).status_code == 400


def test_statistics_count_the_users_own_listens_by_range(client: httpx.Client, new_user: tuple[str, str]) -> None:
    user, now = new_user[0], int(time.time())
    plays = [("Ina Vogel", "Eins", now - 5), ("INA VOGEL", "Zwei", now - 4), ("Björk", "Jóga", now - 3)]
    plays += [("Björk", "Jóga", 1_100_000_000)] * 3  # sent three times, it is one listen of 2004
    payload = [
        {
            "listened_at": at,
            "track_metadata": {"artist_name": artist, "track_name": title, "release_name": "Album"},
        }
        for artist, title, at in plays
    ]
    client.post("/1/submit-listens", json={"listen_type": "import", "payload": payload}).raise_for_status()
    eventually(lambda: client.get(f"/1/user/{user}/listen-count").json()["payload"]["count"] == 4)

    def most(what: str, range_: str, **more: int) -> list[tuple[str, int]]:
        asked = client.get(f"/1/stats/user/{user}/{what}", params={"range": range_, **more})
        assert asked.json()["payload"]["user_id"] == user
        name = {"artists": "artist_name", "releases": "artist_name", "recordings": "track_name"}[what]
        return [(row[name], row["listen_count"]) for row in asked.json()["payload"][what]]

    assert most("artists", "this_year") == [("INA VOGEL", 2), ("Björk", 1)]
    assert most("releases", "all_time") == [("Björk", 2), ("INA VOGEL", 2)]
    assert most("recordings", "all_time") == [("Jóga", 2), ("Eins", 1), ("Zwei", 1)]
    assert most("recordings", "all_time", count=1, offset=1) == [("Eins", 1)]
    activity = client.get(f"/1/stats/user/{user}/listening-activity", params={"range": "all_time"}).json()
    years = {row["time_range"]: row["listen_count"] for row in activity["payload"]["listening_activity"]}
    assert (next(iter(years)), years["2004"], sum(years.values())) == ("2004", 1, 4)
    assert client.get(f"/1/stats/user/{user}/artists", params={"range": "year"}).status_code == 204
    assert client.get(f"/1/stats/user/{user}/artists", params={"range": "decade"}).status_code == 400


def test_a_recording_is_looked_up_by_its_names(client: httpx.Client, database: Any) -> None:
    asked = {"artist_name": "björk", "recording_name": "joga"}
    assert client.get("/1/metadata/lookup/", params=asked).json() == {}
    mbid, release, artist = (str(uuid.uuid4()) for _ in range(3))
    ids = {"recording_mbid": mbid, "release_mbid": release, "artist_mbids": [artist]}
    database["tracks"].update_one({"_id": "t2"}, {"$set": ids})
    found = client.get("/1/metadata/lookup", params=asked).json()
    database["tracks"].update_one({"_id": "t2"}, {"$unset": ids})
    assert found["recording_name"] == "Jóga"
    assert found.items() >= ids.items()
    assert client.get("/1/metadata/lookup", params={"artist_name": "Björk"}).status_code == 400


def test_what_segue_does_not_keep_is_empty_or_refused_politely(
    client: httpx.Client, new_user: tuple[str, str]
) -> None:
    user = new_user[0]
    assert client.get(f"/1/user/{user}/followers").json() == {"followers": [], "user": user}
    assert client.get(f"/1/user/{user}/playlists").json()["playlists"] == []
    assert client.get(f"/1/{user}/pins").json()["pinned_recordings"] == []
    assert client.get(f"/1/{user}/pins/current").json()["pinned_recording"] is None
    assert client.get(f"/1/playlist/{uuid.uuid4()}").status_code == 404
    pinned = client.post("/1/pin", json={"recording_msid": str(uuid.uuid4())})
    assert (pinned.status_code, "does not store pinned recordings" in pinned.json()["error"]) == (404, True)


def listen_number(number: int) -> dict[str, Any]:
    names = {"artist_name": "Ina Vogel", "track_name": f"Lied {number}"}
    return {"listened_at": 1_700_000_000 + 200 * number, "track_metadata": names}
