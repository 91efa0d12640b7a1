"""Mopidy with its ListenBrainz extension, which lets the host be set and speaks HTTPS only."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from tests.support.api_server import eventually, free_port, in_kafka
from tests.support.programs import CLIENTS, Start
from tests.support.tls_front import TlsFront

from segue.settings import Settings

pytestmark = pytest.mark.clients


def test_a_play_arrives(
    api: str, new_user: tuple[str, str], api_settings: Settings, start: Start, music: Path, tmp_path: Path
) -> None:
    assert api
    python, port = CLIENTS / "mopidy" / "bin" / "python", free_port()
    if not python.exists():
        pytest.skip("Mopidy is not installed: `make test-clients` installs it where it can")
    with TlsFront(api_settings.api_port, tmp_path) as front:
        (tmp_path / "mopidy.conf").write_text(
            f"[core]\ncache_dir = {tmp_path}/c\nconfig_dir = {tmp_path}\ndata_dir = {tmp_path}/d\n"
            "[audio]\noutput = fakesink sync=false\nmixer = none\n"
            f"[file]\nenabled = true\nmedia_dirs = {music}\n"
            f"[http]\nenabled = true\nhostname = 127.0.0.1\nport = {port}\nzeroconf =\n"
            f"[listenbrainz]\ntoken = {new_user[1]}\nurl = 127.0.0.1:{front.port}\n"
        )
        start(
            python, "-m", "mopidy", "--config", tmp_path / "mopidy.conf", REQUESTS_CA_BUNDLE=str(front.authority)
        )
        server = f"http://127.0.0.1:{port}/mopidy/rpc"

        def call(method: str, **parameters: object) -> httpx.Response | None:
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
            try:
                return httpx.post(server, json=body, timeout=30)
            except httpx.TransportError:
                return None

        eventually(lambda: call("core.get_version"))
        call("core.tracklist.add", uris=[(music / "track.flac").as_uri()])
        call("core.playback.play")
        [event] = eventually(lambda: in_kafka(api_settings, new_user[0]))
    assert (event.track_id, event.source) == ("t1", "Mopidy-Listenbrainz")
