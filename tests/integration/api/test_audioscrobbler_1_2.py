"""Version 1.2 of Last.fm's protocol: the handshake at /, what plays, and submissions."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from pymongo.database import Database
from tests.support.api_server import eventually, in_kafka
from tests.support.lastfm_client import SECRET, Player, md5

from segue.api.accounts import Accounts
from segue.api.sessions import Sessions
from segue.settings import Settings

pytestmark = pytest.mark.integration

NOW = 1_700_000_000


def shake(api: str, user: str, md5_of_password: str, **changed: object) -> list[str]:
    at = int(time.time())
    given = {"hs": "true", "p": "1.2", "c": "tst", "v": "1.0", "u": user, "t": at} | changed
    answer = httpx.get(f"{api}//", params={"a": md5(f"{md5_of_password}{given['t']}")} | given)
    assert answer.status_code == 200
    return answer.text.splitlines()


@pytest.fixture
def session(api: str, new_user: tuple[str, str], database: Database[dict[str, Any]]) -> tuple[str, str, str]:
    """Session, and the URLs for what plays and for submissions."""
    Sessions(database).allow_md5(*new_user)
    ok, *session = shake(api, new_user[0], md5(new_user[1]))
    assert ok == "OK"
    return session[0], session[1], session[2]


def test_submissions_are_kept_and_a_loved_one_is_loved(
    session: tuple[str, str, str], client: httpx.Client, new_user: tuple[str, str], api_settings: Settings
) -> None:
    key, now_playing, submit = session
    playing = {"s": key, "a": "Björk", "t": "Hunter", "b": "Homogenic", "l": "255", "n": "1", "m": ""}
    assert httpx.post(now_playing, data=playing).text == "OK\n"
    shown = client.get(f"/1/user/{new_user[0]}/playing-now").json()["payload"]["listens"]
    assert shown[0]["track_metadata"]["track_name"] == "Hunter"
    plays = {
        "s": key,
        "a[0]": "Rick Astley", "t[0]": "Never Gonna Give You Up", "i[0]": NOW, "o[0]": "P", "r[0]": "",
        "l[0]": "213", "b[0]": "", "n[0]": "", "m[0]": "",
        "a[1]": "Björk", "t[1]": "Jóga", "b[1]": "Homogenic", "i[1]": NOW + 300, "o[1]": "P", "r[1]": "L",
        "a[2]": "Björk", "t[2]": "Skipped", "i[2]": NOW + 600, "o[2]": "L1", "r[2]": "S",
        "a[3]": "", "t[3]": "Nobody's", "i[3]": NOW + 900,
    }  # fmt: skip
    ok, refused = httpx.post(submit, data=plays).text.splitlines()
    assert (ok, "Nobody's" in refused) == ("OK", True)
    events = in_kafka(api_settings, new_user[0])
    assert [(event.track_name, event.track_id) for event in events] == [
        ("Never Gonna Give You Up", "t1"),
        ("Jóga", "t2"),
    ]
    [love] = client.get(f"/1/feedback/user/{new_user[0]}/get-feedback").json()["feedback"]
    assert (love["recording_msid"], love["score"]) == (events[1].recording_msid, 1)


def test_a_love_with_an_album_that_no_listen_can_have_is_of_the_listen_without(
    session: tuple[str, str, str], client: httpx.Client, new_user: tuple[str, str], api_settings: Settings
) -> None:
    play = {"a[0]": "Björk\x00", "t[0]": "Jóga", "b[0]": "x" * 1_500_000, "i[0]": NOW, "r[0]": "L"}
    assert httpx.post(session[2], data={"s": session[0], **play}).text == "OK\n"
    [event] = in_kafka(api_settings, new_user[0])
    [love] = client.get(f"/1/feedback/user/{new_user[0]}/get-feedback").json()["feedback"]
    assert (event.release_name, love["recording_msid"]) == (None, event.recording_msid)


def test_signing_in_by_md5_must_be_allowed(api: str, new_user: tuple[str, str]) -> None:
    assert shake(api, new_user[0], md5(new_user[1]))[0] == "BADAUTH"


def test_a_session_of_the_web_service_is_taken_up(api: str, new_user: tuple[str, str]) -> None:
    player = Player(api)
    player.sign_in(*new_user)
    web = {"sk": player.session, "api_key": "segue", "p": "1.2.1"}
    ok, session, _, submit = shake(api, new_user[0], SECRET, **web)
    assert (ok, session) == ("OK", player.session)
    assert httpx.post(submit, data={"s": session, "a[0]": "Björk", "t[0]": "Jóga", "i[0]": NOW}).text == "OK\n"
    assert shake(api, new_user[0], "another", **web)[0] == "BADAUTH"


def test_what_is_wrong_is_refused_in_the_protocols_words_and_nothing_is_kept(
    api: str, session: tuple[str, str, str], new_user: tuple[str, str], api_settings: Settings
) -> None:
    user, token = new_user
    key, now_playing, submit = session
    assert shake(api, user, md5("wrong"))[0] == "BADAUTH"
    assert shake(api, "nobody", md5(token))[0] == "BADAUTH"
    assert shake(api, user, md5(token), t=int(time.time()) - 7_200)[0] == "BADTIME"
    assert shake(api, user, md5(token), t="now")[0].startswith("FAILED")
    assert shake(api, user, md5(token), p="1.1")[0].startswith("FAILED Version 1.2")
    for url in (now_playing, submit):
        assert httpx.post(url, data={"s": "0" * 32, "a[0]": "Björk", "t[0]": "Jóga"}).text.startswith(
            "BADSESSION\n"
        )
        assert httpx.post(url, json={}).text.startswith("FAILED ")
        assert httpx.post(url, content=b"<x/>", headers={"content-type": "text/xml"}).text.startswith("FAILED ")
    too_many = {f"{name}[{i}]": NOW + i for name in "ati" for i in range(51)}
    assert httpx.post(submit, data={"s": key, **too_many}).text.startswith(
        "FAILED Invalid parameters: there are 51"
    )
    assert httpx.post(submit, data={"s": key}).text.startswith("FAILED Invalid parameters: there is no scrobble")
    assert httpx.post(now_playing, data={"s": key, "a": "Björk"}).text.startswith("FAILED ")
    assert in_kafka(api_settings, user) == []
    assert "listens API" in httpx.get(f"{api}/").text


def test_a_revoked_user_must_shake_hands_again_and_cannot(
    api: str, session: tuple[str, str, str], new_user: tuple[str, str], database: Database[dict[str, Any]]
) -> None:
    Accounts(database).revoke(new_user[0])
    play = {"s": session[0], "a[0]": "Björk", "t[0]": "Jóga", "i[0]": NOW}
    eventually(lambda: httpx.post(session[2], data=play).text.startswith("BADSESSION\n"))
    assert shake(api, new_user[0], md5(new_user[1]))[0] == "BADAUTH"
