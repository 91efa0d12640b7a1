"""rescrobbled, which listens to any player on the D-Bus, with a player made by the test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.api_server import eventually, in_kafka
from tests.support.programs import Start, program

from segue.settings import Settings

pytestmark = pytest.mark.clients


@pytest.fixture
def bus() -> Iterator[str]:
    """A session bus of the test's own."""
    daemon = subprocess.Popen(
        [program("dbus-daemon"), "--session", "--nofork", "--print-address"], stdout=subprocess.PIPE, text=True
    )
    assert daemon.stdout is not None
    yield daemon.stdout.readline().strip()
    daemon.terminate()
    daemon.wait()
    daemon.stdout.close()


@pytest.mark.parametrize("base", ["/1/", "/"])
def test_a_play_arrives(
    api: str, new_user: tuple[str, str], api_settings: Settings, start: Start, bus: str, tmp_path: Path, base: str
) -> None:
    folder = tmp_path / "rescrobbled"
    folder.mkdir()
    (folder / "config.toml").write_text(
        f'min-play-time = 1\n[[listenbrainz]]\nurl = "{api}{base}"\ntoken = "{new_user[1]}"\n'
    )
    start("/usr/bin/python3", Path(__file__).parent / "mpris_player.py", DBUS_SESSION_BUS_ADDRESS=bus)
    start(program("rescrobbled"), DBUS_SESSION_BUS_ADDRESS=bus)
    [event] = eventually(lambda: in_kafka(api_settings, new_user[0]))
    assert (event.track_id, event.release_name) == ("t1", "Whenever")
