"""Vectors side by side, in Python and in Spark. A track may lack some of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from segue.audio.definition import N_FEATURES
from segue.errors import CorpusError
from segue.tracks.sound_space import SoundSpace
from segue.tracks.sound_vectors import FEATURES, VectorColumn, as_array, stack, weights
from segue.tracks.vectors import WRONG_FORM, pack

EMBEDDING = VectorColumn("embedding", "v2", 3)
OTHER = VectorColumn("other", None, 2)
ALL = (FEATURES, EMBEDDING, OTHER)
N = 4


def data(*values: float) -> bytes:
    return np.array(values, "<f4").tobytes()


@pytest.fixture(scope="module")
def features() -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(N, N_FEATURES)).astype(np.float32)


@pytest.fixture(scope="module")
def values(features: NDArray[np.float32]) -> dict[str, Any]:
    """The first track has all; others have another version, another size, or nothing."""
    return {
        "features": pack(features),
        "embedding": [data(1, 2, 3), data(4, 5, 6), data(7, 8), None],
        "embedding_version": ["v2", "v1", "v2", None],
        "other": [data(9, 10), data(11, 12), None, data(13, 14)],
        "other_version": [None, None, None, "unexpected"],
    }


def in_arrow(name: str, column: list[Any]) -> pa.ChunkedArray:
    kind = pa.string() if name.endswith("version") else pa.binary()
    return pa.chunked_array([column[:1], column[1:]], kind)


@pytest.mark.parametrize("of", [lambda _, column: column, in_arrow])
def test_a_vector_of_another_version_or_size_counts_as_missing(
    features: NDArray[np.float32], values: dict[str, Any], of: Any
) -> None:
    found = stack(ALL, {name: of(name, column) for name, column in values.items()})
    np.testing.assert_array_equal(found[:, :N_FEATURES], features)
    lacking = [[1, 2, 3, 9, 10], [np.nan] * 3 + [11, 12], [np.nan] * 5, [np.nan] * 5]
    np.testing.assert_array_equal(found[:, N_FEATURES:], np.float32(lacking))


def test_the_features_alone_are_read_as_ever(features: NDArray[np.float32], values: dict[str, Any]) -> None:
    np.testing.assert_array_equal(stack((FEATURES,), values), features)
    with pytest.raises(CorpusError, match=WRONG_FORM[:40]):
        stack((FEATURES,), {"features": [None]})


def test_spark_puts_them_side_by_side_and_leaves_out_tracks_that_lack_one(
    spark: Any, features: NDArray[np.float32], values: dict[str, Any]
) -> None:
    schema = ", ".join(f"{name} {'string' if name.endswith('version') else 'binary'}" for name in values)
    frame = spark.createDataFrame(list(zip(*values.values(), strict=True)), schema).coalesce(1)
    first, *others = [row[0] for row in frame.select(as_array(ALL)).collect()]
    assert others == [None] * 3
    np.testing.assert_array_equal(np.float32(first), [*features[0], 1, 2, 3, 9, 10])
    alone = [row[0] for row in frame.select(as_array((EMBEDDING,))).collect()]
    assert alone == [[1, 2, 3], None, None, None]
    same = [row[0] for row in frame.select(as_array((FEATURES,))).collect()]
    np.testing.assert_array_equal(np.float32(same), features)


def test_each_vector_has_the_same_part_in_a_distance() -> None:
    random, columns = np.random.default_rng(1), (VectorColumn("a", None, 60), VectorColumn("b", None, 4))
    tracks = random.normal(size=(4_000, 64)).astype(np.float32)
    space = SoundSpace.fit(tracks, weights(columns))
    variance = (space.axes**2).sum(axis=1)
    assert variance[:60].sum() == pytest.approx(variance[60:].sum(), rel=1e-6)
    assert weights((FEATURES,)).tolist() == [1] * N_FEATURES


def test_equal_weights_change_nothing_and_a_missing_vector_counts_as_the_mean() -> None:
    tracks = np.random.default_rng(2).normal(size=(50, 8)).astype(np.float32)
    plain, weighted = SoundSpace.fit(tracks).place(tracks), SoundSpace.fit(tracks, np.ones(8)).place(tracks)
    np.testing.assert_array_equal(plain, weighted)
    lacking = tracks.copy()
    lacking[0, 4:] = np.nan
    space = SoundSpace.fit(lacking, weights((VectorColumn("a", None, 4), VectorColumn("b", None, 4))))
    of_mean = lacking[:1].copy()
    of_mean[0, 4:] = space.centre[4:]
    np.testing.assert_allclose(space.place(lacking[:1]), space.place(of_mean), atol=1e-6)
    assert np.isfinite(space.place(lacking)).all()
