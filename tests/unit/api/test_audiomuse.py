"""The routes in AudioMuse-AI's form, on made-up tracks and without a database."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.unit.playlists.made_up import library

from segue.api import access, audiomuse, errors, playlists
from segue.playlists import artists

TRACKS = library([1 + i % 12 for i in range(60)])


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    app = FastAPI()
    errors.install(app)
    app.include_router(audiomuse.router)
    app.dependency_overrides |= {
        access.context: lambda: SimpleNamespace(),
        access.authorized: lambda: "alice",
        playlists.library_of: lambda: TRACKS,
    }
    monkeypatch.setattr(audiomuse, "barred_now", lambda *_: frozenset())
    return TestClient(app)


def test_similar_tracks_are_found_by_id_or_by_names_nearest_first(client: TestClient) -> None:
    found = client.get("/api/similar_tracks?item_id=t1&n=20").json()
    assert len(found) == 20
    distances = [each["distance"] for each in found]
    assert distances == sorted(distances)
    assert found[0].keys() == {"item_id", "title", "author", "album", "distance"}
    assert client.get("/api/similar_tracks?artist=Artist 2&title=title 1&n=20").json() == found
    spread = client.get("/api/similar_tracks?item_id=t1&n=20&eliminate_duplicates=true").json()
    assert max(Counter(each["author"] for each in spread).values()) <= 2


def test_similar_artists_are_those_with_the_nearest_mean_places(client: TestClient) -> None:
    found = client.get("/api/similar_artists?artist=Artist 1&n=3").json()
    there = artists.place_of(TRACKS, "Artist 1")
    cosines = {f"Artist {i}": artists.place_of(TRACKS, f"Artist {i}") @ there for i in range(2, 13)}
    assert [each["artist"] for each in found] == sorted(cosines, key=lambda name: -cosines[name])[:3]
    assert found[0]["divergence"] == pytest.approx(1 - max(cosines.values()), abs=1e-6)


def test_a_path_begins_and_ends_where_it_was_asked_to(client: TestClient) -> None:
    found = client.get("/api/find_path?start_song_id=t1&end_song_id=t2&max_steps=8").json()
    ids = [each["item_id"] for each in found["path"]]
    assert (ids[0], ids[-1]) == ("t1", "t2")
    assert len(ids) <= 8
    assert found["total_distance"] > 0


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("similar_tracks", 400, "by item_id, or by title and artist"),
        ("similar_tracks?item_id=nothing", 404, "Cannot find track: nothing"),
        ("similar_tracks?artist=Artist 1&title=Nothing", 404, "“Nothing” by Artist 1"),
        ("similar_tracks?item_id=t1&n=0", 400, "Invalid n"),
        ("similar_artists?artist=Nobody", 404, "Cannot find artist: Nobody"),
        ("find_path?start_song_id=t1&end_song_id=t1", 404, "the same recording"),
        ("find_path?start_song_id=t1", 400, "Invalid end_song_id"),
    ],
)
def test_a_bad_request_gets_a_sentence(client: TestClient, path: str, status: int, said: str) -> None:
    answer = client.get(f"/api/{path}")
    assert answer.status_code == status
    assert said in answer.json()["error"]
