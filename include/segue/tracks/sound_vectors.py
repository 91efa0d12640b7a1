"""The vectors of a track that describe its sound: the 518 features, and other fields that the settings name.

Such a field of the collection `tracks` is binary data: float32 values, little-endian, as `segue.tracks.vectors`
packs them. A track may lack it. If there is a field ``<name>_version``, only vectors of the same version can be
compared. While another model embeds the corpus again, the collection holds two versions. The readers use the
version that most tracks have, and treat the other tracks as if they had no such vector.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pymongo.database import Database

from segue.audio.definition import FEATURE_VERSION, N_FEATURES
from segue.errors import CorpusError
from segue.tracks.collection import COLLECTION
from segue.tracks.vectors import DTYPE, features_array, float_lists, unpack

if TYPE_CHECKING:
    from pyspark.sql import Column


class VectorColumn(NamedTuple):
    """A field of `tracks` with a vector in it.

    Parameters
    ----------
    name : str
    version : str or None
        Version of the vectors that are used. None if they have none.
    size : int
        Numbers of a vector.
    """

    name: str
    version: str | None
    size: int

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of a document that this column is read from."""
        return (self.name,) if self == FEATURES else (self.name, f"{self.name}_version")


FEATURES: Final = VectorColumn("features", FEATURE_VERSION, N_FEATURES)

VectorColumns = tuple[VectorColumn, ...]


def fields_of(columns: VectorColumns) -> list[str]:
    """List the fields of a document that some columns are read from."""
    return [field for column in columns for field in column.fields]


def find_columns(database: Database[Any], names: Sequence[str]) -> VectorColumns:
    """Look up the version and the size of vectors.

    Parameters
    ----------
    database : pymongo.database.Database
    names : sequence of str
        Fields of the collection `tracks`, such as `segue.settings.Settings.vector_columns`.

    Returns
    -------
    tuple of VectorColumn
        One for each name. The version is the one that most tracks have.

    Raises
    ------
    CorpusError
        If no track has such a field, or it is no vector.
    """
    return tuple(FEATURES if name == FEATURES.name else _find(database, name) for name in names)


def _find(database: Database[Any], name: str) -> VectorColumn:
    collection, version = database[COLLECTION], f"{name}_version"
    # Not an aggregation: for it, SecantusDB would keep all documents in memory.
    found_versions = collection.find({name: {"$exists": True}}, {"_id": 0, version: 1})
    counted = Counter(each.get(version) or "" for each in found_versions)
    # The version breaks a tie, so that all readers choose the same one.
    by_size = sorted(((tracks, each) for each, tracks in counted.items()), reverse=True)
    if not by_size:
        raise CorpusError(
            f"SEGUE_SOUND_VECTORS names {name!r}, and no published track has such a vector. Run the DAG `corpus`, "
            "which computes the embedding if SEGUE_AUDIO_EMBEDDING_MODEL is set, or correct the setting."
        )
    chosen = by_size[0][1] or None
    found = collection.find_one({name: {"$exists": True}, version: chosen}, {name: 1}) or {}
    vector = found.get(name)
    if not isinstance(vector, bytes) or not vector or len(vector) % DTYPE.itemsize:
        raise CorpusError(
            f"SEGUE_SOUND_VECTORS names {name!r}, and this field of the track {found.get('_id')} is no binary "
            "data of float32 values. Correct the setting."
        )
    return VectorColumn(name, chosen, len(vector) // DTYPE.itemsize)


def stack(columns: VectorColumns, values: Mapping[str, Sequence[Any] | pa.ChunkedArray]) -> NDArray[np.float32]:
    """Put the vectors of each track side by side.

    Parameters
    ----------
    columns : tuple of VectorColumn
    values : mapping of str to sequence or Arrow array
        The `VectorColumn.fields` of the tracks.

    Returns
    -------
    ndarray of float32, shape (n_tracks, total size)
        A vector that a track lacks is NaN.

    Raises
    ------
    CorpusError
        If a track has no features, see `segue.tracks.vectors.unpack`.
    """
    parts = [
        unpack(values[column.name])
        if column == FEATURES
        else _unpack_some(column, *(values[field] for field in column.fields))
        for column in columns
    ]
    return parts[0] if len(parts) == 1 else np.hstack(parts)


def weights(columns: VectorColumns) -> NDArray[np.float64]:
    """Return a weight for each value, so that each of the vectors has the same part in a distance.

    Returns
    -------
    ndarray of float64, shape (total size,)
        1 for every value if there is one vector.
    """
    mean_size = sum(column.size for column in columns) / len(columns)
    return np.concatenate([np.full(column.size, np.sqrt(mean_size / column.size)) for column in columns])


def as_array(columns: VectorColumns) -> Column:
    """Put the vectors of each track side by side, in Spark's executors.

    Parameters
    ----------
    columns : tuple of VectorColumn
        The DataFrame has their `VectorColumn.fields`.

    Returns
    -------
    Column
        ``array<float>``, null for a track that lacks one of the vectors.
    """
    from pyspark.sql import functions as sf

    parts = [features_array(FEATURES.name) if column == FEATURES else _some_array(column) for column in columns]
    return parts[0] if len(parts) == 1 else sf.concat(*parts)


def _unpack_some(column: VectorColumn, vectors: Any, versions: Any) -> NDArray[np.float32]:
    matrix = np.full((len(vectors), column.size), np.nan, np.float32)
    for row, (vector, version) in enumerate(zip(map(_plain, vectors), map(_plain, versions), strict=True)):
        if _fits(column, vector, version):
            matrix[row] = np.frombuffer(vector, DTYPE)
    return matrix


def _fits(column: VectorColumn, vector: bytes | None, version: str | None) -> bool:
    return vector is not None and version == column.version and len(vector) == column.size * DTYPE.itemsize


def _plain(value: Any) -> Any:
    return value.as_py() if isinstance(value, pa.Scalar) else value


def _some_array(column: VectorColumn) -> Column:
    from pyspark.sql import functions as sf

    vector, version = (sf.col(field) for field in column.fields)
    fits = version.eqNullSafe(sf.lit(column.version)) & (sf.octet_length(vector) == column.size * DTYPE.itemsize)
    return float_lists(sf.when(fits, vector))
