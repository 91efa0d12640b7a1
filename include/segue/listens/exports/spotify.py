"""Read Spotify's streaming history: the extended one, and the short one of the account data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from json import JSONDecodeError
from pathlib import Path, PurePosixPath
from typing import Any

from segue.listens.exports import files, json_items
from segue.listens.exports.lines import ImportFileError, Line, line_of, play_of, seconds
from segue.listens.plays import Play

_SHORT = ("artistName", "trackName", "endTime", "msPlayed")
_EXTENDED = ("master_metadata_album_artist_name", "master_metadata_track_name", "ts", "ms_played")
_PREFIXES = ("Streaming_History_Audio", "StreamingHistory", "endsong")


def spotify(path: Path) -> Iterator[Line]:
    """Read a history.

    Parameters
    ----------
    path
        A ``Streaming_History_Audio_….json``, ``endsong_….json`` or ``StreamingHistory….json``, or the zip file
        that contains them.

    Yields
    ------
    Line
        In the order of the history. ``additional_info`` has ``ms_played``, which shows what was skipped, and
        Spotify's id of the track. Podcasts, audiobooks, and songs of which nothing was played are not plays.

    Raises
    ------
    ImportFileError
        If the file is no such history.
    """
    number = 0
    with files.texts(path, _is_history, "Streaming_History_Audio_….json") as streams:
        for stream in streams:
            try:
                for item in json_items.items(stream.read()):
                    number += 1
                    yield line_of(number, _play, item)
            except LookupError:
                raise ImportFileError(f"{path} is not Spotify's streaming history: it is no JSON array.") from None


def _is_history(name: str) -> bool:
    file = PurePosixPath(name)
    return file.suffix == ".json" and file.name.startswith(_PREFIXES)


def _play(item: Mapping[str, Any] | JSONDecodeError) -> Play:
    if isinstance(item, JSONDecodeError):
        raise item
    artist, track, ended, played = _SHORT if "endTime" in item else _EXTENDED
    if not item[track] and (item.get("episode_name") or item.get("audiobook_title")):
        raise ValueError("a podcast or an audiobook")
    ms_played = int(item[played])
    if ms_played <= 0:
        raise ValueError("a song of which nothing was played")
    info: dict[str, Any] = {"ms_played": ms_played}
    if uri := item.get("spotify_track_uri"):
        info["spotify_id"] = f"https://open.spotify.com/track/{str(uri).rpartition(':')[2]}"
    began = seconds(item[ended]) - ms_played // 1000  # Spotify's time is the end of the play
    return play_of(began, item[artist], item[track], item.get("master_metadata_album_album_name"), info)
