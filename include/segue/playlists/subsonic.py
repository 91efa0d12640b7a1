"""Write the playlists of one listener to a Subsonic server, such as Navidrome, Gonic, Airsonic or Supysonic.

A song of the server is a track of the corpus if it has its MusicBrainz id, or else its path, or else matching
names. All songs are found before the first playlist is written. A playlist of the same name is replaced, so
writing twice leaves one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

import httpx
from pymongo.database import Database

from segue.errors import ConfigurationError, PlaylistError, ServiceUnavailableError
from segue.listens.matching import CatalogueEntry, TrackIndex
from segue.playlists.library import Library, Track
from segue.playlists.playlist import Playlist
from segue.playlists.store import PlaylistStore, playlist_of
from segue.settings import Settings
from segue.tracks.nearest import SoundIndex

VERSION: Final = "1.12.0"
"""Version of Subsonic's protocol: the oldest that has everything that is used here."""

CLIENT: Final = "segue"
PREFIX: Final = "Segue: "
"""Before the names of playlists, so that those of the listener stay as they are."""

SONGS: Final = 50
"""How many songs one search may return."""

TIMEOUT_S: Final = 30.0

WRONG_PASSWORD: Final = (40, 41, 42, 43, 44)
"""Subsonic's error codes for a sign-in that is refused."""

Song = dict[str, Any]


@dataclass(frozen=True)
class Written:
    """What was written of one playlist: how many songs were found, and which tracks were not."""

    name: str
    songs: int
    missing: Sequence[Track]

    def __str__(self) -> str:
        """Return a sentence for the log."""
        missing = f" {len(self.missing):,} tracks are not on the server" if self.missing else ""
        named = ", ".join(track.name for track in self.missing[:5])
        return f"{self.name}: {self.songs:,} songs." + (f"{missing}, such as {named}." if missing else "")


class SubsonicServer:
    """A client of Subsonic's protocol, with what writing playlists needs.

    The password is sent in the body of each request and not in its address, which servers and proxies log.

    Parameters
    ----------
    url : str
        Address of the server, without ``/rest``.
    username, password : str
    """

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url = url.rstrip("/")
        self._signed = {
            "u": username,
            "p": f"enc:{password.encode().hex()}",
            "v": VERSION,
            "c": CLIENT,
            "f": "json",
        }
        self._username = username
        self._client = httpx.Client(timeout=TIMEOUT_S)

    def __enter__(self) -> SubsonicServer:
        """Return the client, which is closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._client.close()

    def search(self, text: str) -> list[Song]:
        """Find songs by a text."""
        found = self._ask("search3", query=text, songCount=SONGS, artistCount=0, albumCount=0)
        return list(found.get("searchResult3", {}).get("song", []))

    def playlists(self) -> dict[str, str]:
        """Return the ids of the user's own playlists, by name."""
        found = self._ask("getPlaylists").get("playlists", {}).get("playlist", [])
        return {each["name"]: each["id"] for each in found if each.get("owner", self._username) == self._username}

    def replace(self, name: str, song_ids: Sequence[str], playlist_id: str | None) -> None:
        """Create a playlist, or replace the songs of an existing one."""
        known = {"name": name} if playlist_id is None else {"playlistId": playlist_id, "name": name}
        self._ask("createPlaylist", songId=list(song_ids), **known)

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        try:
            answer = self._client.post(f"{self.url}/rest/{method}.view", data=self._signed | parameters)
            answer.raise_for_status()
            found = answer.json()["subsonic-response"]
        except httpx.HTTPStatusError as error:
            raise self._refused(error.response.status_code in (401, 403), f"HTTP {error}") from None
        except httpx.HTTPError as error:
            raise ServiceUnavailableError(
                f"The Subsonic server at {self.url} does not answer: {error}. The playlists stay in MongoDB; run "
                "this again when the server is back."
            ) from error
        except (ValueError, KeyError, TypeError):
            raise PlaylistError(
                f"What answers at {self.url}/rest is no Subsonic server. Correct SEGUE_SUBSONIC_URL."
            ) from None
        if found.get("status") != "ok":
            said = found.get("error", {})
            raise self._refused(said.get("code") in WRONG_PASSWORD, str(said.get("message", "an unknown error")))
        return dict(found)

    def _refused(self, password: bool, said: str) -> PlaylistError:
        if password:
            return PlaylistError(
                f"The Subsonic server at {self.url} refuses the user {self._username!r} or the password. Correct "
                "SEGUE_SUBSONIC_USERNAME and SEGUE_SUBSONIC_PASSWORD."
            )
        return PlaylistError(f"The Subsonic server at {self.url} refuses a request: {said}.")


def write_all(settings: Settings, database: Database[dict[str, Any]]) -> Iterator[Written]:
    """Write the daily playlists of the listener of the settings to the server of the settings.

    Yields
    ------
    Written
        For each playlist.

    Raises
    ------
    ConfigurationError
        If one of the settings is missing.
    PlaylistError
        If the server refuses the password or a request, is none, or the listener has no playlists.
    ServiceUnavailableError
        If the server does not answer.
    """
    url, username, password = settings.subsonic_url, settings.subsonic_username, settings.subsonic_password
    if url is None or username is None or password is None:
        raise ConfigurationError(
            "To write playlists to a Subsonic server, set SEGUE_SUBSONIC_URL, SEGUE_SUBSONIC_USERNAME and "
            "SEGUE_SUBSONIC_PASSWORD."
        )
    listener = settings.subsonic_listener or username
    library = Library(database, SoundIndex())
    made = [playlist_of(each, library) for each in PlaylistStore(database).of_user(listener)]
    if not made:
        raise PlaylistError(
            f"The listener {listener!r} has no playlists to write. Correct SEGUE_SUBSONIC_LISTENER, or play some "
            "tracks first."
        )
    with SubsonicServer(url, username, password.get_secret_value()) as server:
        yield from write(server, made)


def write(server: SubsonicServer, playlists: Sequence[Playlist]) -> Iterator[Written]:
    """Find all songs, then replace the playlists one by one."""
    tracks = {entry.track.track_id: entry.track for each in playlists for entry in each.entries}
    songs = {track_id: find(server, track) for track_id, track in tracks.items()}
    there = server.playlists()
    for playlist in playlists:
        name, listed = PREFIX + playlist.title, [entry.track for entry in playlist.entries]
        found = [song for track in listed if (song := songs[track.track_id]) is not None]
        server.replace(name, list(dict.fromkeys(found)), there.get(name))
        yield Written(name, len(found), [track for track in listed if songs[track.track_id] is None])


def find(server: SubsonicServer, track: Track) -> str | None:
    """Find the id of the song that is a track; None if the server does not have it."""
    candidates = server.search(track.title) if track.title else []
    mbid, path = track.recording_mbid, track.path
    for song in candidates:
        if mbid and str(song.get("musicBrainzId") or "").lower() == mbid:
            return str(song["id"])
    for song in candidates:
        if path and _same_file(str(song.get("path") or ""), path):
            return str(song["id"])
    if not (track.artist and track.title):
        return None
    named = TrackIndex(
        CatalogueEntry(str(song["id"]), song.get("artist") or "", song.get("title") or "") for song in candidates
    )
    match = named.match(track.artist, track.title)
    return match.track_id if match else None


def _same_file(one: str, other: str) -> bool:
    """Return whether one path is the end of the other. The two programs may have different music folders."""
    parts, others = (PurePosixPath(each.replace("\\", "/")).parts for each in (one, other))
    shared = min(len(parts), len(others))
    return (shared > 1 and parts[-shared:] == others[-shared:]) or (parts == others and shared == 1)
