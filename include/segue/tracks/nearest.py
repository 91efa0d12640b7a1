"""Find the tracks nearest by sound: exactly below `EXACT_BELOW` tracks, above that with an approximate index.

`benchmarks/similarity.py` measures both, and docs/playlists.md has its figures.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from pymongo.database import Database
from pymongo.errors import PyMongoError

from segue.tracks import sounds
from segue.tracks.sound_space import DIMENSIONS

if TYPE_CHECKING:
    from voyager import Index

log = logging.getLogger(__name__)

EXACT_BELOW: Final = 50_000
"""With fewer tracks, comparing with all of them takes some milliseconds and needs no index."""

LINKS = 16
BUILD_WIDTH = 128
SEARCH_WIDTH = 128
"""Links of a track, and candidates while building and while searching, of the graph (HNSW's M, ef)."""

LOOK_EVERY_S = 30.0

Vectors = NDArray[np.float32]


def graph_of(vectors: Vectors) -> Index:
    """Build the approximate index (HNSW) of some places.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n_tracks, n_dimensions)
        Each of length 1 or 0. The row of a place is its id.
    """
    from voyager import Index, Space

    graph = Index(Space.InnerProduct, vectors.shape[1], M=LINKS, ef_construction=BUILD_WIDTH)
    graph.add_items(vectors, np.arange(len(vectors)), num_threads=1)
    return graph


class SoundIndex:
    """Tracks and where they are in the space of sound.

    Rows are only ever added. The row of a track that has gone or moved stays empty, until a new index is made for
    a new space. One thread may change the index while others search.
    """

    def __init__(self) -> None:
        self._ids: list[str | None] = []
        self._rows: dict[str, int] = {}
        self._empty: list[int] = []
        self._vectors: Vectors = np.zeros((0, DIMENSIONS), np.float32)
        self._graph: Index | None = None
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return the number of tracks."""
        return len(self._rows)

    def __contains__(self, track_id: object) -> bool:
        """Return whether the index has a track."""
        return track_id in self._rows

    def vector(self, track_id: str) -> Vectors | None:
        """Return the place of a track, shape (n_dimensions,); None if the index does not have it."""
        with self._lock:
            row = self._rows.get(track_id)
            return None if row is None else self._vectors[row]

    def vectors(self, track_ids: Sequence[str]) -> Vectors:
        """Return the places of tracks, shape (n_tracks, n_dimensions). A track without a place is at 0."""
        found = [self.vector(each) for each in track_ids]
        nowhere = np.zeros(self._vectors.shape[1], np.float32)
        return np.array([nowhere if each is None else each for each in found], np.float32).reshape(
            len(found), len(nowhere)
        )

    def near(self, vector: Vectors, count: int) -> list[tuple[str, float]]:
        """Find the tracks nearest to a place.

        Parameters
        ----------
        vector : ndarray of float32, shape (n_dimensions,)
            Of length 1.
        count : int

        Returns
        -------
        list of (str, float)
            Track ids with the cosine of their angle, nearest first. At most `count`.
        """
        with self._lock:
            count = min(count, len(self._rows))
            if not count or not vector.any():
                return []
            near = self._approximate(vector, count) or self._exact(vector, count)
            return [(track, cosine) for row, cosine in near if (track := self._ids[row]) is not None]

    def _exact(self, vector: Vectors, count: int) -> list[tuple[int, float]]:
        cosines = self._vectors @ vector
        cosines[self._empty] = -np.inf
        rows = np.argpartition(-cosines, count - 1)[:count]
        rows = rows[np.argsort(-cosines[rows], kind="stable")]
        return list(zip(rows.tolist(), cosines[rows].tolist(), strict=True))

    def _approximate(self, vector: Vectors, count: int) -> list[tuple[int, float]]:
        """Search the graph; return nothing if there is none, or if it reaches too few tracks."""
        if self._graph is None:
            return []
        from voyager import RecallError

        try:
            rows, distances = self._graph.query(vector, count, query_ef=max(SEARCH_WIDTH, count))
        except RecallError:  # many tracks were removed since it was built
            return []
        return list(zip(rows.tolist(), (1 - distances).tolist(), strict=True))

    def add(self, track_ids: Sequence[str], vectors: Vectors) -> None:
        """Add tracks, or move those that are there."""
        self.remove(track_ids)
        with self._lock:
            first = len(self._ids)
            self._vectors = np.concatenate([self._vectors, vectors]) if first else np.array(vectors, np.float32)
            self._ids += track_ids
            self._rows |= {track: first + i for i, track in enumerate(track_ids)}
            if self._graph is not None:
                self._graph.add_items(vectors, np.arange(first, len(self._ids)), num_threads=1)

    def remove(self, track_ids: Iterable[str]) -> None:
        """Remove tracks. Tracks that are not there are ignored."""
        with self._lock:
            for track in track_ids:
                row = self._rows.pop(track, None)
                if row is not None:
                    self._ids[row] = None
                    self._empty.append(row)
                    if self._graph is not None:
                        self._graph.mark_deleted(row)

    def build_graph(self) -> None:
        """Build the approximate index if there are many tracks. Until it is built, searches stay exact.

        Only the thread that changes the index may call this.
        """
        if self._graph is not None or len(self) < EXACT_BELOW:
            return
        graph = graph_of(self._vectors)
        for row in self._empty:
            graph.mark_deleted(row)
        with self._lock:
            self._graph = graph


class LiveSounds:
    """Keeps an index current. Every half minute, a thread reads the parts of `sounds` that have changed.

    Parameters
    ----------
    database
        The corpus' database.
    """

    def __init__(self, database: Database[Any]) -> None:
        self._database = database
        self._revision: str | None = None
        self._parts: dict[str, tuple[int, list[str]]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sounds", daemon=True)
        self.index = SoundIndex()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop the thread."""
        self._stopping.set()
        self._thread.join()

    def refresh(self) -> bool:
        """Read what has changed since the last call; return whether anything had."""
        revision = sounds.revision(self._database)
        if revision == self._revision:
            return False
        wanted = sounds.digests(self._database)
        known = self._parts if wanted.keys() & self._parts.keys() else {}  # {} in a new space
        index = self.index if known else SoundIndex()
        changed = [key for key, digest in wanted.items() if known.get(key, (None,))[0] != digest]
        outdated = [*changed, *(known.keys() - wanted.keys())]
        before = {track for key in outdated if key in known for track in known[key][1]}
        parts = {key: known[key] for key in known.keys() & wanted.keys()}
        for part in sounds.read(self._database, changed):
            moved = [
                at
                for at, track in enumerate(part.track_ids)
                if (there := index.vector(track)) is None or not np.array_equal(there, part.vectors[at])
            ]
            index.add([part.track_ids[at] for at in moved], part.vectors[moved])
            before.difference_update(part.track_ids)
            parts[part.key] = part.digest, part.track_ids
        index.remove(before)
        self._revision, self._parts, self.index = revision, parts, index
        return True

    def _run(self) -> None:
        while True:
            try:
                if self.refresh():
                    log.info("%d tracks can be compared by sound", len(self.index))
                self.index.build_graph()
            except PyMongoError as error:
                log.warning("MongoDB is away, so the index of sound stays as it is: %s", type(error).__name__)
            if self._stopping.wait(LOOK_EVERY_S):
                return
