"""The feature vector of a document of `tracks`: 518 float32 values as 2,072 bytes, little-endian.

In MongoDB the field ``features`` is plain binary data (BSON subtype 0): pymongo returns `bytes`, Spark's connector
a binary column. The order of the values is that of `segue.audio.definition.feature_names`.

=======================  ==========================================================
with                     read it by
=======================  ==========================================================
pymongo and NumPy        `unpack`
pandas                   `frame`
Spark                    `features_array`
=======================  ==========================================================

BSON's vector subtype (9) is not used. Spark's connector reads it with its two header bytes and writes it back as
plain binary data. pymongo's ``as_vector`` converts it to 518 Python floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from segue.audio.definition import N_FEATURES, feature_names, index
from segue.errors import CorpusError

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import Column

DTYPE: Final = np.dtype("<f4")
SIZE_BYTES: Final = N_FEATURES * DTYPE.itemsize

DESCRIPTORS: Final = {
    "spectral_centroid_hz": index("spectral_centroid", "mean"),
    "zero_crossing_rate": index("zcr", "mean"),
    "rms": index("rmse", "mean"),
    **{f"mfcc_{number:02d}": index("mfcc", "mean", number) for number in range(1, 6)},
}
"""Fields of the sub-document ``descriptors``, for queries by hand, with their positions in the vector.

They are means over time. The zero-crossing rate is per sample, and the RMS is of samples from -1 to 1.
"""

WRONG_FORM: Final = (
    f"The field `features` of a track is not {SIZE_BYTES:,} bytes of float32 values: the collection `tracks` was "
    "written by another version of Segue. `segue up`, or a run of the DAG `corpus`, brings it into today's form."
)


def pack(vectors: ArrayLike) -> list[bytes]:
    """Convert vectors to the bytes of a document.

    Parameters
    ----------
    vectors : array_like of float, shape (n_tracks, 518)

    Returns
    -------
    list of bytes
        2,072 bytes for each vector.

    Raises
    ------
    ValueError
        If a vector has another length.
    """
    matrix = np.ascontiguousarray(vectors, dtype=DTYPE).reshape(-1, N_FEATURES)
    return [row.tobytes() for row in matrix]


def pack_lists(lists: pa.ListArray) -> list[bytes | None]:
    """Convert vectors of any length to the bytes of a document; null becomes None."""
    return [np.asarray(each.values, DTYPE).tobytes() if each.is_valid else None for each in lists]


def describe(vector: bytes) -> dict[str, float]:
    """Return the sub-document ``descriptors`` of a document's vector."""
    values = np.frombuffer(vector, DTYPE)
    return {name: float(values[position]) for name, position in DESCRIPTORS.items()}


def unpack(buffers: Sequence[bytes] | pa.Array | pa.ChunkedArray) -> NDArray[np.float32]:
    """Read the vectors of several documents.

    Parameters
    ----------
    buffers : sequence of bytes, or Arrow array of binary
        Field ``features`` of each document. An Arrow array is copied once, without an object for each track.

    Returns
    -------
    ndarray of float32, shape (n_tracks, 518)
        Writable, and independent of `buffers`.

    Raises
    ------
    CorpusError
        If a vector is missing or does not have 2,072 bytes, because the collection has an older form.

    Examples
    --------
    >>> found = list(database.tracks.find({"genre": "Jazz"}, {"features": 1}))  # doctest: +SKIP
    >>> unpack([track["features"] for track in found]).shape  # doctest: +SKIP
    (1234, 518)
    """
    if not isinstance(buffers, pa.Array | pa.ChunkedArray):
        try:
            buffers = pa.array(buffers, pa.binary())
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            raise CorpusError(WRONG_FORM) from None
    matrix = np.empty((len(buffers), N_FEATURES), dtype=np.float32)
    filled = 0
    for chunk in buffers.chunks if isinstance(buffers, pa.ChunkedArray) else [buffers]:
        offsets, data = _binary(chunk)
        if chunk.null_count or not (np.diff(offsets) == SIZE_BYTES).all():
            raise CorpusError(WRONG_FORM)
        matrix[filled : filled + len(chunk)] = np.frombuffer(data, DTYPE).reshape(-1, N_FEATURES)
        filled += len(chunk)
    return matrix


def frame(tracks: pd.DataFrame) -> pd.DataFrame:
    """Convert the features of documents to a pandas table with one column per feature.

    Parameters
    ----------
    tracks : pandas.DataFrame
        Table with a column ``features``, such as ``pd.DataFrame(database.tracks.find({}, {"features": 1}))``.

    Returns
    -------
    pandas.DataFrame
        518 columns of float32, named by `segue.audio.definition.feature_names`, with the index of `tracks`.

    Raises
    ------
    CorpusError
        As `unpack`.
    """
    import pandas as pd

    return pd.DataFrame(unpack(list(tracks["features"])), columns=feature_names(), index=tracks.index, copy=False)


def features_array(column: Column | str) -> Column:
    """Convert vectors to arrays in Spark's executors.

    Parameters
    ----------
    column : Column or str
        Binary column, such as ``features`` of a DataFrame read from `tracks`.

    Returns
    -------
    Column
        ``array<float>`` of 518 values, or null. `pyspark.ml.functions.array_to_vector` accepts it. If a value has
        another length, the query fails with the message of `CorpusError`.
    """
    from pyspark.sql.functions import arrow_udf  # type: ignore[attr-defined]

    arrays: Column = arrow_udf(_to_features, "array<float>")(column)
    return arrays


def float_lists(column: Column | str) -> Column:
    """Convert vectors of any length to arrays, otherwise as `features_array`."""
    from pyspark.sql.functions import arrow_udf  # type: ignore[attr-defined]

    arrays: Column = arrow_udf(_to_lists, "array<float>")(column)
    return arrays


def _to_features(array: pa.Array) -> pa.Array:
    lengths = np.diff(_binary(array)[0])
    if not np.isin(lengths[np.asarray(array.is_valid())], SIZE_BYTES).all():
        raise CorpusError(WRONG_FORM)
    return _to_lists(array)


def _to_lists(array: pa.Array) -> pa.Array:
    """Reinterpret binary values as lists of float32. Only the offsets are computed."""
    offsets, data = _binary(array)
    values = pa.array(np.frombuffer(data, DTYPE), pa.float32())
    starts = pa.array((offsets - offsets[0]) // DTYPE.itemsize, pa.int32())
    return pa.ListArray.from_arrays(starts, values, mask=array.is_null() if array.null_count else None)


def _binary(array: pa.Array) -> tuple[NDArray[np.int32], memoryview]:
    """Return the offsets of a binary array and the bytes of its values, without copying them."""
    if not pa.types.is_binary(array.type):
        try:
            array = array.cast(pa.binary())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise CorpusError(WRONG_FORM) from None
    if not len(array):
        return np.zeros(1, np.int32), memoryview(b"")
    _, places, data = array.buffers()
    offsets = np.frombuffer(places, np.int32)[array.offset : array.offset + len(array) + 1]
    return offsets, memoryview(data or b"")[offsets[0] : offsets[-1]]
