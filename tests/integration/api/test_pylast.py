"""pylast, unmodified, at /2.0/: it speaks HTTPS only, and signs in by MD5 or by the page."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pylast
import pytest
from pymongo.database import Database
from tests.support.api_server import eventually, in_kafka
from tests.support.lastfm_client import SECRET
from tests.support.tls_front import TlsFront

from segue.api.accounts import Accounts
from segue.api.sessions import Sessions
from segue.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture
def network_of(api: str, api_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a function that makes a network of pylast at the API."""
    assert api
    with TlsFront(api_settings.api_port, tmp_path) as front:
        trusting = ssl.create_default_context(cafile=str(front.authority))
        monkeypatch.setattr(pylast, "SSL_CONTEXT", trusting)

        def make(**who: str) -> pylast.LastFMNetwork:
            network = pylast.LastFMNetwork(api_key="segue", api_secret=SECRET, **who)
            network.ws_server = (f"127.0.0.1:{front.port}", "/2.0/")
            network.homepage = f"https://127.0.0.1:{front.port}"
            return network

        yield make


@pytest.fixture
def by_password(network_of: Any, new_user: tuple[str, str], database: Database[dict[str, Any]]) -> Any:
    """A network that signs in when it is first used."""
    user, token = new_user
    Sessions(database).allow_md5(user, token)
    network = network_of()
    network.username, network.password_hash = user, pylast.md5(token)
    network.session_key = pylast.SessionKeyGenerator(network).get_session_key(user, network.password_hash)
    return network


def test_scrobbles_in_batches_and_reads_them_back(
    by_password: Any, new_user: tuple[str, str], api_settings: Settings
) -> None:
    start = 1_700_000_000
    album = "Hear & <There>"
    tracks = [
        {"artist": "Björk", "title": f"Track {i}", "timestamp": start + 300 * i, "album": album}
        for i in range(120)
    ]
    by_password.scrobble_many(tracks)
    assert len(in_kafka(api_settings, new_user[0])) == 120
    user = by_password.get_authenticated_user()
    eventually(lambda: user.get_playcount() == 120)
    by_password.update_now_playing("Björk", "Jóga", duration=305, album="Homogenic")
    recent = user.get_recent_tracks(limit=70, time_from=start)
    assert [played.track.title for played in recent] == [f"Track {i}" for i in range(119, 49, -1)]
    assert (recent[0].album, recent[0].timestamp) == (album, str(start + 300 * 119))
    [playing, *_] = user.get_recent_tracks(limit=1, now_playing=True)
    assert playing.track.title == "Jóga"
    assert user.get_registered() is not None


def test_loves_and_unloves(by_password: Any, client: httpx.Client, new_user: tuple[str, str]) -> None:
    by_password.scrobble("Björk", "Jóga", int(time.time()) - 300, album="Homogenic")
    track = by_password.get_track("Björk", "Jóga")
    track.love()
    loves = lambda: client.get(f"/1/feedback/user/{new_user[0]}/get-feedback").json()["total_count"]  # noqa: E731
    assert loves() == 1
    track.unlove()
    assert loves() == 0


def test_is_let_in_by_the_page(network_of: Any, api: str, new_user: tuple[str, str]) -> None:
    network = network_of()
    generator = pylast.SessionKeyGenerator(network)
    url = generator.get_web_auth_url()
    with pytest.raises(pylast.WSError) as refusal:
        generator.get_web_auth_session_key(url)
    assert refusal.value.get_id() == "14"
    page = f"{api}/api/auth/?{url.partition('?')[2]}"
    assert "Authorize a player" in httpx.get(page).text
    assert re.search("may now submit", httpx.post(page, data={"user_token": new_user[1]}).text)
    network.session_key, name = generator.get_web_auth_session_key_username(url)
    assert name == new_user[0]
    network.scrobble("Björk", "Jóga", int(time.time()) - 300)


def test_a_wrong_secret_and_a_revoked_user_are_refused(
    by_password: Any, new_user: tuple[str, str], database: Database[dict[str, Any]]
) -> None:
    by_password.api_secret = SECRET[::-1]
    with pytest.raises(pylast.WSError) as refusal:
        by_password.scrobble("Björk", "Jóga", 1_700_000_000)
    assert refusal.value.get_id() == "13"
    by_password.api_secret = SECRET
    Accounts(database).revoke(new_user[0])

    def code() -> object:
        try:
            by_password.scrobble("Björk", "Jóga", 1_700_000_000)
        except pylast.WSError as error:
            return error.get_id()
        return None

    assert eventually(code) == "9"
