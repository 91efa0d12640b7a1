"""Read the exports of Maloja and Koito, two scrobble servers for one's own computer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from segue.listens.exports import files, json_items
from segue.listens.exports.lines import ImportFileError, Line, in_seconds, line_of, play_of, seconds
from segue.listens.plays import Play

Item = Mapping[str, Any]


def maloja(path: Path) -> Iterator[Line]:
    """Read an export of Maloja: a JSON object with the array ``scrobbles``.

    Yields
    ------
    Line
        In the order of the export. Several artists are separated by ``"; "``.

    Raises
    ------
    ImportFileError
        If the file is no such export.
    """
    return _lines(path, "scrobbles", "Maloja", _maloja_play)


def koito(path: Path) -> Iterator[Line]:
    """Read an export of Koito: a JSON object with the array ``listens``.

    Yields
    ------
    Line
        In the order of the export. Several artists are separated by ``"; "``, the primary one first.

    Raises
    ------
    ImportFileError
        If the file is no such export.
    """
    return _lines(path, "listens", "Koito", _koito_play)


def _lines(path: Path, array: str, service: str, play: Callable[[Item], Play]) -> Iterator[Line]:
    number = 0
    with files.texts(path, lambda name: name.endswith(".json"), "….json") as streams:
        for stream in streams:
            try:
                for item in json_items.items(stream.read(), array):
                    number += 1
                    yield line_of(number, _checked(play), item)
            except LookupError:
                raise ImportFileError(
                    f'{path} is not an export of {service}: it is no JSON object with the array "{array}".'
                ) from None


def _checked(play: Callable[[Item], Play]) -> Callable[[Any], Play]:
    def read(item: Any) -> Play:
        if isinstance(item, JSONDecodeError):
            raise item
        return play(item)

    return read


def _maloja_play(item: Item) -> Play:
    track = item["track"]
    info = {"duration_played": item["duration"]} if item.get("duration") else {}
    if track.get("length"):
        info["duration"] = track["length"]
    album = (track.get("album") or {}).get("albumtitle")
    return play_of(in_seconds(int(item["time"])), _joined(track["artists"]), track["title"], album, info)


def _koito_play(item: Item) -> Play:
    track = item["track"]
    artists = sorted(item["artists"], key=lambda artist: not artist.get("is_primary"))
    info = {"recording_mbid": track["mbid"]} if track.get("mbid") else {}
    if track.get("duration"):
        info["duration"] = track["duration"]
    if item.get("client"):
        info["media_player"] = item["client"]
    names = [_name(artist) for artist in artists]
    return play_of(
        seconds(item["listened_at"]), _joined(names), _name(track), _name(item.get("album") or {}), info
    )


def _name(entity: Item) -> str | None:
    """Return the primary alias of an entity; if no alias is primary, the first."""
    aliases = sorted(entity.get("aliases") or (), key=lambda alias: not alias.get("is_primary"))
    return aliases[0]["alias"] if aliases else None


def _joined(artists: Sequence[str | None]) -> str:
    return "; ".join(filter(None, artists))
