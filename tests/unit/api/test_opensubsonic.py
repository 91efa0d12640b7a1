"""The calls of Subsonic clients, on made-up tracks and without a database; by a real client over HTTP, too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import libopensonic
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from libopensonic.errors import CredentialError, DataNotFoundError
from tests.support.api_server import free_port, in_thread
from tests.unit.playlists.made_up import library

from segue.api.accounts import TokenCache
from segue.api.opensubsonic import calls, songs
from segue.api.rate_limits import RateLimits
from segue.api.throttle import Throttle
from segue.listens.history import History
from segue.playlists.library import Track

TRACKS = library([1 + i % 12 for i in range(60)])
TOKEN = "9a5c3c2c-4d3e-4f6a-8b1b-6f5d4c3b2a19"  # noqa: S105 - made up
PLAYED = {"t12": (1, 2, 3), "t0": (1,)}
XML = "{http://subsonic.org/restapi}"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """Alice has skipped ``t5``."""
    app = FastAPI()
    app.include_router(calls.router)
    app.state.context = SimpleNamespace(
        token_cache=TokenCache({TOKEN: "alice"}.get),
        rate_limits=RateLimits(1_000, 1_000),
        throttle=Throttle(1_000, 10),
        store=SimpleNamespace(history=lambda _: History(PLAYED)),
    )
    monkeypatch.setattr(calls, "library_of", lambda _: TRACKS)
    monkeypatch.setattr(calls, "barred_now", lambda *_: frozenset({"t5"}))
    return app


@pytest.fixture
def ask(app: FastAPI) -> Any:
    """Return a function that calls a method in JSON, signed in unless it says how."""
    client = TestClient(app)

    def call(method: str, **parameters: str) -> dict[str, Any]:
        signed = {} if {"u", "t", "apiKey"} & parameters.keys() else {"apiKey": TOKEN}
        answer = client.get(f"/rest/{method}", params=parameters | signed | {"f": "json"})
        found: dict[str, Any] = answer.json()["subsonic-response"]
        return found

    return call


@pytest.fixture
def connect(app: FastAPI) -> Iterator[Any]:
    """Serve, and return a function that connects py-opensonic."""
    port = free_port()
    opened = []

    def connection(**how: Any) -> libopensonic.Connection:
        opened.append(libopensonic.Connection("http://127.0.0.1", port=port, **how))
        return opened[-1]

    with in_thread(uvicorn.Config(app, port=port, log_level="warning")):
        yield connection
        for each in opened:
            each.cleanup()


def test_a_real_client_finds_similar_and_top_songs(connect: Any) -> None:
    client = connect(api_key=TOKEN)
    assert client.ping()
    similar = client.get_similar_songs2(songs.artist_id("Artist 3"), 20)
    assert 5 < len(similar) <= 20
    assert max(Counter(song.artist for song in similar).values()) <= 2, "the rules of playlists hold"
    assert "t5" not in [song.id for song in similar]
    of_song = client.get_similar_songs("t7", 10)
    assert "t7" not in [song.id for song in of_song]
    top = client.get_top_songs("Artist 1", 3)
    assert [song.id for song in top][:2] == ["t12", "t0"], "most played first"
    assert (top[0].title, top[0].artist, top[0].duration, top[0].suffix) == ("Title 12", "Artist 1", 214, "mp3")
    with pytest.raises(DataNotFoundError, match="Cannot find artist: Nobody"):
        client.get_top_songs("Nobody")


def test_a_copy_of_a_top_song_does_not_move_it_down() -> None:
    twice = library([1, 1, 1], [0, 1, 0])
    found = songs.top(twice, "Artist 1", 9, History({"t0": (1, 2, 3), "t1": (1,)}))
    assert [track.track_id for track in found] == ["t0", "t1"]


def test_a_song_has_its_tempo_and_the_gain_for_its_loudness() -> None:
    described = songs.child(Track("t", tempo_bpm=119.6, loudness_lufs=-11.5, true_peak_dbtp=0.5))
    assert (described["bpm"], described["replayGain"]) == (120, {"trackGain": -6.5, "trackPeak": 1.059254})
    assert {"bpm", "replayGain"}.isdisjoint(songs.child(Track("t")))


def test_a_client_without_api_keys_sends_the_token_as_password(connect: Any) -> None:
    assert connect(username="Alice", password=TOKEN, legacy_auth=True).ping()
    with pytest.raises(CredentialError):
        connect(username="bob", password=TOKEN, legacy_auth=True).ping()


def test_xml_has_the_fields_as_attributes_and_a_song_as_an_element(app: FastAPI) -> None:
    client = TestClient(app)
    answer = client.post("/rest/getSimilarSongs2.view", data={"apiKey": TOKEN, "id": songs.artist_id("Artist 3")})
    assert answer.headers["content-type"].startswith("text/xml")
    root = ET.fromstring(answer.content)  # noqa: S314 - our own
    assert root.tag == f"{XML}subsonic-response"
    assert (root.get("status"), root.get("version"), root.get("openSubsonic")) == ("ok", "1.16.1", "true")
    [first, *_] = root.findall(f"{XML}similarSongs2/{XML}song")
    assert (first.get("isDir"), first.get("id")) == ("false", first.get("path", "")[2:-4])


@pytest.mark.parametrize(
    ("method", "parameters", "code", "said"),
    [
        ("ping", {"apiKey": "wrong"}, 44, "does not know this API key"),
        ("ping", {"u": "alice", "p": "wrong"}, 40, "not a token of this user"),
        ("ping", {"u": "alice", "p": "enc:zz"}, 40, "not hexadecimal"),
        ("ping", {"u": "alice", "t": "abc", "s": "def"}, 41, "keeps only hashes"),
        ("ping", {"u": "alice"}, 10, "apiKey, or u and p"),
        ("ping", {"apiKey": TOKEN, "u": "alice"}, 43, "either by apiKey"),
        ("stream", {}, 0, "Play from your media server."),
        ("getSimilarSongs2", {}, 10, "A parameter is missing: id."),
        ("getSimilarSongs2", {"id": "nothing"}, 70, "Cannot find track: nothing"),
        ("getSimilarSongs2", {"id": "artist-!"}, 70, "Cannot find artist: artist-!"),
        ("getSimilarSongs", {"id": "t1", "count": "-1"}, 0, "from 1 to 500"),
        ("getTopSongs", {"artist": "Nobody"}, 70, "Cannot find artist: Nobody"),
    ],
)
def test_a_bad_call_gets_a_code_and_a_sentence(
    ask: Any, method: str, parameters: dict[str, str], code: int, said: str
) -> None:
    answer = ask(method, **parameters)
    assert answer["status"] == "failed"
    assert answer["error"]["code"] == code
    assert said in answer["error"]["message"]


def test_what_a_client_asks_first_is_answered(ask: Any, app: FastAPI) -> None:
    assert ask("ping", u="alice", p=f"enc:{TOKEN.encode().hex()}")["status"] == "ok"
    assert ask("getLicense")["license"] == {"valid": True}
    assert ask("tokenInfo")["tokenInfo"] == {"username": "alice"}
    anonymous = TestClient(app).get("/rest/getOpenSubsonicExtensions?f=json").json()["subsonic-response"]
    assert {each["name"] for each in anonymous["openSubsonicExtensions"]} == {"apiKeyAuthentication", "formPost"}
