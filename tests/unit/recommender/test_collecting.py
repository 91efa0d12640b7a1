"""Listens are collected from Spark as numbers, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import functions as sf

from segue.recommender import collecting
from segue.recommender.collecting import Listens, collect

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

LISTENS = "user_name string, track_id string, listened_at long, plays float, partition int, offset long"
IDS = pa.chunked_array([["t0"], ["t1", "t2"]])
NUMBERS = np.array([0, 1, 1], np.int32)
"""t2 is a copy of t1."""


def rows_of(found: Listens) -> set[tuple[object, ...]]:
    columns = (found.users[found.user], found.item, found.listened_at, found.plays, *found.offsets.T)
    return set(zip(*(column.tolist() for column in columns), strict=True))


def test_any_name_is_a_listener_and_listeners_are_in_the_order_of_their_names(spark: SparkSession) -> None:
    names = ["", " ", "'", '"', "a\\b", "a\nb", "Zoë", "zoe", "émile", "東京", "\uffff", "🎧"]
    rows = [(name, f"t{i % 3}", 10**9 + i, 0.5 + i, i, i) for i, name in enumerate(names)]
    found = collect(spark.createDataFrame(rows, LISTENS).repartition(3), IDS, NUMBERS)
    assert found.users.tolist() == sorted(names)
    assert rows_of(found) == {
        (name, NUMBERS[int(track[1])], at, plays, partition, offset)
        for name, track, at, plays, partition, offset in rows
    }
    types = [found.user.dtype, found.item.dtype, found.plays.dtype, found.listened_at.dtype, found.offsets.dtype]
    assert types == [np.int32, np.int32, np.float32, np.float64, np.int32]


@pytest.fixture
def many(spark: SparkSession) -> DataFrame:
    """20,000 listens of 1,000 listeners, from 4,000 partitions of the topic."""
    number = sf.col("id")
    return spark.range(20_000).select(
        sf.format_string("listener-%04d", number % 1_000).alias("user_name"),
        sf.format_string("t%d", number % 3).alias("track_id"),
        number.alias("listened_at"),
        sf.lit(1.0).cast("float").alias("plays"),
        (number % 4_000).cast("int").alias("partition"),
        number.alias("offset"),
    )


@pytest.fixture
def small_results(spark: SparkSession) -> Iterator[None]:
    """Let Spark refuse results of more than 100 kB."""
    conf = spark.sparkContext._jsc.sc().conf()
    conf.set("spark.driver.maxResultSize", "100k")
    yield
    conf.remove("spark.driver.maxResultSize")


@pytest.mark.usefixtures("small_results")
def test_spark_limits_the_size_of_a_piece_and_not_of_all_listens(
    many: DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "PIECE", 2_000)
    with pytest.raises(Exception, match=r"spark\.driver\.maxResultSize"):
        many.toArrow()
    found = collect(many, IDS, NUMBERS)
    assert found.users.tolist() == [f"listener-{number:04}" for number in range(1_000)]
    at = np.arange(20_000)
    order = np.argsort(found.listened_at)
    np.testing.assert_array_equal(found.listened_at[order], at)
    np.testing.assert_array_equal(found.user[order], at % 1_000)
    np.testing.assert_array_equal(found.item[order], NUMBERS[at % 3])
    np.testing.assert_array_equal(found.offsets[order], np.column_stack([at % 4_000, at]))


def test_offsets_may_exceed_what_four_bytes_hold(spark: SparkSession) -> None:
    rows = [("a", "t0", 1, 1.0, 0, 2**31 - 1), ("b", "t1", 2, 1.0, 1, 2**31)]
    found = collect(spark.createDataFrame(rows, LISTENS), IDS, NUMBERS)
    assert found.offsets.dtype == np.int64
    assert rows_of(found) == {("a", 0, 1, 1, 0, 2**31 - 1), ("b", 1, 2, 1, 1, 2**31)}
