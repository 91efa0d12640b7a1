"""What `segue doctor` finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Repair = Callable[[], str]


@dataclass(frozen=True)
class Finding:
    """Something that is damaged, or keeps Segue from working.

    Parameters
    ----------
    sentence
        What is wrong, and the remedy.
    repair
        Repairs it, and returns a sentence about what it did and what is left to do. None if only the user can.
    """

    sentence: str
    repair: Repair | None = None
