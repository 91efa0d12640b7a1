"""The forms in which a playlist leaves Segue: JSPF as ListenBrainz writes it, and M3U8."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Final

from segue.corpus.parts import is_part
from segue.corpus.paths import from_text
from segue.playlists.playlist import Entry, Playlist

PLAYLIST_EXTENSION: Final = "https://musicbrainz.org/doc/jspf#playlist"
TRACK_EXTENSION: Final = "https://musicbrainz.org/doc/jspf#track"
RECORDING: Final = "https://musicbrainz.org/recording/"

CREATOR: Final = "Segue"


def jspf(playlist: Playlist, base_url: str, *, tracks: bool = True) -> dict[str, Any]:
    """Return a playlist in JSPF, with ListenBrainz's extensions.

    Parameters
    ----------
    playlist : Playlist
    base_url : str
        Address of the API, without a slash at its end.
    tracks : bool
        Whether the tracks are included. ListenBrainz leaves them out in lists of playlists.

    Returns
    -------
    dict
        ``{"playlist": {…}}``.
    """
    made_at = datetime.fromtimestamp(playlist.made_at, UTC).isoformat()
    return {
        "playlist": {
            "title": playlist.title,
            "annotation": playlist.description,
            "creator": CREATOR,
            "date": made_at,
            "identifier": f"{base_url}/1/playlist/{playlist.mbid}",
            "track": [_track(entry, made_at) for entry in playlist.entries] if tracks else [],
            "extension": {
                PLAYLIST_EXTENSION: {
                    "creator": CREATOR,
                    "created_for": playlist.user_name,
                    "public": False,
                    "last_modified_at": made_at,
                    "additional_metadata": {
                        "algorithm_metadata": {"source_patch": playlist.kind},
                        "model_version": playlist.version,
                    },
                }
            },
        }
    }


def _track(entry: Entry, made_at: str) -> dict[str, Any]:
    track = entry.track
    known = {
        "title": track.title or track.track_id,
        "creator": track.artist,
        "album": track.album,
        "annotation": entry.reason,
        "identifier": [f"{RECORDING}{track.recording_mbid}"] if track.recording_mbid else [],
        "duration": round(1_000 * track.duration_s),
    }
    more = {"added_at": made_at, "added_by": CREATOR}
    segue = {"additional_metadata": {"segue_track_id": track.track_id, "reason": entry.reason}}
    return {name: value for name, value in known.items() if value or name == "identifier"} | {
        "extension": {TRACK_EXTENSION: more | segue}
    }


def m3u8(playlist: Playlist, root: str = "") -> str:
    """Return a playlist in the extended M3U format, in UTF-8.

    It cannot name all tracks. Those that are a part of a file, and those whose file name is not UTF-8, are left
    out.

    Parameters
    ----------
    playlist : Playlist
    root : str
        What is put before the path of each file, such as ``/srv/music`` or ``../music``. Without it, paths are
        relative to the music folder, as for a playlist that is stored there.
    """
    lines = ["#EXTM3U", f"#PLAYLIST:{_line(playlist.title)}"]
    for track in (entry.track for entry in playlist.entries if not is_part(entry.track.path)):
        path = str(PurePosixPath(root) / from_text(track.path))
        if not _is_utf8(path):
            continue
        seconds = round(track.duration_s) if track.duration_s else -1
        named = " - ".join(filter(None, (track.artist, track.title or track.track_id)))
        lines += [f"#EXTINF:{seconds},{_line(named)}", _line(path)]
    return "\n".join(lines) + "\n"


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _line(text: str) -> str:
    """Keep a text on one line. Tags and names of files may contain line breaks."""
    return " ".join(text.splitlines())
