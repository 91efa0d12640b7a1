"""Which listeners take part in a comparison, and the coins that are tossed for their lists.

Both are computed from hashes, so they are the same in every process, and after a crash.
"""

from __future__ import annotations

import hashlib
import random
from datetime import date

from segue.connections.model_version import Version
from segue.connections.registry import CHALLENGED_AT


def name_of(challenger: Version) -> str:
    """Return the name of a challenger's comparison. It is another one if the version is named a second time."""
    return f"{challenger} since {challenger.tags.get(CHALLENGED_AT, '?')}"


def takes_part(user_name: str, comparison: str, share: float) -> bool:
    """Return whether a listener takes part in a comparison.

    A listener who takes part stays in it, also if the share grows. Each comparison has other listeners.

    Parameters
    ----------
    user_name, comparison : str
    share : float
        Share of the listeners who take part, from 0 to 1.
    """
    return _hash(comparison, user_name) / 2**64 < share


def coins(user_name: str, comparison: str, day: date) -> random.Random:
    """Return the coins for a listener's lists of one day.

    The lists of a day use the same tosses, so that a list does not change its order with each listen.
    """
    return random.Random(_hash(comparison, user_name, day.isoformat()))  # noqa: S311 - it guards no secret


def _hash(*parts: str) -> int:
    return int.from_bytes(hashlib.sha256("\n".join(parts).encode()).digest()[:8])
