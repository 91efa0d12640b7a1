"""Read a CUE sheet: the text that divides the audio file of an album into its tracks.

Segue parses the sheet itself, because a bad sheet needs a reason with its line, and tracks must follow each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

FRAMES_PER_S: Final = 75
"""CUE sheets count time in the sectors of a CD."""

MAX_TRACKS: Final = 999

OF_SHEET: Final = {"TITLE": "album", "PERFORMER": "album_artist"}
OF_TRACK: Final = {"TITLE": "title", "PERFORMER": "artist", "ISRC": "isrc"}
OF_REMARK: Final = {"GENRE": "genre", "DATE": "date", "DISCNUMBER": "disc_number"}
"""Names of the tags (`segue.audio.results.TAG_NAMES`) for the commands of a sheet, and for what follows REM."""

_TIME = re.compile(r"(\d{1,5}):([0-5]?\d):(\d{1,2})")


@dataclass
class CueTrack:
    """A track of a sheet.

    Attributes
    ----------
    number : int
    start, end : int or None
        In frames of 1/75 s. `end` is the start of the next track. It is None for the last one, which ends with its
        file.
    tags : dict of str to str
        By the names of `segue.audio.results.TAG_NAMES`.
    """

    number: int
    start: int = -1
    end: int | None = None
    tags: dict[str, str] = field(default_factory=dict)
    is_audio: bool = True


@dataclass
class CueFile:
    """An audio file that a sheet names, and its tracks in the order of the sheet."""

    name: str
    tracks: list[CueTrack] = field(default_factory=list)


def parse(text: str) -> list[CueFile]:
    """Parse a CUE sheet.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of CueFile
        Files without an audio track are left out. A track belongs to the file in which it begins (INDEX 01). What
        precedes that, such as a gap (INDEX 00), belongs to the track before.

    Raises
    ------
    ValueError
        If the sheet has no tracks, or tracks without a number or time of their own, or tracks that do not follow
        each other. The message is the reason without a period.
    """
    files: list[CueFile] = []
    sheet: dict[str, str] = {}
    tracks: list[CueTrack] = []
    for line, command, rest in _commands(text):
        tags, names = (tracks[-1].tags, OF_TRACK) if tracks else (sheet, OF_SHEET)
        if command == "FILE":
            files.append(CueFile(_value(rest if '"' in rest else rest.rpartition(" ")[0])))
        elif command == "TRACK":
            tracks.append(_track(line, rest, tracks))
        elif command == "INDEX" and tracks and rest.split()[:1] in (["01"], ["1"]):
            _begin(line, rest, tracks[-1], files)
        elif command == "REM" and (name := OF_REMARK.get(rest.partition(" ")[0].upper())):
            tags[name] = _value(rest.partition(" ")[2])
        elif command in names:
            tags[names[command]] = _value(rest)
    _check(tracks)
    for track in tracks:
        track.tags = _all_tags(track, sheet)
    for file in files:
        _set_ends(file)
    return [file for file in files if file.tracks]


def _check(tracks: list[CueTrack]) -> None:
    if not any(track.is_audio for track in tracks):
        raise ValueError("it has no audio tracks")
    for track in tracks:
        if track.start < 0:
            raise ValueError(f"track {track.number} has no INDEX 01")


def _commands(text: str) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(text.lstrip("\ufeff").split("\n"), 1):
        command, _, rest = line.replace("\t", " ").strip().partition(" ")
        yield number, command.upper(), rest.strip()


def _value(rest: str) -> str:
    """Return a text without its quotes. A title may have quotes inside: only the outer ones count."""
    first, last = rest.find('"'), rest.rfind('"')
    return (rest[first + 1 : last] if first < last else rest.strip('"')).strip()


def _track(line: int, rest: str, before: list[CueTrack]) -> CueTrack:
    number, _, kind = rest.partition(" ")
    if not (number.isascii() and number.isdigit() and len(number) <= len(str(MAX_TRACKS))):
        raise ValueError(f"line {line} has no number for its track")
    if int(number) in {track.number for track in before}:
        raise ValueError(f"line {line} has track {int(number)} for the second time")
    return CueTrack(int(number), is_audio=kind.strip().upper() in ("AUDIO", ""))


def _begin(line: int, rest: str, track: CueTrack, files: list[CueFile]) -> None:
    if not files:
        raise ValueError(f"line {line} has a track, but no FILE precedes it")
    if track.start >= 0:
        raise ValueError(f"line {line} has a second INDEX 01 for track {track.number}")
    track.start = _frames(line, rest.split()[-1])
    files[-1].tracks.append(track)


def _frames(line: int, text: str) -> int:
    found = _TIME.fullmatch(text)
    if found is None or int(found[3]) >= FRAMES_PER_S:
        raise ValueError(f"line {line} has {text!r}, which is not a time (minutes:seconds:frames)")
    return (int(found[1]) * 60 + int(found[2])) * FRAMES_PER_S + int(found[3])


def _all_tags(track: CueTrack, sheet: dict[str, str]) -> dict[str, str]:
    artist = {"artist": sheet["album_artist"]} if "album_artist" in sheet else {}
    tags = sheet | artist | {name: text for name, text in track.tags.items() if text}
    return {name: text for name, text in tags.items() if text} | {"track_number": str(track.number)}


def _set_ends(file: CueFile) -> None:
    for track, following in zip(file.tracks, file.tracks[1:], strict=False):
        if following.start <= track.start:
            raise ValueError(
                f"track {following.number} begins at {clock(following.start)}, but track {track.number} before it "
                f"begins at {clock(track.start)}"
            )
        track.end = following.start
    file.tracks = [track for track in file.tracks if track.is_audio]


def clock(frames: float) -> str:
    """Write a time of 1/75 s as minutes and seconds, such as ``71:04``."""
    minutes, seconds = divmod(int(frames / FRAMES_PER_S), 60)
    return f"{minutes}:{seconds:02d}"
