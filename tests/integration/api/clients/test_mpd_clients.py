"""Debian's mpd with mpdscribble (version 1.2 of Last.fm's protocol) and listenbrainz-mpd, both at once."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo.database import Database
from tests.support.api_server import eventually, free_port, in_kafka
from tests.support.programs import SECONDS, Start, program

from segue.api.sessions import Sessions
from segue.settings import Settings

pytestmark = pytest.mark.clients


class Mpd:
    """A connection to mpd."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._lines = self._socket.makefile("r", encoding="utf-8")
        assert self._lines.readline().startswith("OK MPD")

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def ask(self, command: str) -> dict[str, str]:
        self._socket.sendall(f"{command}\n".encode())
        answer = {}
        while (line := self._lines.readline().rstrip("\n")) != "OK":
            assert not line.startswith("ACK"), line
            name, _, value = line.partition(": ")
            answer[name] = value
        return answer


def connected(port: int) -> Mpd | None:
    try:
        return Mpd(port)
    except OSError:
        return None


def test_plays_arrive_by_both_protocols(
    api: str,
    client: httpx.Client,
    new_user: tuple[str, str],
    database: Database[dict[str, Any]],
    api_settings: Settings,
    start: Start,
    music: Path,
    tmp_path: Path,
) -> None:
    user, token = new_user
    Sessions(database).allow_md5(user, token)
    port = free_port()
    (tmp_path / "mpd.conf").write_text(
        f'music_directory "{music}"\ndb_file "{tmp_path}/mpd.db"\nbind_to_address "127.0.0.1"\nport "{port}"\n'
        'audio_output {\n type "null"\n name "null"\n}\n'
    )
    (tmp_path / "mpdscribble.conf").write_text(
        f"log = -\nverbose = 2\nhost = 127.0.0.1\nport = {port}\n\n"
        f"[segue]\nurl = {api}/\nusername = {user}\npassword = {token}\njournal = {tmp_path}/journal\n"
    )
    (tmp_path / "listenbrainz-mpd.toml").write_text(
        f'[submission]\ntoken = "{token}"\napi_url = "{api}"\ncache_file = "{tmp_path}/cache.sqlite3"\n'
        f'[mpd]\naddress = "127.0.0.1:{port}"\n'
    )
    programs = [program(name) for name in ("mpd", "mpdscribble", "listenbrainz-mpd")]
    start(programs[0], "--no-daemon", "--stderr", tmp_path / "mpd.conf")
    mpd = eventually(lambda: connected(port))
    start(programs[1], "--no-daemon", "--conf", tmp_path / "mpdscribble.conf")
    start(programs[2], "--config", tmp_path / "listenbrainz-mpd.toml", LISTENBRAINZ_MPD_LOG="debug")
    mpd.ask("update")
    eventually(lambda: "updating_db" not in mpd.ask("status"))
    for logged, words in (("mpdscribble", b"handshake successful"), ("listenbrainz-mpd", b"entering main loop")):
        eventually(lambda logged=logged, words=words: words in (tmp_path / f"{logged}.log").read_bytes())
    mpd.ask('add "track.flac"')
    mpd.ask("play")
    playing = f"/1/user/{user}/playing-now"
    eventually(lambda: client.get(playing).json()["payload"]["count"])
    eventually(lambda: float(mpd.ask("status").get("elapsed", SECONDS)) > SECONDS / 2 + 2)
    time.sleep(1)
    mpd.ask("stop")
    mpd.close()

    def arrived() -> set[str | None]:
        return {event.source for event in in_kafka(api_settings, user)}

    eventually(lambda: len(arrived()) == 2)
    events = in_kafka(api_settings, user)
    assert arrived() == {"mpdscribble", "listenbrainz-mpd"}
    assert {event.track_id for event in events} == {"t1"}
    assert {event.release_name for event in events} == {"Whenever"}
