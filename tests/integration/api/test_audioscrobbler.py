"""Last.fm's web service at /2.0/ as players speak it, and what they send wrong."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pymongo.database import Database
from tests.support.api_server import eventually, free_port, in_kafka, serving
from tests.support.lastfm_client import Player, md5

from segue.api.accounts import Accounts
from segue.api.sessions import Sessions
from segue.settings import Settings

pytestmark = pytest.mark.integration

NOW = 1_700_000_000


@pytest.fixture
def player(api: str, new_user: tuple[str, str]) -> Player:
    made = Player(api)
    made.sign_in(*new_user)
    return made


def refusal(answer: httpx.Response) -> tuple[int, int]:
    """Return status and Last.fm's code; the message must be one sentence."""
    told = answer.json()
    assert told["message"].count(". ") == 0
    assert told["message"].endswith("."), told
    return answer.status_code, told["error"]


def test_scrobbles_are_in_kafka_and_among_the_recent_tracks(
    player: Player, new_user: tuple[str, str], api_settings: Settings
) -> None:
    played = {"artist": "Rick Astley", "track": "Never Gonna Give You Up", "timestamp": NOW}
    told = {"album": "Whenever You Need Somebody", "duration": 213, "mbid": "no-id", "trackNumber": 1}
    answer = player.call("track.scrobble", **played, **told).json()["scrobbles"]
    assert answer["@attr"] == {"accepted": 1, "ignored": 0}
    assert answer["scrobble"]["track"] == {"corrected": "0", "#text": "Never Gonna Give You Up"}
    [event] = in_kafka(api_settings, new_user[0])
    assert (event.listened_at, event.track_id, event.release_name) == (NOW, "t1", "Whenever You Need Somebody")
    assert (event.recording_mbid, (event.additional_info or {})["duration"]) == (None, 213)
    player.call("track.updateNowPlaying", artist="Björk", track="Jóga", duration=305)

    def recent() -> Any:
        shown = player.call("user.getRecentTracks", get=True, user=new_user[0].upper()).json()["recenttracks"]
        return shown if len(shown["track"]) == 2 else None

    playing, listened = eventually(recent)["track"]
    assert (playing["name"], playing["@attr"]) == ("Jóga", {"nowplaying": "true"})
    assert (listened["artist"]["#text"], listened["date"]["uts"]) == ("Rick Astley", str(NOW))


def test_a_listen_that_comes_by_both_protocols_counts_once(
    player: Player, client: httpx.Client, new_user: tuple[str, str], api_settings: Settings
) -> None:
    assert player.scrobble(("Björk", "Jóga", NOW), ("Björk", "Jóga", NOW + 1)).status_code == 200
    listen = {"listened_at": NOW, "track_metadata": {"artist_name": "Björk", "track_name": "Jóga"}}
    body = {"listen_type": "single", "payload": [listen]}
    assert client.post("/1/submit-listens", json=body).status_code == 200
    events = in_kafka(api_settings, new_user[0])
    assert (len(events), len({event.event_id for event in events})) == (3, 2)


def test_recent_tracks_are_paged_and_bounded(player: Player, new_user: tuple[str, str]) -> None:
    for start in (0, 50):
        player.scrobble(*(("Björk", f"Track {i}", NOW + 300 * i) for i in range(start, start + 50)))
    info = lambda: player.call("user.getInfo").json()["user"]  # noqa: E731
    eventually(lambda: info()["playcount"] == "100")
    assert info()["name"] == new_user[0]
    page = player.call("user.getRecentTracks", limit=30, page=4).json()["recenttracks"]
    assert page["@attr"]["totalPages"] == "4"
    assert [track["name"] for track in page["track"]] == [f"Track {i}" for i in range(9, -1, -1)]
    bounds = {"from": NOW + 300, "to": NOW + 900}
    page = player.call("user.getRecentTracks", **bounds).json()["recenttracks"]
    assert (page["@attr"]["total"], page["track"][-1]["name"]) == ("3", "Track 1")


def test_no_bad_scrobble_costs_its_batch(
    player: Player, new_user: tuple[str, str], api_settings: Settings
) -> None:
    plays = [
        ("Björk", "Jóga", NOW), ("", "Jóga", NOW), ("Björk", " ", NOW), ("Björk", "Hunter", 0),
        ("Björk", "Hunter", "yesterday"), ("Björk", "Hunter", int(time.time()) + 10**8),
    ]  # fmt: skip
    answer = player.scrobble(*plays)
    told = answer.json()["scrobbles"]
    assert (answer.status_code, told["@attr"]) == (200, {"accepted": 1, "ignored": 5})
    assert [each["ignoredMessage"]["code"] for each in told["scrobble"]] == ["0", "1", "2", "3", "3", "4"]
    assert len(in_kafka(api_settings, new_user[0])) == 1


def test_love_and_unlove_are_of_the_recording_that_was_played(
    player: Player, client: httpx.Client, new_user: tuple[str, str]
) -> None:
    player.call("track.scrobble", artist="Björk", track="Jóga", album="Homogenic", timestamp=NOW)
    listens = f"/1/user/{new_user[0]}/listens"
    [shown] = eventually(lambda: client.get(listens).json()["payload"]["listens"])
    loves = lambda: client.get(f"/1/feedback/user/{new_user[0]}/get-feedback").json()["feedback"]  # noqa: E731
    assert player.call("track.love", artist="björk", track="Jóga").json() == {}
    assert [(each["recording_msid"], each["score"]) for each in loves()] == [(shown["recording_msid"], 1)]
    assert player.call("track.love", artist="Björk", track="Hunter").json() == {}
    assert len(loves()) == 2
    for track in ("Jóga", "Hunter"):
        assert player.call("track.unlove", artist="Björk", track=track).json() == {}
    assert loves() == []


def test_answers_are_xml_by_default(player: Player) -> None:
    player.parameters = {"api_key": "segue"}
    answer = player.scrobble(("Björk", "a\x1bb", NOW))
    assert answer.headers["content-type"].startswith("text/xml")
    assert answer.text.endswith('<ignoredMessage code="0" /></scrobble></scrobbles></lfm>')
    answer = player.call("no.method")
    failed = "<error code=\"3\">Invalid method: 'no.method' is not supported.</error>"
    assert answer.text.endswith(f'<lfm status="failed">{failed}</lfm>')


def test_a_player_is_let_in_by_the_page(api: str, new_user: tuple[str, str]) -> None:
    player = Player(api)
    token = player.call("auth.getToken", get=True).json()["token"]
    assert refusal(player.call("auth.getSession", token=token)) == (403, 14)
    page = httpx.get(f"{api}/api/auth/", params={"api_key": "segue", "token": token})
    assert "Authorize a player" in page.text
    form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))
    wrong = httpx.post(f"{api}/api/auth/", data={**form, "user_token": "wrong"})
    assert (wrong.status_code, "not valid" in wrong.text) == (403, True)
    right = httpx.post(f"{api}/api/auth/", data={**form, "user_token": new_user[1]})
    assert (right.status_code, new_user[0] in right.text) == (200, True)
    session = player.call("auth.getSession", token=token).json()["session"]
    assert session["name"] == new_user[0]
    player.session = session["key"]
    assert player.scrobble(("Björk", "Jóga", NOW)).status_code == 200


def test_a_web_application_is_let_in_and_gets_the_token_by_its_address(
    api: str, new_user: tuple[str, str]
) -> None:
    given = {"api_key": "segue", "cb": "http://relay.example:9078/callback?a=1"}
    done = httpx.post(f"{api}/api/auth/", data={**given, "user_token": new_user[1]})
    [onward] = re.findall(r'href="([^"]*)"', done.text)
    token = html.unescape(onward).removeprefix("http://relay.example:9078/callback?a=1&token=")
    assert Player(api).call("auth.getSession", token=token).json()["session"]["name"] == new_user[0]


@pytest.mark.parametrize(
    "given",
    [
        {"api_key": "unknown", "token": "x"},
        {"api_key": "segue"},
        {"api_key": "segue", "token": "0" * 32},
        {"api_key": "segue", "cb": "javascript:alert(1)"},
        {"api_key": "segue", "cb": "http://[::1"},
        {"api_key": "<script>", "cb": '"><script>'},
    ],
)
def test_the_page_refuses_what_no_token_can_mend(
    api: str, new_user: tuple[str, str], given: dict[str, str]
) -> None:
    for answer in (
        httpx.get(f"{api}/api/auth/", params=given),
        httpx.post(f"{api}/api/auth", data={**given, "user_token": new_user[1]}),
    ):
        assert (answer.status_code, answer.text.count('role="alert"')) == (400, 1)
        assert "<form" not in answer.text
        assert "<script" not in answer.text


def test_signing_in_by_md5_must_be_allowed(
    api: str, new_user: tuple[str, str], database: Database[dict[str, Any]]
) -> None:
    user, token = new_user
    shown = {"username": user, "authToken": md5(user + md5(token))}
    assert refusal(Player(api).call("auth.getMobileSession", **shown)) == (403, 4)
    Sessions(database).allow_md5(user, token)
    key = Player(api).call("auth.getMobileSession", **shown).json()["session"]["key"]
    player = Player(api, key)
    assert player.scrobble(("Björk", "Jóga", NOW)).status_code == 200
    assert refusal(Player(api).call("auth.getMobileSession", username=user, authToken="0" * 32)) == (403, 4)
    Sessions(database).forbid_md5(user)
    assert refusal(Player(api).call("auth.getMobileSession", **shown)) == (403, 4)
    eventually(lambda: player.scrobble(("Björk", "Jóga", NOW)).status_code == 403)


@pytest.mark.parametrize("end", ["revoke", "rotate", "remove"])
def test_the_session_of_a_revoked_user_is_refused(
    player: Player, new_user: tuple[str, str], database: Database[dict[str, Any]], api_settings: Settings, end: str
) -> None:
    getattr(Accounts(database), end)(new_user[0])
    answer = eventually(
        lambda: answer if (answer := player.scrobble(("Björk", "Jóga", NOW))).status_code != 200 else None
    )
    assert refusal(answer) == (403, 9)
    assert refusal(
        Player(player.url).call("auth.getMobileSession", username=new_user[0], password=new_user[1])
    ) == (403, 4)
    kept = len(in_kafka(api_settings, new_user[0]))
    assert refusal(player.scrobble(("Björk", "Jóga", NOW + 1))) == (403, 9)
    assert len(in_kafka(api_settings, new_user[0])) == kept


def test_what_is_wrong_is_refused_with_lastfms_code_and_nothing_is_kept(
    player: Player, new_user: tuple[str, str], api_settings: Settings
) -> None:
    play = {"artist": "Björk", "track": "Jóga", "timestamp": NOW}
    scrobble = {"method": "track.scrobble", "api_key": "segue", "sk": player.session, "format": "json", **play}
    url = f"{player.url}/2.0/"
    other = Player(player.url, player.session, "another-secret")
    stranger = Player(player.url, "0" * 32)
    unknown = Player(player.url, player.session, parameters={"api_key": "unknown", "format": "json"})
    too_many = [("Björk", f"Track {i}", NOW + i) for i in range(51)]
    bomb = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><methodCall>&b;</methodCall>'
    xml = {"content-type": "text/xml"}
    as_json = {"format": "json"}
    assert refusal(other.call("track.scrobble", **play)) == (403, 13)
    assert refusal(httpx.post(url, data=scrobble)) == (403, 13)
    assert refusal(stranger.call("track.scrobble", **play)) == (403, 9)
    assert refusal(unknown.call("track.scrobble", **play)) == (403, 10)
    assert refusal(player.call("track.eat", **play)) == (400, 3)
    assert refusal(player.call("", **play)) == (400, 3)
    assert refusal(player.call("track.scrobble", get=True, **play)) == (400, 6)
    assert refusal(player.scrobble(*too_many)) == (400, 6)
    assert refusal(player.call("track.scrobble")) == (400, 6)
    assert refusal(player.call("track.updateNowPlaying", artist="Björk")) == (400, 6)
    for method in ("track.love", "track.unlove"):
        assert refusal(player.call(method, artist="x" * 1_500_000, track="Jóga")) == (400, 6)
    assert refusal(player.call("user.getRecentTracks", limit="many")) == (400, 6)
    assert refusal(player.call("user.getRecentTracks", user="somebody else")) == (403, 17)
    assert refusal(httpx.post(url, params=as_json, json=scrobble)) == (415, 6)
    assert refusal(httpx.post(url, params=as_json, content=bomb, headers=xml)) == (415, 6)
    assert refusal(httpx.post(url, params=as_json, files={"artist": b"x"})) == (415, 6)
    assert refusal(httpx.post(url, params=as_json, data={"artist": "x" * 3_000_000})) == (413, 6)
    assert refusal(httpx.post(url, params=as_json, data={str(i): "x" for i in range(1_001)})) == (400, 6)
    assert refusal(httpx.get(url, params={**scrobble, "method": "user.getInfo", "sk": ""})) == (403, 17)
    assert in_kafka(api_settings, new_user[0]) == []


@pytest.fixture
def strict(api_settings: Settings, database: Database[dict[str, Any]]) -> Iterator[str]:
    """An API that answers three requests of a stranger in ten seconds."""
    assert database is not None
    few = {"api_anonymous_requests_per_window": 3, "api_port": free_port()}
    with serving(api_settings.model_copy(update=few)) as url:
        yield url


def test_what_is_public_is_read_without_a_session_but_not_what_plays(
    player: Player, new_user: tuple[str, str], database: Database[dict[str, Any]]
) -> None:
    player.scrobble(("Björk", "Jóga", NOW))
    player.call("track.updateNowPlaying", artist="Björk", track="Hunter")
    given = {"method": "user.getRecentTracks", "api_key": "segue", "user": new_user[0].upper(), "format": "json"}
    read = lambda: httpx.get(f"{player.url}/2.0/", params=given)  # noqa: E731
    assert refusal(read()) == (403, 17)
    Accounts(database).set_public(new_user[0], True)
    [track] = eventually(lambda: read().json()["recenttracks"]["track"])
    assert track["name"] == "Jóga"


def test_double_slashes_and_a_missing_one_are_no_matter(player: Player) -> None:
    for path in ("//2.0//", "/2.0"):
        given = {"method": "user.getInfo", "api_key": "segue", "sk": player.session, "format": "json"}
        assert httpx.get(f"{player.url}{path}", params=given).json()["user"]["playcount"] == "0"


@pytest.fixture
def slow(api_settings: Settings, database: Database[dict[str, Any]]) -> Iterator[str]:
    """An API that takes one request of a user in ten seconds."""
    assert database is not None
    few = {"api_requests_per_window": 1, "api_port": free_port()}
    with serving(api_settings.model_copy(update=few)) as url:
        yield url


def test_who_scrobbles_too_fast_is_told_to_send_it_again(slow: str, new_user: tuple[str, str]) -> None:
    player = Player(slow)
    player.sign_in(*new_user)
    answer = eventually(
        lambda: answer if (answer := player.scrobble(("Björk", "Jóga", NOW))).status_code != 200 else None
    )
    assert refusal(answer) == (503, 16)
    assert len(answer.headers.get_list("retry-after")) == 1


def test_nobody_guesses_sessions_and_passwords_quickly(strict: str, new_user: tuple[str, str]) -> None:
    stranger = Player(strict)
    guesses = [stranger.call("auth.getMobileSession", username=new_user[0], password=str(i)) for i in range(5)]
    assert refusal(guesses[0]) == (403, 4)
    assert refusal(guesses[-1]) == (503, 16)
    assert refusal(stranger.call("auth.getToken", get=True)) == (429, 29)
