"""The routes for playlists, on made-up tracks and without a database."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.unit.playlists.made_up import library

from segue.api import access, errors, playlists
from segue.playlists.daily import ON_REPEAT
from segue.playlists.playlist import Entry, Playlist
from segue.playlists.store import document_of

TRACKS = library(range(1, 60))
ENTRIES = [Entry(TRACKS.all[f"t{i}"], "Why.") for i in (1, 2)]
STORED = document_of(Playlist("alice", ON_REPEAT, "On repeat", "Often.", ENTRIES, "plays"))


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A user who has skipped ``t5``."""
    app = FastAPI()
    errors.install(app)
    app.include_router(playlists.router)
    app.dependency_overrides |= {
        access.context: lambda: SimpleNamespace(),
        access.authorized: lambda: "alice",
        access.owner: lambda: "alice",
        playlists.library_of: lambda: TRACKS,
    }
    monkeypatch.setattr(playlists, "barred_now", lambda *_: frozenset({"t5"}))
    found = SimpleNamespace(of_user=lambda _: [STORED], find={STORED["_id"]: STORED}.get)
    monkeypatch.setattr(playlists, "_store", lambda _: found)
    return TestClient(app)


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("radio?track=t1", "t1"),
        ("path?start=t1&end=t2", "t1"),
        ("alchemy?more=t1&more=t3&less=t2", ""),
        ("genre?genre=Jazz", ""),
        ("mood?mood=calm&minutes=30", ""),
    ],
)
def test_a_requested_playlist_is_jspf_or_m3u8_without_what_was_skipped(
    client: TestClient, path: str, first: str
) -> None:
    found = client.get(f"/v1/users/alice/playlists/{path}").json()["playlist"]["track"]
    ids = [next(iter(track["extension"].values()))["additional_metadata"]["segue_track_id"] for track in found]
    assert ids
    assert "t5" not in ids
    assert ids[0].startswith(first)
    lines = client.get(f"/v1/users/alice/playlists/{path}&format=m3u8&root=/m").text.splitlines()
    assert [line for line in lines if not line.startswith("#")] == [f"/m/a/{track}.mp3" for track in ids]


def test_stored_playlists_have_listenbrainz_form_and_belong_to_their_user(client: TestClient) -> None:
    listed = client.get("/1/user/alice/playlists/createdfor").json()
    assert (listed["count"], listed["offset"], listed["playlist_count"]) == (1, 0, 1)
    [only] = listed["playlists"]
    assert (only["playlist"]["title"], only["playlist"]["track"]) == ("On repeat", [])
    mbid = only["playlist"]["identifier"].rpartition("/")[2]
    whole = client.get(f"/1/playlist/{mbid}").json()
    assert [track["annotation"] for track in whole["playlist"]["track"]] == ["Why.", "Why."]
    assert client.get("/v1/users/alice/playlists/on-repeat").json() == whole
    assert client.get("/1/user/alice/playlists/createdfor?offset=1").json()["playlists"] == []
    client.app.dependency_overrides[access.authorized] = lambda: "bob"  # type: ignore[attr-defined]
    assert client.get(f"/1/playlist/{mbid}").status_code == 404


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/v1/tracks/nothing/similar", 404, "Cannot find track: nothing"),
        ("/v1/users/alice/playlists/radio?track=nothing", 404, "Cannot find track: nothing"),
        ("/v1/users/alice/playlists/radio", 400, "Invalid track"),
        ("/v1/users/alice/playlists/radio?track=t1&format=pls", 400, "Invalid format"),
        ("/v1/users/alice/playlists/path?start=t1&end=t1", 404, "the same recording"),
        ("/v1/users/alice/playlists/genre?genre=Polka", 404, "The genres of the corpus: Jazz, Rock."),
        ("/v1/users/alice/playlists/mood?mood=bored", 404, "The moods: energetic, calm, danceable, happy"),
        ("/v1/users/alice/playlists/mood?mood=calm&minutes=0", 400, "Invalid minutes"),
        ("/v1/users/alice/playlists/weekly", 404, "There are daily-jams, discoveries, on-repeat"),
        ("/1/playlist/nothing", 404, "Cannot find playlist: nothing"),
    ],
)
def test_a_bad_request_gets_a_sentence(client: TestClient, path: str, status: int, said: str) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert said in answer.json()["error"]


def test_similar_tracks_are_other_recordings_nearest_first(client: TestClient) -> None:
    found = client.get("/v1/tracks/t1/similar?count=5").json()["similar"]
    cosines = [each["similarity"] for each in found]
    assert len(found) == 5
    assert cosines == sorted(cosines, reverse=True)
    assert "t1" not in {each["track_id"] for each in found}
