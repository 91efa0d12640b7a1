"""Read a ``.scrobbler.log``, versions 1.0 and 1.1: the log of plays that Rockbox and other portable players write.

After a header of ``#`` lines, each line has fields separated by tabs. A player that knows its time zone writes UTC
and the header line ``#TZ/UTC``. Most players write the time of their own clock, and ``#TZ/UNKNOWN``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path
from uuid import UUID

from segue.listens.exports.lines import ImportFileError, Line, line_of, play_of
from segue.listens.plays import Play

HEADER = "#AUDIOSCROBBLER/1."
_FIELDS = ("artist", "album", "track", "number", "length_s", "rating", "at", "mbid")


def rockbox(path: Path, zone: tzinfo | None = None) -> Iterator[Line]:
    """Read a log.

    Parameters
    ----------
    path
        The file.
    zone
        Time zone of the player's clock; by default this computer's. It is ignored if the log says ``#TZ/UTC``.

    Yields
    ------
    Line
        In the order of the log. A skipped track is not a play.

    Raises
    ------
    ImportFileError
        If the file does not begin with the log's header.
    """
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as stream:
        if not stream.readline().startswith(HEADER):
            raise ImportFileError(
                f"{path} is not a .scrobbler.log: it does not begin with {HEADER}0 or {HEADER}1."
            )
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
        raise ValueError(f"{len(fields)} fields separated by tabs instead of {len(_FIELDS) - 1} or more")
    named = dict(zip(_FIELDS, (field.strip() for field in fields), strict=False))
    if named["rating"] != "L":
        raise ValueError("skipped on the player" if named["rating"] == "S" else f"a rating {named['rating']!r}")
    if not _is_number(named["at"]):
        raise ValueError(f"{named['at']!r} is not a time")
    clock = datetime.fromtimestamp(int(named["at"]), UTC).replace(tzinfo=zone)
    info: dict[str, object] = {}
    if _is_number(named["length_s"]) and int(named["length_s"]):
        info["duration"] = int(named["length_s"])
    if named["number"]:
        info["tracknumber"] = named["number"]
    with suppress(ValueError):
        info["track_mbid"] = str(UUID(named.get("mbid", "")))
    return play_of(int(clock.timestamp()), named["artist"], named["track"], named["album"], info)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 12
