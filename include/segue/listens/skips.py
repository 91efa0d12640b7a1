"""Decide whether a play was a skip: stored with its length, but not counted as a play."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

SKIPPED_BELOW_S: Final = 30.0
"""Scrobblers report a play from 30 seconds on."""

PLAYED: Final = {"duration_played": 1, "ms_played": 1_000}
"""Fields of ``additional_info`` that state how much was played, and their units in a second."""

LENGTH: Final = {"duration_ms": 1_000, "duration": 1}
"""Fields of ``additional_info`` that state how long the track is, and their units in a second."""


def played_s(info: Mapping[str, Any]) -> float | None:
    """Return how many seconds were played, or None if the player does not state it."""
    return _seconds(info, PLAYED)


def is_skip(info: Mapping[str, Any], track_s: float | None) -> bool:
    """Return whether less than `SKIPPED_BELOW_S` and less than half of the track was played.

    Parameters
    ----------
    info
        `Play.additional_info`.
    track_s
        Length of the track in the corpus, seconds. It counts if the player states none. If the length is unknown,
        the seconds alone decide.
    """
    played, length = played_s(info), _seconds(info, LENGTH) or track_s
    return played is not None and played < SKIPPED_BELOW_S and (length is None or played < length / 2)


def _seconds(info: Mapping[str, Any], fields: Mapping[str, int]) -> float | None:
    for name, units in fields.items():
        value = info.get(name)
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            try:
                seconds = float(value) / units
            except (ValueError, OverflowError):
                continue
            if math.isfinite(seconds) and seconds > 0:  # some programs write 0 if they do not know it
                return seconds
    return None
