"""Playlists are written to a real Subsonic server, Supysonic."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import mutagen
import pytest
from mutagen.flac import FLAC
from tests.support.api_server import eventually, free_port
from tests.support.audio_files import music, write_soundfile

from segue.errors import PlaylistError, ServiceUnavailableError
from segue.playlists.library import Track
from segue.playlists.playlist import Entry, Playlist
from segue.playlists.subsonic import PREFIX, SubsonicServer, find, write

pytestmark = pytest.mark.integration

USER, PASSWORD = "alice", "pass wörd&1"
SONGS = {
    "a/one.flac": ("Björk", "Jóga"),
    "a/two.flac": ("Other", "Same title"),
    "b/two.flac": ("Else", "Same title"),
}

SERVER = """
import sys
from werkzeug.serving import make_server
from supysonic.config import DefaultConfig
from supysonic.web import create_application
from supysonic.managers.folder import FolderManager
from supysonic.managers.user import UserManager
from supysonic.scanner import Scanner

music, folder, port, user, password = sys.argv[1:]

class Config(DefaultConfig):
    def __init__(self):
        super().__init__()
        self.BASE = dict(self.BASE, database_uri=f"sqlite:///{folder}/supysonic.db")
        self.WEBAPP = dict(self.WEBAPP, cache_dir=folder, log_file=None, mount_webui=False)
        self.DAEMON = dict(self.DAEMON, socket=f"{folder}/socket")

app = create_application(Config())
from supysonic.db import close_connection, open_connection
open_connection(True)
UserManager.add(user, password)
FolderManager.add("music", music)
scanner = Scanner()
scanner.queue_folder("music")
scanner.run()
close_connection()  # each request opens its own
make_server("127.0.0.1", int(port), app, threaded=False).serve_forever()
"""


@dataclass(frozen=True)
class Running:
    """A server that runs."""

    url: str

    def ask(self, method: str, **parameters: str) -> dict:  # type: ignore[type-arg]
        signed = {"u": USER, "p": PASSWORD, "c": "test", "v": "1.12.0", "f": "json"}
        answer = httpx.get(f"{self.url}/rest/{method}.view", params=signed | parameters)
        return answer.json()["subsonic-response"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def supysonic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Start the server on a folder of three songs."""
    folder = tmp_path_factory.mktemp("supysonic")
    for name, (artist, title) in SONGS.items():
        file = folder / "music" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        write_soundfile(file, music())
        tags = mutagen.File(file)
        assert isinstance(tags, FLAC)
        tags.update({"artist": artist, "title": title, "album": "Album"})
        tags.save()
    port = free_port()
    command = [sys.executable, "-c", textwrap.dedent(SERVER), str(folder / "music"), str(folder), str(port)]
    log = (folder / "log").open("wb")
    process = subprocess.Popen([*command, USER, PASSWORD], stdout=log, stderr=log, env=dict(os.environ))
    running = Running(f"http://127.0.0.1:{port}")

    def answers() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        try:
            return bool(running.ask("ping")["status"] == "ok")
        except httpx.TransportError:
            return False

    try:
        eventually(answers)
        yield running
    finally:
        process.terminate()
        process.wait()
        log.close()


def server(running: Running, password: str = PASSWORD) -> SubsonicServer:
    return SubsonicServer(running.url, USER, password)


JOGA = Track("t1", "Jóga", "Bjork", path="elsewhere/01.flac")
SAME = Track("t2", "Same title", "Unknown", path="b/two.flac")
AWAY = Track("t3", "Not there", "Nobody", path="c/three.flac")


def of(*tracks: Track, title: str = "Daily jams") -> Playlist:
    return Playlist(USER, "daily-jams", title, "", [Entry(track, ".") for track in tracks], "r/1")


def listed(running: Running) -> dict[str, list[str]]:
    """Return the titles of each playlist's songs."""
    found = running.ask("getPlaylists")["playlists"].get("playlist", [])
    return {
        each["name"]: [
            song["path"] for song in running.ask("getPlaylist", id=each["id"])["playlist"].get("entry", [])
        ]
        for each in found
    }


def test_songs_are_found_by_path_and_by_name_and_a_playlist_is_replaced(supysonic: Running) -> None:
    with server(supysonic) as client:
        [first] = write(client, [of(SAME, JOGA, AWAY)])
        assert (first.songs, list(first.missing)) == (2, [AWAY])
        assert "1 tracks are not on the server, such as “Not there” by Nobody." in str(first)
        assert listed(supysonic) == {"Segue: Daily jams": ["b/two.flac", "a/one.flac"]}
        list(write(client, [of(JOGA), of(SAME, title="Discoveries")]))
    assert listed(supysonic) == {f"{PREFIX}Daily jams": ["a/one.flac"], f"{PREFIX}Discoveries": ["b/two.flac"]}


def test_a_wrong_password_changes_nothing(supysonic: Running) -> None:
    before = listed(supysonic)
    with server(supysonic, "wrong") as client, pytest.raises(PlaylistError, match="refuses the user 'alice'"):
        list(write(client, [of(SAME)]))
    assert listed(supysonic) == before


def test_a_server_that_is_away_or_another_one_is_named(supysonic: Running) -> None:
    nowhere = SubsonicServer(f"http://127.0.0.1:{free_port()}", USER, PASSWORD)
    with nowhere as client, pytest.raises(ServiceUnavailableError, match="does not answer"):
        list(write(client, [of(SAME)]))
    with SubsonicServer(f"{supysonic.url}/static", USER, PASSWORD) as client, pytest.raises(PlaylistError):
        list(write(client, [of(SAME)]))


def test_an_mbid_decides_before_the_path() -> None:
    songs = [{"id": "1", "path": "b/two.flac"}, {"id": "2", "musicBrainzId": "ABC", "path": "x"}]

    class Server(SubsonicServer):
        def search(self, text: str) -> list[dict[str, str]]:
            return songs if text == "Same title" else []

    with Server("http://nowhere", "", "") as client:
        assert find(client, Track("t", "Same title", path="b/two.flac", recording_mbid="abc")) == "2"
        assert find(client, SAME) == "1"
        assert find(client, Track("t", "Same title", path="c/two.flac")) is None
