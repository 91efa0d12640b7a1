"""The songs that a Subsonic client asks for: what sounds like a song or an artist, and an artist's top songs."""

from __future__ import annotations

import base64
import binascii
from pathlib import PurePosixPath
from typing import Any, Final

from segue.errors import PlaylistError
from segue.listens.history import History
from segue.playlists import artists
from segue.playlists.library import Library, Track, first_of_each_recording
from segue.playlists.rules import CANDIDATES, first

ARTIST: Final = "artist-"
"""An artist has no id in the corpus. The id of a response is this and the name in base64."""

REPLAY_GAIN_LUFS: Final = -18.0
"""Loudness that the gain leads to."""


def similar(library: Library, song_or_artist: str, count: int, barred: frozenset[str]) -> list[Track]:
    """Find what sounds like a song, or like an artist by an id of `artist_id`, nearest first.

    The song itself is left out. The rules of playlists hold: a recording once, few songs by one artist, nothing
    that is barred.

    Raises
    ------
    PlaylistError
        If the corpus has no such song or artist, or the song cannot be compared by sound.
    """
    name = artist_of(song_or_artist)
    if name is None:
        near = library.similar(song_or_artist, CANDIDATES * count)
    else:
        near = library.near(artists.place_of(library, name), CANDIDATES * count)
    return first([track for track, _ in near], count, barred)


def top(library: Library, artist: str, count: int, history: History) -> list[Track]:
    """Order an artist's songs by how often the user has played them, then by how typical they sound.

    Raises
    ------
    PlaylistError
        If the corpus has no track of the artist.
    """
    ordered = artists.most_typical(library, artists.tracks_of(library, artist))
    ordered.sort(key=lambda track: -len(history.times.get(track.track_id, ())))
    return first_of_each_recording(ordered)[:count]


def child(track: Track) -> dict[str, Any]:
    """Describe a track as Subsonic's ``Child``. What is not known is left out."""
    described = {
        "id": track.track_id,
        "isDir": False,
        "isVideo": False,
        "type": "music",
        "mediaType": "song",
        "title": track.title or track.track_id,
        "artist": track.artist,
        "artistId": artist_id(track.artist) if track.artist else "",
        "album": track.album,
        "genre": track.genre,
        "duration": round(track.duration_s) or None,
        "musicBrainzId": track.recording_mbid,
        "path": track.path,
        "suffix": PurePosixPath(track.path).suffix.removeprefix("."),
        "bpm": round(track.tempo_bpm) if track.tempo_bpm else None,
        "replayGain": _replay_gain(track),
    }
    return {name: value for name, value in described.items() if value not in ("", None)}


def _replay_gain(track: Track) -> dict[str, float] | None:
    """Return the gain in dB for the loudness of ReplayGain 2.0, and the true peak; 1 is full scale."""
    if track.loudness_lufs is None or track.true_peak_dbtp is None:
        return None
    gain, peak = REPLAY_GAIN_LUFS - track.loudness_lufs, 10 ** (track.true_peak_dbtp / 20)
    return {"trackGain": round(gain, 2), "trackPeak": round(peak, 6)}


def artist_id(name: str) -> str:
    """Return the id of an artist."""
    return ARTIST + base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def artist_of(found: str) -> str | None:
    """Return the name of the artist whose id this is; None if it is no id of an artist.

    Raises
    ------
    PlaylistError
        If it begins like an id of an artist and is none.
    """
    if not found.startswith(ARTIST):
        return None
    encoded = found.removeprefix(ARTIST)
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise PlaylistError(f"Cannot find artist: {found}") from None
