"""Collect listens from Spark into arrays of the driver, piece by piece, without a Python object for each listen.

    listens ─► track ids become numbers ─► pieces of some listeners ─► names become numbers, in Spark's workers
            ─► one piece after the other comes to the driver, as the bytes of its arrays

Spark limits the size of a result (``spark.driver.maxResultSize``), and the JVM of the driver has to hold it. Both
concern a piece, not all listens. The listens of one listener are in one piece, so each name comes to the driver
once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from segue.errors import TrainingError
from segue.runs.progress import step

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

PIECE = 1_000_000
"""Listens of a piece, on average; 28 MB."""

_TYPES: Final = {"user": np.int32, "item": np.int32, "plays": np.float32, "listened_at": np.float64}
_PACKED: Final = ", ".join(["users array<string>", *(f"{name} binary" for name in (*_TYPES, "offsets"))])


@dataclass(frozen=True)
class Listens:
    """Listens, in no particular order.

    Parameters
    ----------
    user, item : ndarray of int32, shape (n_listens,)
        Position of the listener in `users`, and number of the track.
    plays : ndarray of float32, shape (n_listens,)
    listened_at : ndarray of float64, shape (n_listens,)
        Seconds since 1970.
    offsets : ndarray of int32 or int64, shape (n_listens, 2)
        Partition and offset. int64 only if there is an offset that needs it.
    users : ndarray of str, shape (n_users,)
        Sorted.
    """

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    plays: NDArray[np.float32]
    listened_at: NDArray[np.float64]
    offsets: NDArray[np.signedinteger]
    users: NDArray[np.str_]


def collect(listens: DataFrame, track_ids: pa.ChunkedArray, items: NDArray[np.int32]) -> Listens:
    """Collect listens.

    Parameters
    ----------
    listens : DataFrame
        ``user_name``, ``track_id``, ``listened_at``, ``plays``, ``partition`` and ``offset``.
    track_ids : pyarrow.ChunkedArray of string, shape (n_tracks,)
        Every track of `listens`.
    items : ndarray of int32, shape (n_tracks,)
        Number of each of these tracks. Tracks may have the same.

    Raises
    ------
    TrainingError
        If `listens` has other rows the second time that it is read.
    """
    from pyspark.sql import functions as sf

    count, last = listens.agg(sf.count("*"), sf.max("offset")).collect()[0]
    of_offset = np.int32 if (last or 0) <= np.iinfo(np.int32).max else np.int64
    types = _TYPES | {"offsets": of_offset}
    numbers = listens.sparkSession.createDataFrame(pa.table({"track_id": track_ids, "item": items}))
    numbered = listens.join(sf.broadcast(numbers), "track_id").select(
        "user_name",
        "item",
        sf.col("plays").cast("float").alias("plays"),
        sf.col("listened_at").cast("double").alias("listened_at"),
        "partition",
        sf.col("offset").cast("int" if of_offset is np.int32 else "long").alias("offset"),
    )
    packed = numbered.repartition(count // PIECE + 1, "user_name").mapInArrow(pack, _PACKED)
    names: list[str] = []
    # Each piece is copied into place. To keep the pieces and join them at the end took twice the memory.
    columns = {name: np.empty((count, 2) if name == "offsets" else count, dtype) for name, dtype in types.items()}
    end = 0
    with step("Reading the listens", lambda: f"{end:,} of {count:,} listens"):
        # One piece is packed while the one before it comes to the driver.
        for row in packed.toLocalIterator(prefetchPartitions=True):
            arrays = {name: np.frombuffer(row[name], dtype) for name, dtype in types.items()}
            begin, end = end, end + len(arrays["user"])
            for name, column in columns.items():
                column[begin:end] = arrays[name].reshape(-1, *column.shape[1:])
            columns["user"][begin:end] += len(names)
            names += row.users
    if end != count:
        raise TrainingError(f"{count:,} listens were counted, but {end:,} were read. Run the training again.")
    found = np.array(names, dtype=object)
    order = np.argsort(found)
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order))
    return Listens(
        place[columns["user"]],
        columns["item"],
        columns["plays"],
        columns["listened_at"],
        columns["offsets"],
        found[order].astype(str),
    )


def pack(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Make one row of all listens of a Spark task, for `mapInArrow`.

    The row has the names of the listeners, and the bytes of an array for each of the other columns. The array
    ``user`` has positions in these names. The array ``offsets`` has partition and offset of each listen in turn.
    """
    held = list(batches)
    if not held:
        return
    listens = pa.Table.from_batches(held).combine_chunks()
    held.clear()
    names = listens.column("user_name").chunk(0).dictionary_encode()
    arrays = {name: listens.column(name).to_numpy() for name in ("item", "plays", "listened_at")}
    offset = listens.column("offset").to_numpy()
    arrays |= {
        "user": names.indices.to_numpy(),
        "offsets": np.column_stack([listens.column("partition").to_numpy(), offset]).astype(offset.dtype),
    }
    packed = {name: pa.array([array.tobytes()], pa.binary()) for name, array in arrays.items()}
    users = pa.array([names.dictionary.to_pylist()], pa.list_(pa.string()))
    yield pa.record_batch({"users": users, **{name: packed[name] for name in (*_TYPES, "offsets")}})
