"""When a play began, as players with all sorts of clocks say it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from segue.api.errors import BadListenError
from segue.listens import limits

_YEAR_5138 = 100_000_000_000
"""In seconds. A larger number counts milliseconds, microseconds or nanoseconds."""

_YEAR_1972 = 63_072_000
"""A clock that has never been set starts in 1970."""


def listened_at(value: Any, arrived_at: int) -> tuple[int, int | None]:
    """Read the time of a play.

    Parameters
    ----------
    value
        What the player sent: a number, digits in a string, or a date with a time zone in ISO 8601's form.
    arrived_at
        Now, in seconds since 1970.

    Returns
    -------
    tuple of (int, int or None)
        The time to store, in seconds since 1970. If the player's clock is ahead, that is the time of arrival, and
        the second value is what the player said.

    Raises
    ------
    BadListenError
        With the sentence for the player, if the time cannot be read or is impossible.
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
