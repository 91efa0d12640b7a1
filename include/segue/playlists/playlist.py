"""A playlist and its entries. Each entry has the reason why the track is there."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from segue.playlists.library import Track

_NAMESPACE: Final = uuid.UUID("6a5c2b1e-8f0d-4c39-9a57-1d2e3f405162")


@dataclass(frozen=True)
class Entry:
    """A track of a playlist, and why it is there."""

    track: Track
    reason: str


@dataclass(frozen=True)
class Playlist:
    """Tracks in the order in which they are played.

    Parameters
    ----------
    user_name : str
        Whom it was made for.
    kind : str
        Such as ``daily-jams``.
    title, description : str
    entries : sequence of Entry
    version : str
        The version of the model that chose the tracks, or ``sound`` if only their sound did.
    made_at : float
        Seconds since 1970.
    """

    user_name: str
    kind: str
    title: str
    description: str
    entries: Sequence[Entry]
    version: str
    made_at: float = field(default_factory=time.time)

    @property
    def mbid(self) -> str:
        """The id, a UUID. It stays the same when the playlist is made again, so players keep following it."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.kind}/{self.user_name}"))
