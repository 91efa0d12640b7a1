"""Read the time of a play, in the formats and with the clock errors that players have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from segue.api.errors import BadListenError
from segue.listens import limits

_YEAR_5138 = 100_000_000_000
"""In seconds since 1970. A larger number is in milliseconds, microseconds or nanoseconds."""

_YEAR_1972 = 63_072_000
"""In seconds since 1970. An earlier time comes from a clock that was never set and started in 1970."""


def listened_at(value: Any, arrived_at: int) -> tuple[int, int | None]:
    """Read the time of a play.

    Parameters
    ----------
    value
        As the player sent it: a number, digits in a string, or an ISO 8601 date with a time zone.
    arrived_at
        The current time, in seconds since 1970.

    Returns
    -------
    tuple of (int, int or None)
        The time to store, in seconds since 1970. If the player's clock is ahead, this is the time of arrival, and
        the second value is the time that the player sent.

    Raises
    ------
    BadListenError
        If the time cannot be read or is impossible; the message is for the player.
    """
    said = _seconds(value)
    if said < 0:
        raise BadListenError("Value for key listened_at is too low: it is negative.")
    if said < _YEAR_1972:
        raise BadListenError(
            "Value for key listened_at is too low: it is in 1970 or 1971, so the clock of the player is not set. "
            "Set its date and time."
        )
    if said < limits.MIN_LISTENED_AT:
        raise BadListenError(
            "Value for key listened_at is too low. listened_at timestamp should be greater than "
            f"{limits.MIN_LISTENED_AT} (2002-10-01 00:00:00 UTC)."
        )
    if said > arrived_at + limits.MAX_AHEAD_S:
        raise BadListenError(
            "Value for key listened_at is too high: it is more than 24 hours ahead. Set the clock of the player."
        )
    return (arrived_at, said) if said > arrived_at else (said, None)


def _seconds(value: Any) -> int:
    if isinstance(value, bool):
        value = None
    try:
        if isinstance(value, str) and "-" in value.strip()[1:]:
            moment = datetime.fromisoformat(value.strip())
            return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
        number = int(float(value)) if isinstance(value, float | str) else int(value)
    except (ValueError, TypeError, OverflowError):
        raise BadListenError("JSON document must contain an int value for listened_at.") from None
    for _ in ("milliseconds", "microseconds", "nanoseconds"):
        if number < _YEAR_5138:
            break
        number //= 1000
    return number
