"""The lines of an export. Each has a play, or the reason why it is not a play, so no line is lost silently."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from segue.errors import SegueError
from segue.listens import limits
from segue.listens.plays import MAX_CLOCK_SKEW_S, Play

T = TypeVar("T")

IDS = ("recording_mbid", "track_mbid")
"""Fields of `Play.additional_info` that the matching reads."""

NOT_UTF_8 = frozenset(map(chr, range(0xDC80, 0xDD00)))
"""Characters that "surrogateescape" uses for invalid bytes."""

LARGEST_S, LARGEST_MS = 10**11, 10**14
"""A time of `LARGEST_S` or more is read as milliseconds, and a time of `LARGEST_MS` or more as microseconds.

As seconds and as milliseconds respectively, they would be in the year 5138.
"""

_TIMES = ("%d %b %Y, %H:%M", "%d %b %Y %H:%M", "%d %b %Y, %H:%M:%S", "%d %b %Y %H:%M:%S")


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


def line_of(number: int, parse: Callable[[T], Play], content: T) -> Line:
    """Parse a line of an export; if that raises an error, return the error as the reason."""
    try:
        return Line(number, parse(content))
    except KeyError as error:
        return Line(number, None, f"no field {error}")
    except (ValueError, TypeError, AttributeError, OverflowError, LookupError) as error:
        return Line(number, None, str(error) or type(error).__name__)


def play_of(listened_at: int, artist: Any, track: Any, album: Any, info: dict[str, Any]) -> Play:
    """Validate a play of an export.

    Raises
    ------
    ValueError
        If artist or title is missing, or the time is before 2002-10-01 or in the future.
    TypeError
        If an MBID is not a text.
    """
    if listened_at < limits.MIN_LISTENED_AT:  # Last.fm exports unknown times as 1970
        raise ValueError(f"a play at {listened_at}, before 2002-10-01")
    if listened_at >= time.time() + MAX_CLOCK_SKEW_S:
        raise ValueError(f"a play at {listened_at}, in the future")
    texts = [text.strip() if isinstance(text, str) else "" for text in (artist, track, album)]
    if not texts[0] or not texts[1]:
        raise ValueError("no artist or no title")
    if not all(map(NOT_UTF_8.isdisjoint, texts)):
        raise ValueError("a name that is not UTF-8")
    if any("\x00" in text for text in texts):
        raise ValueError("a null byte in a name")
    for name in IDS:
        if not isinstance(info.get(name, ""), str):
            raise TypeError(f"a {name} that is not a text")
    return Play(listened_at, texts[0], texts[1], texts[2] or None, info)


def seconds(text: str) -> int:
    """Read a time.

    Parameters
    ----------
    text
        A number of seconds, milliseconds or microseconds since 1970; a time as Last.fm writes it
        (``31 Dec 2023, 23:59``); or a time of ISO 8601. Without a time zone it is UTC.

    Returns
    -------
    int
        Seconds since 1970.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    text = text.strip()
    if text.isascii() and text.lstrip("-").replace(".", "", 1).isdigit():
        return in_seconds(float(text))
    for form in _TIMES:
        try:
            return int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp())
        except ValueError:
            continue
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not a time") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def in_seconds(number: float) -> int:
    """Convert seconds, milliseconds or microseconds since 1970 to seconds. The size tells which of them it is."""
    if abs(number) < LARGEST_S:
        return int(number)
    return int(number / (1e3 if abs(number) < LARGEST_MS else 1e6))
