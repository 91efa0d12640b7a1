"""What playlists are made of: the published tracks, and which of them sound alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from pymongo.database import Database

from segue.errors import PlaylistError
from segue.listens.plays import recording_msid
from segue.playlists import order
from segue.tracks import moods
from segue.tracks.collection import COLLECTION
from segue.tracks.nearest import SoundIndex, Vectors

MUSICAL: Final = ("tempo_bpm", "key_tonic", "key_mode", "loudness_lufs", "true_peak_dbtp")
FIELDS: Final = (
    "title",
    "artist",
    "album",
    "recording",
    "recording_mbid",
    "path",
    "duration_s",
    "genre",
    *MUSICAL,
)
ASKED: Final = 5_000
"""How many tracks are looked up by one query."""

COPIES: Final = 2
"""So many times the wanted number of neighbours are searched, because some may be copies of one recording."""


@dataclass(frozen=True)
class Track:
    """A published track.

    Parameters
    ----------
    track_id, title, artist, album, path : str
        Names may be empty. The path is relative to the music folder.
    recording : str
        Id of the recording's first track. Copies have the same.
    recording_mbid : str or None
        In lower case.
    duration_s : float
        0 if it is not known.
    genre : str or None
    tempo_bpm, loudness_lufs, true_peak_dbtp : float or None
    key_tonic, key_mode : str or None
        Musical descriptors; None if they have not been measured.
    """

    track_id: str
    title: str = ""
    artist: str = ""
    album: str = ""
    path: str = ""
    recording: str = ""
    recording_mbid: str | None = None
    duration_s: float = 0.0
    genre: str | None = None
    tempo_bpm: float | None = None
    key_tonic: str | None = None
    key_mode: str | None = None
    loudness_lufs: float | None = None
    true_peak_dbtp: float | None = None

    @classmethod
    def of(cls, document: dict[str, Any]) -> Track:
        """Read a document of the collection `tracks`."""
        track_id, mbid = document["_id"], document.get("recording_mbid")
        return cls(
            track_id,
            title=document.get("title") or "",
            artist=document.get("artist") or "",
            album=document.get("album") or "",
            path=document.get("path") or "",
            recording=document.get("recording") or track_id,
            recording_mbid=mbid.lower() if mbid else None,
            duration_s=document.get("duration_s") or 0.0,
            genre=document.get("genre"),
            **{name: document.get(name) for name in MUSICAL},
        )

    @property
    def name(self) -> str:
        """Title and artist for a sentence, such as ``“Hunter” by Björk``."""
        title = f"“{self.title or self.track_id}”"
        return f"{title} by {self.artist}" if self.artist else title

    @cached_property
    def ids(self) -> frozenset[str]:
        """All ids under which a listener may have hated or skipped the track."""
        known = (self.track_id, self.recording, self.recording_mbid, recording_msid(self.artist, self.title, None))
        return frozenset(each for each in known if each)


def first_of_each_recording(tracks: Iterable[Track]) -> list[Track]:
    """Leave out the copies of a recording that came before."""
    first: dict[str, Track] = {}
    for track in tracks:
        first.setdefault(track.recording, track)
    return list(first.values())


class Library:
    """Finds tracks in MongoDB, and their neighbours in the index of sound.

    Parameters
    ----------
    database
        The corpus' database.
    index
        The index of sound.
    """

    def __init__(self, database: Database[dict[str, Any]], index: SoundIndex) -> None:
        self._database, self._tracks = database, database[COLLECTION]
        self.index = index

    def tracks(self, track_ids: Sequence[str]) -> dict[str, Track]:
        """Read tracks, by id and in the order of `track_ids`. Tracks that are not published are left out."""
        found: dict[str, Track] = {}
        for start in range(0, len(track_ids), ASKED):
            query = {"_id": {"$in": list(track_ids[start : start + ASKED])}}
            found |= {each["_id"]: Track.of(each) for each in self._tracks.find(query, dict.fromkeys(FIELDS, 1))}
        return {track: found[track] for track in track_ids if track in found}

    def track(self, track_id: str) -> Track:
        """Read a track.

        Raises
        ------
        PlaylistError
            If it is not published.
        """
        found = self.tracks([track_id])
        if not found:
            raise PlaylistError(f"Cannot find track: {track_id}")
        return found[track_id]

    def placed(self, track_id: str) -> tuple[Track, Vectors]:
        """Read a track, and its place in the space of sound.

        Raises
        ------
        PlaylistError
            If the track is not published, or cannot be compared by sound.
        """
        track, vector = self.track(track_id), self.index.vector(track_id)
        if vector is None or not vector.any():
            raise PlaylistError(
                f"{track.name} cannot be compared by sound yet. A track gets its place when the DAG `corpus` "
                "publishes it, and the API notices within half a minute."
            )
        return track, vector

    def near(self, vector: Vectors, count: int) -> list[tuple[Track, float]]:
        """Find the recordings nearest to a place, each by one track, with the cosine; nearest first."""
        near = dict(self.index.near(vector, COPIES * count + 1))
        recordings = first_of_each_recording(self.tracks(list(near)).values())
        return [(track, near[track.track_id]) for track in recordings][:count]

    def similar(self, track_id: str, count: int) -> list[tuple[Track, float]]:
        """Find the recordings that sound most like a track, without its own, with the cosine.

        Raises
        ------
        PlaylistError
            As `placed`.
        """
        track, vector = self.placed(track_id)
        return [each for each in self.near(vector, count + 1) if each[0].recording != track.recording][:count]

    def in_order(self, tracks: Sequence[Track], first: int | None = None) -> list[Track]:
        """Order tracks so that neighbours sound alike.

        Parameters
        ----------
        tracks : sequence of Track
        first : int, optional
            Position of the track that comes first.
        """
        apart = order.angles(self.index.vectors([track.track_id for track in tracks]))
        return [tracks[at] for at in order.smooth(apart, first)]

    def of_genre(self, genre: str, count: int) -> list[Track]:
        """Read tracks of a genre: those that have it, and those without a genre for which it is predicted."""
        labelled = self._found({"genre": genre}, count)
        return labelled + self._found({"genre": None, "genre_predicted": genre}, count - len(labelled))

    def mood(self, mood: str) -> list[str] | None:
        """Read the ids of the tracks of a mood; see `segue.tracks.moods.read`."""
        return moods.read(self._database, mood)

    def moods(self) -> list[str]:
        """Return the moods that have tracks."""
        return moods.known(self._database)

    def of_artist(self, artist: str, count: int) -> list[Track]:
        """Read tracks of an artist, whose name is spelt as in the corpus."""
        return self._found({"artist": artist}, count)

    def ids_by_artist(self, artists: Collection[str]) -> dict[str, list[str]]:
        """Read the ids of the tracks of each of these artists, in one query."""
        found: dict[str, list[str]] = {}
        for each in self._tracks.find({"artist": {"$in": sorted(artists)}}, {"artist": 1}):
            found.setdefault(each["artist"], []).append(each["_id"])
        return found

    def genres(self) -> list[str]:
        """Return the genres of the corpus, sorted."""
        return sorted(each for each in self._tracks.distinct("genre") if each)

    def _found(self, query: dict[str, Any], count: int) -> list[Track]:
        if count <= 0:
            return []
        found: Iterable[dict[str, Any]] = self._tracks.find(query, dict.fromkeys(FIELDS, 1)).limit(count)
        return [Track.of(each) for each in found]
