"""Read the plays of listening histories: ListenBrainz's export (JSON lines) and Last.fm's (CSV).

`segue import` sends them to Kafka. A line that is not a play is yielded with its number and the reason, so the
caller can count it and nothing disappears.
"""

from __future__ import annotations

import csv
import io
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO, TypeVar

from pydantic_core import from_json

from segue.errors import SegueError
from segue.listens import limits
from segue.listens.archives import check_sizes
from segue.listens.plays import MAX_CLOCK_SKEW_S, Play

T = TypeVar("T")


class ImportFileError(SegueError):
    """A file is not an export that can be read."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an export: a play, or the reason why it is not one.

    Parameters
    ----------
    number
        Number of the line in the whole export, from 1.
    play
    wrong
        The reason, if there is no play.
    """

    number: int
    play: Play | None
    wrong: str | None = None


def listenbrainz(path: Path) -> Iterator[Line]:
    """Read a ListenBrainz export: a ``.jsonl`` file, or the zip file with a ``.jsonl`` file for each month.

    Yields
    ------
    Line
        In the order of the export.
    """
    number = 0
    for stream in _json_line_files(path):
        for text in stream:
            if text.strip():
                number += 1
                yield line_of(number, _listenbrainz_play, text)


def lastfm(path: Path) -> Iterator[Line]:
    """Read a Last.fm export as CSV.

    There are two formats:

    - with a header that names, in any order, artist, album, track or title, and a time. The time is ``uts`` or
      ``timestamp`` (in seconds), or ``utc_time`` or ``date``;
    - without a header: artist, album, title, ``31 Dec 2023 23:59``.

    Yields
    ------
    Line
        In the order of the export.
    """
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        rows = _rows(stream, path)
        first = next(rows, None)
        if first is None:
            raise ImportFileError(f"{path} is empty.")
        names = [_HEADER.get(name.strip().casefold()) for name in first]
        if "track" in names and "artist" in names:
            if not {"seconds", "time"} & set(names):
                raise ImportFileError(f"{path} has no column of times. Name it 'uts' (seconds) or 'date'.")
            body: Iterator[list[str]] = rows
        else:
            names, body = ["artist", "album", "track", "time"], iter([first, *rows])
        for number, row in enumerate(body, start=1):
            named = {name: value.strip() for name, value in zip(names, row, strict=False) if name}
            yield line_of(number, _lastfm_play, named)


_HEADER = {
    "artist": "artist", "artist_name": "artist", "album": "album", "album_name": "album", "track": "track",
    "title": "track", "track_name": "track", "name": "track", "uts": "seconds", "timestamp": "seconds",
    "utc_time": "time", "date": "time", "time": "time", "track_mbid": "mbid",
}  # fmt: skip
_TIMES = ("%d %b %Y, %H:%M", "%d %b %Y %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%SZ")


def _rows(stream: TextIO, path: Path) -> Iterator[list[str]]:
    rows = csv.reader(stream)
    try:
        yield from rows
    except csv.Error as error:  # such as a field of 131,072 characters, because a quotation mark is never closed
        raise ImportFileError(f"{path}, line {rows.line_num}, cannot be read as CSV: {error}.") from error


def line_of(number: int, parse: Callable[[T], Play], content: T) -> Line:
    """Parse a line of an export; if that raises an error, return the error as the reason."""
    try:
        return Line(number, parse(content))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        return Line(number, None, str(error) or type(error).__name__)


def _listenbrainz_play(text: str) -> Play:
    if not _NOT_UTF_8.isdisjoint(text):
        raise ValueError("a line that is not UTF-8")
    listen = from_json(text, allow_inf_nan=False)
    metadata = listen["track_metadata"]
    info = {key: value for key, value in (metadata.get("additional_info") or {}).items() if value is not None}
    mapped = (metadata.get("mbid_mapping") or {}).get("recording_mbid")
    if mapped:  # found by ListenBrainz; an id from the player takes precedence
        info.setdefault("recording_mbid", mapped)
    return play_of(
        int(listen["listened_at"]),
        metadata["artist_name"],
        metadata["track_name"],
        metadata.get("release_name"),
        info,
    )


def _lastfm_play(row: Mapping[str, str]) -> Play:
    at = int(row["seconds"]) if row.get("seconds") else _seconds(row.get("time", ""))
    info = {"recording_mbid": row["mbid"]} if row.get("mbid") else {}
    return play_of(at, row.get("artist"), row.get("track"), row.get("album"), info)


def play_of(listened_at: int, artist: Any, track: Any, album: Any, info: dict[str, Any]) -> Play:
    """Validate a play of an export.

    Raises
    ------
    ValueError
        If artist or title is missing, or the time is before 2002-10-01 or in the future.
    """
    if listened_at < limits.MIN_LISTENED_AT:  # Last.fm exports unknown times as 1970
        raise ValueError(f"a play at {listened_at}, before 2002-10-01")
    if listened_at >= time.time() + MAX_CLOCK_SKEW_S:
        raise ValueError(f"a play at {listened_at}, in the future")
    texts = [text.strip() if isinstance(text, str) else "" for text in (artist, track, album)]
    if not texts[0] or not texts[1]:
        raise ValueError("no artist or no title")
    if not all(map(_NOT_UTF_8.isdisjoint, texts)):
        raise ValueError("a name that is not UTF-8")
    if any("\x00" in text for text in texts):
        raise ValueError("a null byte in a name")
    return Play(listened_at, texts[0], texts[1], texts[2] or None, info)


_NOT_UTF_8 = frozenset(
    map(chr, range(0xDC80, 0xDD00))
)  # the characters that "surrogateescape" uses for invalid bytes


def _seconds(text: str) -> int:
    for form in _TIMES:
        try:
            return int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp())
        except ValueError:
            continue
    raise ValueError(f"{text!r} is not a time")


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile | None]:
    if not zipfile.is_zipfile(path):
        yield None
        return
    with zipfile.ZipFile(path) as archive:
        yield archive


def _json_line_files(path: Path) -> Iterator[TextIO]:
    with _opened(path) as archive:
        if archive is None:
            with path.open(encoding="utf-8", errors="surrogateescape") as stream:
                yield stream
            return
        names = sorted(name for name in archive.namelist() if name.endswith(".jsonl") and "listens" in name)
        if not names:
            raise ImportFileError(f"{path} is not ListenBrainz's export: it contains no listens/….jsonl.")
        check_sizes(path, archive, names)
        for name in names:
            with archive.open(name) as raw, io.TextIOWrapper(raw, "utf-8", "surrogateescape") as stream:
                yield stream
