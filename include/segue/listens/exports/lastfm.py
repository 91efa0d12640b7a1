"""Read a Last.fm history as CSV. Last.fm itself has no export, and each export tool writes its own form."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TextIO

from segue.listens.exports.files import encoding_of
from segue.listens.exports.lines import ImportFileError, Line, line_of, play_of, seconds
from segue.listens.plays import Play

SEPARATORS = (",", ";", "\t", "|")

LOOKED_AT = 20
"""The form of the file is derived from this many rows at its beginning."""

_HEADER = {
    "artist": "artist", "artist_name": "artist", "artist name": "artist", "album": "album", "album_name": "album",
    "album name": "album", "track": "track", "title": "track", "song": "track", "track_name": "track",
    "track name": "track", "name": "track", "uts": "time", "timestamp": "time", "utc_time": "readable",
    "date": "readable", "datetime": "readable", "time": "readable", "track_mbid": "mbid", "track mbid": "mbid",
}  # fmt: skip

_WITHOUT_HEADER: Sequence[str | None] = ("artist", "album", "track", "readable")


def lastfm(path: Path, encoding: str | None = None) -> Iterator[Line]:
    """Read an export.

    Fields are separated by comma, semicolon, tab or bar. There are two forms:

    - with a header that names, in any order, artist, track or title, a time, and perhaps the album. The time is
      ``uts``, ``timestamp``, ``utc_time`` or ``date``, see `segue.listens.exports.lines.seconds`;
    - without a header: artist, album, title, ``31 Dec 2023 23:59``.

    Parameters
    ----------
    path
        The file.
    encoding
        By default, the file's `segue.listens.exports.files.encoding_of`.

    Yields
    ------
    Line
        In the order of the export.

    Raises
    ------
    ImportFileError
        If the file is empty, is not CSV, or has no such columns.
    """
    with path.open(encoding=encoding or encoding_of(path), errors="surrogateescape", newline="") as stream:
        separator, has_header = _form(stream, path)
        rows = _rows(stream, path, separator)
        names = [_named(name) for name in next(rows)] if has_header else _WITHOUT_HEADER
        for number, row in enumerate(rows, start=1):
            named = {name: value.strip() for name, value in zip(names, row, strict=False) if name}
            yield line_of(number, _play, named)


def _form(stream: TextIO, path: Path) -> tuple[str, bool]:
    """Find the separator, and whether there is a header.

    `csv.Sniffer` counts characters, so commas in titles mislead it. Here a separator is accepted only if it yields
    known column names, or a time in the fourth column.
    """
    lines = list(islice(stream, LOOKED_AT))
    stream.seek(0)
    if not any(map(str.strip, lines)):
        raise ImportFileError(f"{path} is empty.")
    for separator in SEPARATORS:
        names = {_named(name) for name in next(csv.reader(lines, delimiter=separator))}
        if {"artist", "track"} <= names:
            if not {"time", "readable"} & names:
                raise ImportFileError(f"{path} has no column of times. Name it 'uts' (seconds) or 'date'.")
            return separator, True
    for separator in SEPARATORS:
        if any(map(_is_play, islice(csv.reader(lines, delimiter=separator), LOOKED_AT))):
            return separator, False
    raise ImportFileError(
        f"{path} has neither a header that names artist and track, nor lines with artist, album, title and time. "
        f"It begins with {lines[0].strip()[:80]!r}. Fields are separated by comma, semicolon, tab or bar."
    )


def _is_play(row: Sequence[str]) -> bool:
    try:
        return seconds(row[len(_WITHOUT_HEADER) - 1]) >= 0
    except (ValueError, IndexError, OverflowError):
        return False


def _named(header: str) -> str | None:
    """Return which column a header names. Some tools append the user's name: ``Date#anna``."""
    return _HEADER.get(header.partition("#")[0].strip().casefold())


def _rows(stream: TextIO, path: Path, separator: str) -> Iterator[list[str]]:
    rows = csv.reader(stream, delimiter=separator)
    try:
        yield from filter(None, rows)
    except csv.Error as error:  # for example, an unclosed quotation mark makes a field of over 131,072 characters
        raise ImportFileError(f"{path}, line {rows.line_num}, cannot be read as CSV: {error}.") from error


def _play(row: Mapping[str, str]) -> Play:
    info = {"recording_mbid": row["mbid"]} if row.get("mbid") else {}
    at = seconds(row.get("time") or row.get("readable", ""))
    return play_of(at, row.get("artist"), row.get("track"), row.get("album"), info)
