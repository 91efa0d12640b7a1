"""From a submitted listen to the recommendations that follow, on a real broker, database and registry."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from kafka import KafkaConsumer, KafkaProducer
from liblistenbrainz import ListenBrainz
from mutagen.id3 import APIC, ID3
from pymongo import MongoClient
from pymongo.database import Database
from tests.support.api_server import eventually as soon
from tests.support.api_server import serving
from tests.support.audio_files import write_any
from tests.support.live_corpus import TRACKS, Worker, mbid_of, model, play, promote, publish, settings_of

from segue.api import accounts, recommendations
from segue.api.accounts import Accounts
from segue.connections.kafka import Config
from segue.connections.kafka import config as kafka_config
from segue.connections.registry import Registry
from segue.corpus.paths import to_text
from segue.listens import history
from segue.listens.events import Listen, listen
from segue.listens.history import HistoryCache
from segue.listens.plays import recording_msid
from segue.listens.store import ListenStore
from segue.playlists.formats import TRACK_EXTENSION
from segue.playlists.library import Library
from segue.playlists.making import make_all
from segue.playlists.store import PlaylistStore
from segue.recommender.model import NAME
from segue.recommender.serving.batch import recommend_to
from segue.recommender.serving.champion import Champion, Served
from segue.recommender.serving.lists import listener_of
from segue.recommender.serving.one_listener import Recommending
from segue.recommender.serving.recommend import Wishes
from segue.settings import Settings
from segue.tracks import sound_map
from segue.tracks.nearest import LiveSounds

pytestmark = pytest.mark.integration

eventually = partial(soon, timeout_s=300)


@pytest.fixture(scope="module")
def settings_here(settings: Settings, kafka: Config, mongo: Database[dict[str, Any]]) -> Settings:
    """Settings of a corpus of this module's own on the shared services."""
    assert kafka
    assert mongo is not None
    return settings_of(settings, "live")


@pytest.fixture(scope="module")
def documents(settings_here: Settings) -> Iterator[Database[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](settings_here.mongo, tz_aware=True) as client:
        found = client[settings_here.mongo_database]
        publish(found)
        yield found


@pytest.fixture(scope="module")
def worker(settings_here: Settings, documents: Database[dict[str, Any]]) -> Iterator[Worker]:
    assert documents is not None
    promote(settings_here, seed=0)
    running = Worker(settings_here)
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def api(settings_here: Settings, documents: Database[dict[str, Any]], worker: Worker) -> Iterator[str]:
    assert documents is not None
    assert worker is not None
    with serving(settings_here) as url:
        yield url


@pytest.fixture
def user(documents: Database[dict[str, Any]], request: pytest.FixtureRequest) -> tuple[str, str]:
    name = f"{request.node.name.split('[')[0][5:40]}-{time.monotonic_ns()}"
    return name, Accounts(documents).add(name)


@pytest.fixture
def client(api: str, user: tuple[str, str]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=api, headers={"Authorization": f"Token {user[1]}"}, timeout=30) as made:
        yield made


def recommended(client: httpx.Client, user: str, **wishes: Any) -> dict[str, Any]:
    answer = client.get(f"/v1/users/{user}/recommendations", params={"explain": True, **wishes})
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def test_a_scrobble_changes_what_is_recommended_and_why(
    api: str, client: httpx.Client, user: tuple[str, str]
) -> None:
    name, token = user
    before = recommended(client, name)
    assert before["items"][0]["reason"].startswith("Popular with other listeners")
    play(api, token, 3, 5, 7, 9, 11)
    player = ListenBrainz(api_base_url=api)
    player.set_auth_token(token)
    shape = eventually(lambda: player.get_user_recommendation_recordings(name, artist_type="raw"))["payload"]
    after = eventually(lambda: (found := recommended(client, name))["items"][0]["others"] and found)
    first = after["items"][0]
    assert int(first["track_id"][1:]) % 2 == 1
    assert first["track_id"] not in ("t03", "t05", "t07", "t09", "t11")
    assert len(first["because"]) == 3
    assert first["because"][0]["title"] in first["reason"]
    for item in after["items"]:
        added = sum(each["adds"] for each in item["because"]) + item["others"] + item["popularity"]
        assert added == pytest.approx(item["score"], rel=1e-4)
    assert shape["entity"] == "recording"
    assert shape["count"] == shape["total_mbid_count"] == 25
    assert {"score", "latest_listened_at"} <= set(shape["mbids"][0])
    by_track = {int(each["segue"]["track_id"][1:]): each["recording_mbid"] for each in shape["mbids"]}
    assert by_track == {track: None if track % 4 else mbid_of(track) for track in by_track}
    assert any(by_track.values())


def test_wishes_are_followed_at_once(api: str, client: httpx.Client, user: tuple[str, str]) -> None:
    name, token = user
    play(api, token, *range(0, 20, 2), ago_s=30 * 86_400)
    eventually(lambda: len(recommended(client, name, count=1)["items"][0]["because"]) == 3)
    eventually(lambda: _played(client, name) == 10)
    assert sum(int(item["track_id"][1:]) < 20 and int(item["track_id"][1:]) % 2 == 0
               for item in recommended(client, name, discover=0.3, count=10)["items"]) == 7  # fmt: skip
    plain = client.get(f"/v1/users/{name}/recommendations", params={"count": 3}).json()["items"]
    assert len(plain) == 3
    assert "reason" not in plain[0]


def _played(client: httpx.Client, name: str) -> int:
    found = recommended(client, name, discover=0.0, count=40)["items"]
    return sum(int(item["track_id"][1:]) < 20 and int(item["track_id"][1:]) % 2 == 0 for item in found)


def hate(client: httpx.Client, **recording: str) -> None:
    client.post("/1/feedback/recording-feedback", json={**recording, "score": -1}).raise_for_status()


def shown(client: httpx.Client, name: str, **wishes: Any) -> set[str]:
    return {item["track_id"] for item in recommended(client, name, **wishes)["items"]}


def test_hated_tracks_are_not_recommended_again(api: str, client: httpx.Client, user: tuple[str, str]) -> None:
    name, token = user
    play(api, token, 7)
    first = eventually(lambda: (found := recommended(client, name)["items"])[0]["because"] and found)[0]
    stored = eventually(lambda: client.get(f"/1/cf/recommendation/user/{name}/recording").content)
    recording = json.loads(stored)["payload"]["mbids"][0]
    hate(client, recording_msid=recording["recording_msid"])
    assert first["track_id"] not in shown(client, name), "in the list that was made before"
    assert first["track_id"] not in shown(client, name, count=40)
    play(api, token, 9, ago_s=10)
    eventually(lambda: len(recommended(client, name)["items"][0]["because"]) == 2)
    assert first["track_id"] not in shown(client, name)


def test_hate_finds_the_track_by_any_id_however_it_is_spelt(
    documents: Database[dict[str, Any]], client: httpx.Client, user: tuple[str, str]
) -> None:
    name, _ = user
    unknown, played = "00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"
    month_ago = int(time.time()) - 30 * 86_400
    event = listen(name, "t06", month_ago).model_copy(update={"recording_mbid": played.upper()})
    listens = ListenStore(documents)
    listens.put([event])
    assert {"t04", "t06", "t08"} <= shown(client, name, count=40, discover=0.5)
    hate(client, recording_mbid=mbid_of(4).lower())
    hate(client, recording_mbid=played)
    hate(client, recording_mbid=unknown, recording_msid=recording_msid("artist 8", "TITLE 8", None))
    assert {"t04", "t06", "t08"}.isdisjoint(shown(client, name, count=40, discover=0.5))
    served = Served("recommender/1", model(0))
    recommend_to(documents, served, {name: listener_of(served, listens.history(name))}, now=time.time())
    assert {"t04", "t06", "t08"}.isdisjoint(shown(client, name)), "what the nightly training leaves"
    documents["recommendations"].delete_one({"_id": name})


def test_a_loved_track_counts_more_than_another(
    documents: Database[dict[str, Any]], client: httpx.Client, user: tuple[str, str]
) -> None:
    name, _ = user
    ListenStore(documents).put([listen(name, track, int(time.time()) - 30 * 86_400) for track in ("t05", "t06")])

    def added() -> dict[str, float]:
        items = recommended(client, name, count=40)["items"]
        reasons = [each for item in items for each in item["because"]]
        return {
            track: sum(each["adds"] for each in reasons if each["track_id"] == track) for track in ("t05", "t06")
        }

    before = added()
    love = {"recording_msid": recording_msid("Artist 5", "Title 5", None), "score": 1}
    client.post("/1/feedback/recording-feedback", json=love).raise_for_status()
    after = added()
    assert after["t05"] / after["t06"] > 1.2 * before["t05"] / before["t06"]


def test_the_page_is_told_when_a_listen_arrives(api: str, client: httpx.Client, user: tuple[str, str]) -> None:
    name, token = user
    play(api, token, 2)
    eventually(lambda: recommended(client, name)["items"][0]["because"])
    page = client.get(f"/u/{name}")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    with client.stream("GET", f"/v1/users/{name}/recommendations/events") as stream:
        lines = (line for line in stream.iter_lines() if line.startswith("data: "))
        first = json.loads(next(lines)[6:])
        play(api, token, 4, ago_s=5)
        second = json.loads(next(lines)[6:])
    assert second["generated_at"] > first["generated_at"]
    assert len(second["items"][0]["because"]) == 2


def test_a_stream_ends_with_its_token(
    documents: Database[dict[str, Any]],
    client: httpx.Client,
    user: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accounts, "CACHED_S", 0.2)
    with client.stream("GET", f"/v1/users/{user[0]}/recommendations/events") as stream:
        Accounts(documents).revoke(user[0])
        assert list(stream.iter_lines()) == []  # an end, and no timeout


def test_an_open_stream_is_told_what_is_hated(
    api: str, client: httpx.Client, user: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, token = user
    play(api, token, 2)
    eventually(lambda: recommended(client, name)["items"][0]["because"])
    monkeypatch.setattr(recommendations, "CHECK_INTERVAL_S", 0.2)
    with client.stream("GET", f"/v1/users/{name}/recommendations/events") as stream:
        lines = (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: "))
        track = next(lines)["items"][0]["track_id"]
        hate(client, recording_msid=recording_msid(f"Artist {int(track[1:])}", f"Title {int(track[1:])}", None))
        assert track not in {item["track_id"] for item in next(lines)["items"]}


def test_a_user_has_only_so_many_streams(
    client: httpx.Client, user: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recommendations, "MAX_STREAMS", 1)
    path = f"/v1/users/{user[0]}/recommendations/events"
    with client.stream("GET", path):
        refused = eventually(lambda: (answer := client.get(path)).status_code == 429 and answer)
        assert "1 of these streams" in refused.json()["error"]

    def opened() -> bool:
        with client.stream("GET", path) as stream:
            return stream.status_code == 200

    eventually(opened)


def test_streams_that_open_at_the_same_time_are_counted_before_they_open(
    client: httpx.Client, user: tuple[str, str]
) -> None:
    path, start, ended = f"/v1/users/{user[0]}/recommendations/events", threading.Barrier(14), threading.Event()
    statuses: list[int] = []

    def open_one() -> None:
        start.wait()
        with client.stream("GET", path) as stream:
            statuses.append(stream.status_code)
            ended.wait()

    threads = [threading.Thread(target=open_one) for _ in range(14)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(statuses) == 14)
    ended.set()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * recommendations.MAX_STREAMS + [429] * (14 - recommendations.MAX_STREAMS)


def test_similar_tracks_and_their_audio(settings_here: Settings, client: httpx.Client) -> None:
    path = "/v1/tracks/t01/similar"
    found = eventually(lambda: client.get(path, params={"count": 5}).json().get("similar"))
    assert len(found) == 5
    assert all(int(each["track_id"][1:]) % 2 == 1 and each["track_id"] != "t01" for each in found)
    assert all(each["recording_mbid"] is None for each in found)
    identified = client.get("/v1/tracks/t02/similar").json()["similar"]
    numbers = [int(each["track_id"][1:]) for each in identified]
    expected = [None if number % 4 else mbid_of(number).lower() for number in numbers]
    assert [each["recording_mbid"] for each in identified] == expected
    assert any(expected)
    missing = client.get("/v1/tracks/t01/audio")
    assert missing.status_code == 404
    settings_here.music_dir.mkdir(parents=True, exist_ok=True)
    (settings_here.music_dir / "t01.mp3").write_bytes(b"sound")
    assert client.get("/v1/tracks/t01/audio").content == b"sound"
    part = client.get("/v1/tracks/t01/audio", headers={"Range": "bytes=1-2"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"ou", "bytes 1-2/5")
    assert client.get("/v1/tracks/..%2Fsecret/similar").status_code == 404
    assert client.get("/v1/tracks/..%2Fsecret/audio").status_code == 404


def test_tracks_have_names_ids_and_artwork(
    settings_here: Settings, documents: Database[dict[str, Any]], client: httpx.Client
) -> None:
    music = settings_here.music_dir
    music.mkdir(parents=True, exist_ok=True)
    write_any(music / "t04.mp3")
    eventually(lambda: client.get("/v1/tracks/t04/similar").status_code == 200)
    [four, eleven] = client.get("/v1/tracks", params={"id": ["t04", "nothing", "t11", "t04"]}).json()["tracks"]
    assert (four["track_id"], four["title"], four["artist"], four["genre"]) == (
        "t04",
        "Title 4",
        "Artist 4",
        "Jazz",
    )
    assert (four["unplayable"], four["comparable"]) == (None, True)
    assert four["recording_msid"] == recording_msid("Artist 4", "Title 4", None)
    assert eleven["unplayable"] == "The file of track t11 is not in the music folder."

    assert client.get("/v1/tracks/t04/artwork").status_code == 204
    picture = b"\xff\xd8\xff picture"
    tags = ID3(music / "t04.mp3") if (music / "t04.mp3").read_bytes()[:3] == b"ID3" else ID3()
    tags.add(APIC(encoding=3, mime="image/jpeg", type=3, desc="", data=picture))
    tags.save(music / "t04.mp3")
    found = client.get("/v1/tracks/t04/artwork")
    assert (found.status_code, found.headers["content-type"], found.content) == (200, "image/jpeg", picture)
    again = client.get("/v1/tracks/t04/artwork", headers={"If-None-Match": found.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/v1/tracks/t11/artwork").json()["error"] == eleven["unplayable"]
    assert client.get("/v1/tracks/nothing/artwork").json()["error"] == "Cannot find track: nothing"
    documents["tracks"].update_one({"_id": "t12"}, {"$set": {"path": "../outside.mp3"}})
    (music.parent / "outside.mp3").write_bytes(b"secret")
    for what in ("artwork", "audio"):
        assert client.get(f"/v1/tracks/t12/{what}").status_code == 404
        assert httpx.get(f"{client.base_url}/v1/tracks/t04/{what}").status_code == 401


def test_the_map_is_sent_once_and_again_when_it_changes(
    documents: Database[dict[str, Any]], client: httpx.Client
) -> None:
    assert client.get("/v1/map").status_code == 204
    sound_map.update(documents)
    whole = client.get("/v1/map")
    assert whole.headers["content-encoding"] == "gzip"
    made = sound_map.read(documents)
    assert made is not None
    assert whole.content == made.packed()
    assert client.get("/v1/map", headers={"Accept-Encoding": "identity"}).content == made.packed()
    assert client.get("/v1/map", headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    assert client.get("/v1/genres").json() == {"genres": ["Jazz", "Rock"]}


def test_a_reason_is_as_short_as_people_speak(api: str, client: httpx.Client, user: tuple[str, str]) -> None:
    name, token = user
    assert recommended(client, name)["items"][0]["short_reason"] == "Many listeners play it"
    play(api, token, 3)
    first = eventually(lambda: (found := recommended(client, name)["items"])[0]["because"] and found)[0]
    assert first["short_reason"] == "Because you play Artist 3"
    love = {"recording_msid": recording_msid("Artist 3", "Title 3", None), "score": 1}
    client.post("/1/feedback/recording-feedback", json=love).raise_for_status()
    assert recommended(client, name)["items"][0]["short_reason"] == "Because you love Artist 3"
    assert "short_reason" not in client.get(f"/v1/users/{name}/recommendations").json()["items"][0]


def test_playlists_on_request_leave_out_what_is_hated_and_are_written_in_two_forms(
    client: httpx.Client, user: tuple[str, str]
) -> None:
    path = f"/v1/users/{user[0]}/playlists"
    eventually(lambda: client.get(f"{path}/radio", params={"track": "t01"}).status_code == 200)
    hate(client, recording_msid=recording_msid("Artist 3", "Title 3", None))
    found = client.get(f"{path}/radio", params={"track": "t01", "count": 15}).json()["playlist"]
    extensions = [track["extension"][TRACK_EXTENSION] for track in found["track"]]
    listed = [each["additional_metadata"]["segue_track_id"] for each in extensions]
    assert listed[0] == "t01"
    assert len(listed) == 15
    assert all(int(track[1:]) % 2 for track in listed)
    assert "t03" not in listed
    asked = {"more": ["t01", "t05"], "less": "t02", "format": "m3u8", "root": "/srv"}
    lines = client.get(f"{path}/alchemy", params=asked).text.splitlines()
    assert lines[0] == "#EXTM3U"
    files = [line for line in lines if not line.startswith("#")]
    assert files
    assert all(line.startswith("/srv/t") for line in files)
    way = client.get(f"{path}/path", params={"start": "t01", "end": "t02"}).json()["playlist"]["track"]
    assert (way[0]["title"], way[-1]["title"]) == ("Title 1", "Title 2")
    rock = client.get(f"{path}/genre", params={"genre": "Rock", "minutes": 20}).json()["playlist"]["track"]
    assert len(rock) == 6
    for wrong, said in {
        "radio?track=nothing": "Cannot find track: nothing",
        "path?start=t01&end=t01": "the same recording",
        "genre?genre=Polka": "No track has the genre 'Polka'. The genres of the corpus: Jazz, Rock.",
        "weekly": "Cannot find a playlist 'weekly'",
    }.items():
        answer = client.get(f"{path}/{wrong}")
        assert answer.status_code == 404
        assert said in answer.json()["error"]


def test_the_tracks_of_several_artists_are_read_by_one_query(documents: Database[dict[str, Any]]) -> None:
    library, names = Library(documents, LiveSounds(documents).index), documents["tracks"].distinct("artist")[:2]
    assert len(names) == 2
    alone = {name: {track.track_id for track in library.of_artist(name, 99)} for name in names}
    assert {name: set(ids) for name, ids in library.ids_by_artist(names).items()} == alone


def test_daily_playlists_are_served_in_the_form_of_listenbrainz_to_their_user_only(
    documents: Database[dict[str, Any]], client: httpx.Client, user: tuple[str, str], api: str
) -> None:
    name, now = user[0], int(time.time())
    listens = ListenStore(documents)
    times = [now - 5 * 86_400 - 60 * j for j in range(3)]
    listens.put([listen(name, f"t{i:02}", at) for i in range(1, 20, 2) for at in times[: i % 4]])
    sounds = LiveSounds(documents)
    sounds.refresh()
    served = Served("recommender/1", model(0))
    report = make_all(documents, Library(documents, sounds.index), served)
    assert set(report.playlists) == {"daily-jams", "discoveries", "on-repeat"}
    before = list(documents["playlists"].find({"user_name": name}, {"made_at": 0}).sort("_id"))
    make_all(documents, Library(documents, sounds.index), served)
    assert list(documents["playlists"].find({"user_name": name}, {"made_at": 0}).sort("_id")) == before
    found = client.get(f"/1/user/{name}/playlists/createdfor").json()
    assert (found["count"], found["playlist_count"]) == (3, 3)
    first = found["playlists"][0]["playlist"]
    assert (first["title"], first["track"]) == ("Daily jams", [])
    mbid = first["identifier"].rpartition("/")[2]
    whole = client.get(f"/1/playlist/{mbid}").json()["playlist"]
    assert whole["track"]
    assert all(track["annotation"] for track in whole["track"])
    assert client.get(f"/v1/users/{name}/playlists/daily-jams").json()["playlist"] == whole
    repeated = client.get(f"/v1/users/{name}/playlists/on-repeat").json()["playlist"]["track"]
    assert {track["annotation"] for track in repeated} <= {
        f"You played it {plays} times in the last 30 days." for plays in (2, 3)
    }
    other = f"other-{time.monotonic_ns()}"
    token = {"Authorization": f"Token {Accounts(documents).add(other)}"}
    assert httpx.get(f"{api}/1/playlist/{mbid}", headers=token).status_code == 404
    assert httpx.get(f"{api}/1/user/{name}/playlists/createdfor", headers=token).status_code == 403
    assert PlaylistStore(documents).remove_user(name) == 3
    listens.remove_user(name)


def test_no_file_outside_the_music_folder_is_sent(
    settings_here: Settings, documents: Database[dict[str, Any]], client: httpx.Client
) -> None:
    settings_here.music_dir.mkdir(parents=True, exist_ok=True)
    secret = settings_here.music_dir.parent / "secret.mp3"
    secret.write_bytes(b"secret")
    (settings_here.music_dir / "link.mp3").symlink_to(secret)
    paths = {"up": "../secret.mp3", "absolute": str(secret), "link": "link.mp3", "folder": "."}
    documents["tracks"].insert_many({"_id": i, "path": path} for i, path in paths.items())
    for track in paths:
        answer = client.get(f"/v1/tracks/{track}/audio")
        assert answer.status_code == 404
        assert b"secret" not in answer.content.replace(b"track secret", b"")
    assert client.get("/v1/tracks/..%2Fsecret.mp3/audio").status_code == 404
    documents["tracks"].delete_many({"_id": {"$in": list(paths)}})


def test_the_file_of_any_name_is_sent_and_a_part_of_a_file_is_not(
    settings_here: Settings, documents: Database[dict[str, Any]], client: httpx.Client
) -> None:
    settings_here.music_dir.mkdir(parents=True, exist_ok=True)
    names = {"latin": b"caf\xe9.mp3", "percent": b"100%25.mp3"}
    for name in names.values():
        (settings_here.music_dir / os.fsdecode(name)).write_bytes(name)
    paths = {track: to_text(os.fsdecode(name)) for track, name in names.items()} | {"part": "album.flac#3"}
    documents["tracks"].insert_many({"_id": i, "path": path} for i, path in paths.items())
    try:
        assert {track: client.get(f"/v1/tracks/{track}/audio").content for track in names} == names
        refused = client.get("/v1/tracks/part/audio")
        assert (refused.status_code, "whole files only" in refused.text) == (404, True)
    finally:
        documents["tracks"].delete_many({"_id": {"$in": list(paths)}})


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/v1/users/nobody/recommendations", 404, "Cannot find user: nobody"),
        ("/1/cf/recommendation/user/nobody/recording", 404, "Cannot find user: nobody"),
        ("/v1/tracks/nothing/similar", 404, "Cannot find track: nothing"),
        ("/v1/users/{user}/recommendations?discover=2", 400, ""),
        ("/v1/users/{user}/recommendations?count=0", 400, ""),
        ("/1/cf/recommendation/user/{user}/recording?offset=-1", 400, ""),
        ("/1/cf/recommendation/user/{user}/recording?artist_type=any", 400, "Invalid artist type"),
    ],
)
def test_a_bad_request_gets_a_sentence(
    client: httpx.Client, user: tuple[str, str], path: str, status: int, said: str
) -> None:
    answer = client.get(path.format(user=user[0]))
    assert answer.status_code == status
    assert said in answer.json()["error"]


def test_an_offset_past_the_end_gives_an_empty_page(api: str, client: httpx.Client, user: tuple[str, str]) -> None:
    name, token = user
    assert client.get(f"/1/cf/recommendation/user/{name}/recording").status_code == 204
    play(api, token, 1)
    path = f"/1/cf/recommendation/user/{name}/recording"
    eventually(lambda: client.get(path).status_code == 200)
    payload = client.get(path, params={"offset": 1000, "count": 500}).json()["payload"]
    assert payload["mbids"] == []
    assert payload["total_mbid_count"] == 25


def test_nothing_is_lost_or_counted_twice_when_the_worker_is_killed(
    settings_here: Settings, documents: Database[dict[str, Any]], worker: Worker
) -> None:
    random = np.random.default_rng(0)
    users = [f"killed-{i}" for i in range(30)]
    events: list[Listen] = []
    producer = KafkaProducer(**kafka_config(settings_here), acks="all")
    for round_ in range(4):
        for i in range(150):
            at = 1_700_000_000 + round_ * 1000 + i
            event = listen(users[int(random.integers(30))], f"t{random.integers(TRACKS):02}", at)
            events.append(event)
            for _ in range(1 + (i % 10 == 0)):  # some are sent twice
                producer.send(
                    settings_here.listens_topic, event.model_dump_json().encode(), event.user_name.encode()
                )
            if i == 75:
                time.sleep(float(random.uniform(0.2, 2)))
                worker.kill()
                worker.start()
    producer.send(settings_here.listens_topic, b"{broken", users[0].encode())
    producer.flush()
    mine = {"user_name": {"$in": users}}
    eventually(lambda: documents["listens"].count_documents(mine) == len(events))
    assert {each["_id"] for each in documents["listens"].find(mine, {"_id": 1})} == {e.event_id for e in events}

    champion = Champion(settings_here)
    champion.look(Registry(settings_here))
    fresh = Recommending(documents, champion)

    def in_step() -> bool:
        for name in {event.user_name for event in events}:
            stored = fresh.stored(name)
            wanted = fresh.now(name, Wishes())
            if stored is None or [i["track_id"] for i in stored["items"]] != [
                i["track_id"] for i in wanted["items"]
            ]:
                return False
        return True

    eventually(in_step)


def test_a_new_champion_is_taken_up_without_a_restart_and_a_damaged_one_is_not(
    settings_here: Settings, api: str, client: httpx.Client, user: tuple[str, str]
) -> None:
    name, token = user
    version = promote(settings_here, seed=1, rank=5)  # of another rank than the one that serves

    def served_by(wanted: str) -> bool:
        play(api, token, int(time.monotonic() * 7) % TRACKS, ago_s=int(time.monotonic()) % 10_000 + 100)
        time.sleep(1)
        stored = client.get(f"/v1/users/{name}/recommendations").json()
        return bool(stored["model_version"] == wanted)

    eventually(lambda: served_by(version))
    broken = promote(settings_here, seed=2)
    folder = Registry(settings_here).champion(NAME)
    assert folder is not None
    (Path(folder.folder()) / "factors.npy").write_bytes(b"damaged")
    champion = Champion(settings_here)
    assert not champion.look(Registry(settings_here))
    assert champion.served is None
    assert "damaged: factors.npy" in str(champion.error)
    assert broken != version
    repaired = promote(settings_here, seed=0)
    eventually(lambda: served_by(repaired))


def test_new_recommendations_are_announced_in_kafka(settings_here: Settings, worker: Worker) -> None:
    assert worker is not None
    event = listen("announced", "t08", 1_700_000_000)
    with KafkaProducer(**kafka_config(settings_here), acks="all") as producer:
        producer.send(settings_here.listens_topic, event.model_dump_json().encode(), b"announced").get()
    consumer = KafkaConsumer(
        settings_here.recommendations_topic,
        **kafka_config(settings_here),
        auto_offset_reset="earliest",
        consumer_timeout_ms=30_000,
    )
    try:
        found = next(json.loads(m.value) for m in consumer if m.key == b"announced")
    finally:
        consumer.close()
    assert found["_id"] == "announced"
    assert int(found["items"][0]["track_id"][1:]) % 2 == 0


def test_memory_holds_so_many_listens_and_not_so_many_listeners(
    documents: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "KEPT_LISTENS", 10)
    collection = documents.client["segue-kept"]
    listens = ListenStore(collection)
    histories = HistoryCache(listens.history)
    listens.put([listen("much", f"t{i:02}", 1_700_000_000 + i) for i in range(30)])
    listens.put([listen(name, "t01", 1_700_000_000) for name in ("a", "b")])
    for name in ("a", "much", "b", "a"):
        histories.of(name)
    collection["listens"].delete_many({})
    assert [len(histories.of(name)) for name in ("a", "b", "much")] == [1, 1, 0]


def _utc(seconds: float) -> Any:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC)
