"""The recommender: a catalogue and a blend. It is saved as a folder of arrays, which is loaded without Spark.

A folder holds ``recommender.json`` (version, choices, checksums), ``catalogue.parquet``, ``factors.npy``,
``popularity.npy``, and for each component of sparse relations ``<name>.data.npy``, ``<name>.indices.npy`` and
``<name>.indptr.npy``. The manifest ``recommender.json`` is written last. A folder without it is not loaded. The
arrays are mapped into memory: parts that are never used stay on disk, and the processes of one machine share the
others. Format 1 has ``<name>.npz`` instead of the three files of a component. The catalogues of formats 1 and 2
have no copies. The recipes of formats 1 to 3 have no GF-CF and no half-life of popularity. Formats 1 to 4 have no
transitions. All can still be read.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import sparse

from segue.errors import ModelError
from segue.listens.lookup import Lookup
from segue.listens.plays import recording_msid
from segue.recommender.components.blend import Blend
from segue.recommender.components.factors import Factors
from segue.recommender.components.neighbours import Neighbours
from segue.recommender.components.popularity import Popularity
from segue.recommender.components.transitions import Transitions
from segue.recommender.evaluation.metrics import Scorer
from segue.recommender.recipe import Recipe

if TYPE_CHECKING:
    from segue.connections.model_version import Version

NAME = "recommender"
"""Name of the model in the registry."""

FORMAT = 5
"""Version of the folder's layout. It is raised with each change; formats in `READABLE` can be read."""

READABLE = (1, 2, 3, 4, FORMAT)

PARTS = ("data", "indices", "indptr")
"""Arrays of a CSR matrix."""

REMEDY = (
    "Train a new one with the DAG `recommender`, or return to the version before with `segue models rollback "
    "recommender`."
)
MANIFEST = "recommender.json"


@dataclass(frozen=True)
class Catalogue:
    """The recordings that can be recommended, each by one of its tracks.

    Every array of the model has the same order of recordings. So no list has a recording twice, and plays of
    copies add up.

    Parameters
    ----------
    track_ids, titles, artists : sequence of str
        The track that stands for the recording. Titles and artists may be empty.
    copies : sequence of sequence of str
        Ids of the other tracks of each recording. Empty if no recording has any.
    """

    track_ids: Sequence[str]
    titles: Sequence[str]
    artists: Sequence[str]
    copies: Sequence[Sequence[str]] = ()

    @classmethod
    def of(
        cls,
        track_ids: Sequence[str],
        titles: Sequence[str],
        artists: Sequence[str],
        recordings: Sequence[str | None],
    ) -> Catalogue:
        """Group tracks by recording.

        Parameters
        ----------
        track_ids, titles, artists : sequence of str
            All tracks.
        recordings : sequence of str or None
            Recording of each track: the id of its first track. None if it is not known.

        Returns
        -------
        Catalogue
            In the order of the tracks that stand for their recordings. This is the first track of the recording,
            or another one if the first is not among the tracks.
        """
        members: dict[str, list[int]] = {}
        for row, (track, recording) in enumerate(zip(track_ids, recordings, strict=True)):
            members.setdefault(recording or track, []).append(row)
        first = {
            next((row for row in rows if track_ids[row] == recording), rows[0]): rows
            for recording, rows in members.items()
        }
        chosen = sorted(first)
        copies = [tuple(track_ids[row] for row in first[at] if row != at) for at in chosen]
        ids, titles, artists = ([each[at] for at in chosen] for each in (track_ids, titles, artists))
        return cls(ids, titles, artists, copies if any(copies) else ())

    def __len__(self) -> int:
        return len(self.track_ids)

    @cached_property
    def position(self) -> dict[str, int]:
        """Position of each track id. Copies have the position of their recording."""
        of_copies = {copy: i for i, copies in enumerate(self.copies) for copy in copies}
        return of_copies | {track: i for i, track in enumerate(self.track_ids)}

    @cached_property
    def artist_numbers(self) -> NDArray[np.int32]:
        """Number of each track's artist; -1 if the artist is unknown."""
        number = {name: i for i, name in enumerate(sorted({artist for artist in self.artists if artist}))}
        return np.array([number.get(artist, -1) for artist in self.artists], dtype=np.int32)

    @cached_property
    def several_artists(self) -> bool:
        """Whether there is more than one known artist."""
        return bool(self.artist_numbers.max(initial=-1) > 0)

    @cached_property
    def _recordings(self) -> Lookup:
        """Positions of tracks by the id computed from their artist and title (ListenBrainz' MSID)."""
        names = zip(self.artists, self.titles, strict=True)
        return Lookup(recording_msid(artist, title, None) for artist, title in names)

    def positions(self, ids: Iterable[str]) -> list[int]:
        """Find tracks by their ids, and recordings by their MSIDs. Unknown ids are left out."""
        found = {self.position[each] if each in self.position else self._recordings.get(each) for each in ids}
        return [at for at in found if at is not None]

    def name(self, track: int) -> str:
        """Return title and artist for a sentence, such as ``“Hunter” by Björk``."""
        title = self.titles[track] or self.track_ids[track]
        return f"“{title}” by {self.artists[track]}" if self.artists[track] else f"“{title}”"


@dataclass(frozen=True)
class Recommender:
    """Ranks the catalogue for a listener.

    Parameters
    ----------
    catalogue : Catalogue
    blend : Blend
        Components ``factors`` (`Factors`), ``popularity`` (`Popularity`), item-to-item ones (`Neighbours`), and
        ``transitions`` (`Transitions`) if the recipe has them.
    recipe : Recipe
        The choices that the recommender was made with.
    """

    catalogue: Catalogue
    blend: Blend
    recipe: Recipe

    @property
    def popularity(self) -> NDArray[np.float32]:
        """Popularity of each track: see :class:`.Popularity`."""
        return cast(Popularity, self.blend.components["popularity"]).values

    @property
    def alike(self) -> Neighbours | None:
        """Which tracks sound alike; None if the recommender was made without audio."""
        component = self.blend.components.get("sound")
        return component if isinstance(component, Neighbours) else None

    def save(self, folder: Path) -> None:
        """Write into a folder, which is created if necessary. The manifest is written last."""
        folder.mkdir(parents=True, exist_ok=True)
        columns = {"track_id": self.catalogue.track_ids, "title": self.catalogue.titles}
        table = pa.table({name: pa.array(v, pa.string()) for name, v in columns.items()}).append_column(
            "artist", pa.array(self.catalogue.artists, pa.string())
        )
        if self.catalogue.copies:
            table = table.append_column("copies", pa.array(self.catalogue.copies, pa.list_(pa.string())))
        pq.write_table(table, folder / "catalogue.parquet")
        manifest: dict[str, Any] = {"format": FORMAT, "tracks": len(self.catalogue)}
        manifest["recipe"] = self.recipe.summary()
        for name, component in self.blend.components.items():
            if isinstance(component, Factors):
                np.save(folder / f"{name}.npy", component.item_factors)
                manifest[name] = {"alpha": component.alpha, "regularization": component.regularization}
            elif isinstance(component, Popularity):
                np.save(folder / f"{name}.npy", component.values)
            elif isinstance(component, Neighbours | Transitions):
                if isinstance(component, Transitions):
                    manifest[name] = {"memory": component.memory}
                relations = sparse.csr_matrix(_relations(component))
                for part in PARTS:
                    np.save(folder / f"{name}.{part}.npy", getattr(relations, part))
        manifest["files"] = {path.name: _digest(path) for path in sorted(folder.iterdir())}
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=2))

    @classmethod
    def fetch(cls, version: Version) -> Recommender:
        """Load a version of the registry.

        Files that are fetched from a registry elsewhere are removed afterwards. The mapped arrays stay readable,
        and the space on the disk is free as soon as the recommender is not used any more.

        Raises
        ------
        ModelError
            As :meth:`load`, and if the files cannot be fetched.
        """
        with tempfile.TemporaryDirectory(prefix="segue-model-") as folder:
            return cls.load(version.folder(folder))

    @classmethod
    def load(cls, folder: Path) -> Recommender:
        """Read what :meth:`save` wrote, and check it.

        Raises
        ------
        ModelError
            If a part is missing or damaged, has an unknown format, or does not fit the other parts.
        """
        try:
            manifest = json.loads((folder / MANIFEST).read_text())
            if manifest["format"] not in READABLE:
                raise ModelError(
                    f"The recommender in {folder} has format {manifest['format']}, this Segue reads "
                    f"{READABLE[0]} to {FORMAT}: train a new one with the DAG `recommender`."
                )
            damaged = [name for name, digest in manifest["files"].items() if _digest(folder / name) != digest]
            if damaged:
                raise ModelError(
                    f"The recommender in {folder} is damaged: {', '.join(damaged)} has changed since. {REMEDY}"
                )
            return cls._read(folder, manifest)
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise ModelError(f"The recommender in {folder} cannot be read: {error!r}. {REMEDY}") from error

    @classmethod
    def _read(cls, folder: Path, manifest: dict[str, Any]) -> Recommender:
        table = pq.read_table(folder / "catalogue.parquet").to_pydict()
        catalogue = Catalogue(table["track_id"], table["title"], table["artist"], table.get("copies", ()))
        components: dict[str, Scorer] = {}
        for file in manifest["files"]:
            name, _, kind = file.partition(".")
            if file == "popularity.npy":
                components[name] = Popularity(_mapped(folder / file))
            elif kind == "npy":
                components[name] = Factors(_mapped(folder / file), **manifest[name])
            elif kind == "npz":
                components[name] = Neighbours(sparse.load_npz(folder / file))
            elif kind == f"{PARTS[-1]}.npy":
                arrays = [_mapped(folder / f"{name}.{part}.npy") for part in PARTS]
                tracks = len(arrays[-1]) - 1
                relations = Neighbours(sparse.csr_matrix(tuple(arrays), shape=(tracks, tracks)))
                components[name] = Transitions(relations, **manifest[name]) if name in manifest else relations
        for name, component in components.items():
            tracks = _size(component)
            if tracks != len(catalogue):
                raise ModelError(
                    f"The recommender in {folder} does not fit together: {name} is for {tracks} tracks, the "
                    f"catalogue has {len(catalogue)}."
                )
        recipe = Recipe.of(manifest["recipe"])
        if not {"factors", "popularity", *recipe.weights} <= set(components):
            raise ModelError(f"The recommender in {folder} lacks one of {sorted(recipe.weights)}.")
        return cls(catalogue, Blend(components, recipe.weights), recipe)


def _size(component: Scorer) -> int:
    if isinstance(component, Factors):
        return len(component.item_factors)
    if isinstance(component, Popularity):
        return len(component.values)
    return int(_relations(cast(Neighbours | Transitions, component)).shape[1])


def _relations(component: Neighbours | Transitions) -> sparse.csr_matrix | NDArray[np.float32]:
    return (component.relations if isinstance(component, Transitions) else component).relations


def _mapped(path: Path) -> NDArray[Any]:
    return np.asarray(np.load(path, mmap_mode="r"))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
