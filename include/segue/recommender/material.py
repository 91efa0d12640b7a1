"""What a retraining learns from: listens and tracks, collected from Spark into arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segue.connections.windows import Offsets
from segue.errors import TrainingError
from segue.recommender.collecting import collect
from segue.recommender.interactions import LOVE, Interactions
from segue.recommender.model import Catalogue
from segue.recommender.recipe import Audio
from segue.runs.progress import step
from segue.tracks.sound_vectors import FEATURES, VectorColumns, fields_of, stack, weights

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MIN_LISTENERS = 2
MIN_TRACKS = 2


@dataclass(frozen=True)
class Material:
    """Listens and tracks that a retraining learns from.

    Parameters
    ----------
    interactions : Interactions
        Its `items` are the whole catalogue, in the same order. A play of any copy is a play of the recording.
    offsets : ndarray of int32 or int64, shape (n_listens, 2)
        Kafka partition and offset of each listen; both -1 for a listen that was read from the lake.
    catalogue : Catalogue
    audio : Audio
    """

    interactions: Interactions
    offsets: NDArray[np.signedinteger]
    catalogue: Catalogue
    audio: Audio

    @classmethod
    def read(cls, listens: DataFrame, tracks: DataFrame, vectors: VectorColumns = (FEATURES,)) -> Material:
        """Collect listens and tracks.

        Parameters
        ----------
        listens : DataFrame
            ``user_name``, ``track_id``, ``listened_at`` (seconds since 1970), ``plays``, ``partition``,
            ``offset``. Every track is in `tracks`.
        tracks : DataFrame
            ``track_id``, ``title``, ``artist``, ``recording``, and the fields of `vectors` (binary).
        vectors : tuple of VectorColumn
            What the sound of a track is. Where a track lacks one, the mean of all tracks stands for it.

        Raises
        ------
        TrainingError
            If there are fewer than two listeners or two tracks.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        with step("Reading the tracks"):
            names = ("track_id", "title", "artist")
            fields = fields_of(vectors)
            table = tracks.select(*names, "recording", *fields).toArrow().sort_by("track_id")
        ids, titles, artists = (pc.fill_null(table.column(name), "").to_pylist() for name in names)
        catalogue = Catalogue.of(ids, titles, artists, table.column("recording").to_pylist())
        track_ids = table.column("track_id")
        stands = pc.is_in(track_ids, value_set=pa.array(catalogue.track_ids, pa.string()))
        kept = table.filter(stands)
        features = stack(vectors, {field: kept.column(field) for field in fields})
        place = np.fromiter((catalogue.position[track] for track in ids), np.int32, len(ids))
        print(f"Read {len(table):,} tracks of {len(catalogue):,} recordings", flush=True)
        del table, kept
        audio = Audio.of(features, catalogue.artists, weights(vectors) if len(vectors) > 1 else None)
        del features
        played = collect(listens, track_ids, place)
        print(f"Read {len(played.user):,} listens", flush=True)
        _require(played.user, played.item)
        interactions = Interactions(
            played.user,
            played.item,
            played.plays,
            played.listened_at,
            played.users,
            np.asarray(catalogue.track_ids, dtype=str),
        )
        return cls(interactions, played.offsets, catalogue, audio)

    def with_feedback(self, loved: Mapping[str, Iterable[str]], hated: Mapping[str, Iterable[str]]) -> Material:
        """Add `LOVE` plays to the first play of each loved track, and leave out the plays of hated tracks.

        Parameters
        ----------
        loved, hated : mapping of str to iterable of str
            Ids of tracks and recordings, by listener.

        Raises
        ------
        TrainingError
            If fewer than two listeners or two tracks are left.
        """
        if not (loved or hated):
            return self
        plays = self.interactions
        pair = plays.user.astype(np.int64) * len(plays.items) + plays.item
        pairs, first = np.unique(pair, return_index=True)
        counts = plays.plays.copy()
        counts[first[np.isin(pairs, self._pairs(loved))]] += np.float32(LOVE)
        kept = ~np.isin(pair, self._pairs(hated))
        _require(plays.user[kept], plays.item[kept], " that they do not hate")
        left = replace(plays, plays=counts).where(kept)
        return replace(self, interactions=left, offsets=self.offsets[kept])

    def _pairs(self, rated: Mapping[str, Iterable[str]]) -> NDArray[np.int64]:
        """Return the numbers of the pairs, which are their places in the flattened matrix of plays."""
        listener = {str(name): at for at, name in enumerate(self.interactions.users)}
        pairs = [
            listener[name] * len(self.catalogue) + at
            for name, ids in rated.items()
            if name in listener
            for at in self.catalogue.positions(ids)
        ]
        return np.array(pairs, dtype=np.int64)

    def at_or_after(self, first: Offsets, *, unnamed: int = 0) -> NDArray[np.bool_]:
        """Mark the listens at or after some offsets.

        Parameters
        ----------
        first : Offsets
        unnamed : int
            The offset for partitions that `first` does not have.

        Returns
        -------
        ndarray of bool, shape (n_listens,)
            False for listens that were read from the lake.
        """
        partitions, offsets = self.offsets.T
        named, which = np.unique(partitions, return_inverse=True)
        bounds = np.array([first.get(int(partition), unnamed) for partition in named], dtype=np.int64)
        return np.asarray(offsets >= bounds[which])


def _require(user: NDArray[np.integer[Any]], item: NDArray[np.integer[Any]], which: str = "") -> None:
    listeners, heard = len(np.unique(user)), len(np.unique(item))
    if listeners < MIN_LISTENERS or heard < MIN_TRACKS:
        raise TrainingError(
            f"There are listens of {listeners} listener(s) to {heard} track(s) of the corpus{which}: a "
            "recommender needs at least two of each. Send more listens, or check that their track ids are those "
            "of the published corpus."
        )
