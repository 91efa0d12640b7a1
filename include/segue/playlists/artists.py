"""Artists by their sound: which are alike, and what sounds like an artist. No model is needed.

An artist is at the mean place of the tracks in the space of sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from segue.errors import PlaylistError
from segue.playlists.library import Library, Track
from segue.tracks.nearest import Vectors

TRACKS: Final = 500
"""At most so many tracks of an artist are used."""

NEAR: Final = 20
"""So many times the wanted number of tracks are searched around an artist. Their artists are then compared."""


def tracks_of(library: Library, artist: str) -> list[Track]:
    """Read the tracks of an artist.

    Raises
    ------
    PlaylistError
        If there are none.
    """
    found = library.of_artist(artist, TRACKS)
    if not found:
        raise PlaylistError(f"Cannot find artist: {artist}. Names are spelt as in the corpus.")
    return found


def place(library: Library, track_ids: Sequence[str]) -> Vectors:
    """Return the mean place of tracks, of length 1; 0 if none has a place."""
    mean: Vectors = library.index.vectors(track_ids).sum(axis=0)
    size = float(np.linalg.norm(mean))
    return np.asarray(mean / size, np.float32) if size > 0 else mean


def place_of(library: Library, artist: str) -> Vectors:
    """Return the place of an artist.

    Raises
    ------
    PlaylistError
        As `tracks_of`.
    """
    return place(library, [track.track_id for track in tracks_of(library, artist)])


def similar(library: Library, artist: str, count: int) -> list[tuple[str, float]]:
    """Find the artists who sound most like an artist.

    Only artists with a track near to this artist's place are compared, so that not every track is read.

    Parameters
    ----------
    library : Library
    artist : str
    count : int

    Returns
    -------
    list of (str, float)
        Names with the cosine of the angle between the places, nearest first.

    Raises
    ------
    PlaylistError
        As `tracks_of`.
    """
    there = place_of(library, artist)
    others = {track.artist for track, _ in library.near(there, NEAR * count)} - {artist, ""}
    tracks = library.ids_by_artist(others)
    alike = [(other, float(place(library, tracks[other][:TRACKS]) @ there)) for other in sorted(tracks)]
    return sorted(alike, key=lambda each: -each[1])[:count]


def most_typical(library: Library, tracks: list[Track]) -> list[Track]:
    """Order tracks of an artist by how near they are to the artist's place, nearest first."""
    track_ids = [track.track_id for track in tracks]
    near = library.index.vectors(track_ids) @ place(library, track_ids)
    return [tracks[at] for at in np.argsort(-near, kind="stable")]
