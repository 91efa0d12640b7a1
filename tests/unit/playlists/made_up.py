"""A library of made-up tracks, without MongoDB."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from segue.playlists.library import Library, Track
from segue.tracks import moods
from segue.tracks.nearest import SoundIndex

DESCRIBED: dict[str, Any] = {
    "beat_regularity": 0.5,
    "loudness_lufs": -14.0,
    "key_mode": "major",
    "key_confidence": 0.7,
    "descriptors": {"spectral_centroid_hz": 2_000.0},
}
"""Musical descriptors that all tracks share. Only their tempi differ."""


class MadeUp(Library):
    """Tracks in memory. Those at 0 have no place in the space of sound."""

    def __init__(self, tracks: Sequence[Track], vectors: np.ndarray[Any, Any]) -> None:
        self.all = {track.track_id: track for track in tracks}
        self.index = SoundIndex()
        self.index.add([track.track_id for track in tracks], vectors.astype(np.float32))

    def tracks(self, track_ids: Sequence[str]) -> dict[str, Track]:
        return {track: self.all[track] for track in track_ids if track in self.all}

    def ids_by_artist(self, artists: Collection[str]) -> dict[str, list[str]]:
        mine = {name: [each.track_id for each in self.all.values() if each.artist == name] for name in artists}
        return {name: ids for name, ids in mine.items() if ids}

    def genres(self) -> list[str]:
        return sorted({track.genre for track in self.all.values() if track.genre})

    def mood(self, mood: str) -> list[str] | None:
        documents = [{"_id": track_id} | DESCRIBED for track_id in self.all]
        for number, each in enumerate(documents):
            each["tempo_bpm"] = 60.0 + 7 * number % 120
        return moods.found_in(documents)[mood]

    def moods(self) -> list[str]:
        return [*moods.MOODS]

    def _found(self, query: dict[str, Any], count: int) -> list[Track]:
        field = "artist" if "artist" in query else "genre"
        return [each for each in self.all.values() if query[field] and getattr(each, field) == query[field]][
            :count
        ]


def library(
    artists: Sequence[int], recordings: Sequence[int] | None = None, *, seed: int = 0, seconds: float = 200.0
) -> MadeUp:
    """Tracks ``t0``, ``t1`` …, given the number of each one's artist and recording; 0 is an unknown artist."""
    numbers = range(len(artists)) if recordings is None else recordings
    tracks = [
        Track(
            f"t{i}",
            title=f"Title {recording}",
            artist=f"Artist {artist}" if artist else "",
            path=f"a/t{i}.mp3",
            recording=f"r{recording}",
            duration_s=seconds + 7 * (i % 5),
            genre="Jazz" if i % 2 else "Rock",
        )
        for i, (artist, recording) in enumerate(zip(artists, numbers, strict=True))
    ]
    vectors = np.random.default_rng(seed).normal(size=(len(tracks), 8))
    return MadeUp(tracks, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
