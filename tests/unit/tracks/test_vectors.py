"""The vector in a document, read and written by NumPy, Arrow, pandas and Spark."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from segue.audio.definition import N_FEATURES, feature_names, index
from segue.errors import CorpusError
from segue.tracks.vectors import SIZE_BYTES, features_array, frame, pack, unpack

VECTORS = np.random.default_rng(0).normal(size=(7, N_FEATURES)).astype(np.float32)


def test_a_document_holds_518_little_endian_float32_values() -> None:
    [packed] = pack([np.arange(N_FEATURES)])
    assert (SIZE_BYTES, len(packed)) == (2072, 2072)
    assert packed[4:8] == b"\x00\x00\x80\x3f"  # 1.0


def test_bytes_are_read_as_they_were_written() -> None:
    read = unpack(pack(VECTORS))
    np.testing.assert_array_equal(read, VECTORS)
    assert read.dtype == np.float32
    assert read.flags.writeable
    assert unpack([]).shape == (0, N_FEATURES)


def test_arrow_is_read_through_slices_and_chunks() -> None:
    packed = pa.array([b"odd", *pack(VECTORS)], pa.binary())
    np.testing.assert_array_equal(unpack(packed[1:]), VECTORS)
    np.testing.assert_array_equal(unpack(pa.chunked_array([packed[1:3], packed[3:3], packed[3:]])), VECTORS)
    np.testing.assert_array_equal(unpack(packed[1:].cast(pa.large_binary())), VECTORS)
    assert unpack(pa.chunked_array([], pa.binary())).shape == (0, N_FEATURES)


@pytest.mark.parametrize(
    "wrong",
    [
        [None],
        [[1.0] * N_FEATURES],
        [b"short"],
        [b"x" * (SIZE_BYTES - 4)],
        [b"x" * 2 * SIZE_BYTES],
        pa.array([None], pa.binary()),
        pa.array([b"x" * (SIZE_BYTES - 4), b"x" * (SIZE_BYTES + 4)]),
        pa.array([[1.0] * N_FEATURES]),
    ],
)
def test_what_is_of_another_form_is_refused_with_what_to_do(wrong: list[bytes] | pa.Array) -> None:
    with pytest.raises(CorpusError, match="segue up"):
        unpack(wrong)


def test_pandas_has_a_column_for_each_feature() -> None:
    tracks = pd.DataFrame({"_id": ["a", "b"], "features": pack(VECTORS[:2])}).set_index("_id")
    table = frame(tracks)
    assert list(table.columns) == feature_names()
    assert table.loc["b", "mfcc_mean_01"] == VECTORS[1, index("mfcc", "mean", 1)]


def test_spark_reads_arrays_in_its_executors(spark: SparkSession) -> None:
    rows = [*enumerate(pack(VECTORS)), (7, None)]
    tracks = spark.createDataFrame(rows, "number int, features binary")
    read = tracks.select("number", features_array("features").alias("features"))
    assert read.schema["features"].dataType.simpleString() == "array<float>"
    arrays = {row.number: row.features for row in read.where("number > 1").collect()}
    assert arrays.pop(7) is None
    np.testing.assert_array_equal(np.array([arrays[n] for n in sorted(arrays)], np.float32), VECTORS[2:])


def test_spark_refuses_another_length(spark: SparkSession) -> None:
    tracks = spark.createDataFrame([(b"short",)], "features binary")
    with pytest.raises(Exception, match="2,072 bytes"):
        tracks.select(features_array("features")).collect()
