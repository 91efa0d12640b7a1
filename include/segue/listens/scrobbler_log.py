"""Read ``.scrobbler.log``, versions 1.0 and 1.1: what Rockbox and other portable players note of what was played.

A header of ``#`` lines comes first, then lines of tab-separated fields. A player that knows its time zone writes
UTC and the header line ``#TZ/UTC``. Most players write the time of their own clock and ``#TZ/UNKNOWN``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path
from uuid import UUID

from segue.listens.importers import ImportFileError, Line, line_of, play_of
from segue.listens.plays import Play

HEADER = "#AUDIOSCROBBLER/1."
_FIELDS = ("artist", "album", "track", "number", "length_s", "rating", "at", "mbid")


def scrobbler_log(path: Path, zone: tzinfo | None = None) -> Iterator[Line]:
    """Read a log.

    Parameters
    ----------
    path
        The file.
    zone
        Time zone of the player's clock; default this computer's. Ignored if the log is in UTC.

    Yields
    ------
    Line
        In the log's order. A skipped track is not a play.

    Raises
    ------
    ImportFileError
        If the file does not begin with the log's header.
    """
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as stream:
        if not stream.readline().startswith(HEADER):
            raise ImportFileError(f"{path} does not begin with {HEADER}0 or {HEADER}1: is it a .scrobbler.log?")
        number = 0
        for text in stream:
            line = text.rstrip("\r\n")
            if line.upper().startswith("#TZ/UTC"):
                zone = UTC
            if line.strip() and not line.startswith("#"):
                number += 1
                yield line_of(number, partial(_play, zone=zone), line.split("\t"))


def _play(fields: list[str], zone: tzinfo | None) -> Play:
    if len(fields) < len(_FIELDS) - 1:
        raise ValueError(f"{len(fields)} fields, and not {len(_FIELDS) - 1} or more with tabs between them")
    told = dict(zip(_FIELDS, (field.strip() for field in fields), strict=False))
    if told["rating"] != "L":
        raise ValueError("skipped on the player" if told["rating"] == "S" else f"a rating {told['rating']!r}")
    if not _is_number(told["at"]):
        raise ValueError(f"not a time: {told['at']!r}")
    clock = datetime.fromtimestamp(int(told["at"]), UTC).replace(tzinfo=zone)
    info: dict[str, object] = {}
    if _is_number(told["length_s"]) and int(told["length_s"]):
        info["duration"] = int(told["length_s"])
    if told["number"]:
        info["tracknumber"] = told["number"]
    with suppress(ValueError):
        info["track_mbid"] = str(UUID(told.get("mbid", "")))
    return play_of(int(clock.timestamp()), told["artist"], told["track"], told["album"], info)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 12
