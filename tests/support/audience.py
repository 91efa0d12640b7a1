"""Made-up listeners of made-up tracks, whose tastes can be heard in the tracks' features."""

from __future__ import annotations

from typing import Any

import numpy as np

from segue.audio.definition import N_FEATURES
from segue.demo.listeners import Audience, CorpusTrack
from segue.tracks.vectors import pack

TRACKS, TASTES = 120, 4


def make_audience() -> Audience:
    random = np.random.default_rng(0)
    centres = random.normal(size=(TASTES, 12))
    twelve = centres[np.arange(TRACKS) % TASTES] + random.normal(size=(TRACKS, 12))
    vectors = np.take(twelve, np.arange(N_FEATURES) % 12, axis=1)
    tracks = [CorpusTrack(f"r{i:03}", f"Piece {i}", f"genre {i % TASTES}", vectors[i]) for i in range(TRACKS)]
    return Audience(tracks, listeners=40, seed=2)


def documents_of(audience: Audience) -> list[dict[str, Any]]:
    """The tracks as documents of the collection ``tracks``."""
    return [
        {"_id": track.track_id, "title": track.title, "artist": f"artist {i}", "features": pack(track.features)[0]}
        for i, track in enumerate(audience.tracks)
    ]
