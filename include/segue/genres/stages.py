"""Pipeline stages that MLlib lacks. Like MLlib's own transformers, they are saved as their parameters."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark import keyword_only
from pyspark.ml import Transformer
from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import HasInputCol, HasOutputCol, HasSeed
from pyspark.ml.util import DefaultParamsReadable, DefaultParamsWritable
from pyspark.sql import functions as sf
from pyspark.sql.pandas.functions import pandas_udf

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import Column, DataFrame


class _Stage(Transformer, HasInputCol, HasOutputCol, DefaultParamsReadable[Any], DefaultParamsWritable):
    """A transformer from one column to another, with keyword parameters."""

    _input_kwargs: dict[str, Any]  # set by keyword_only


class FourierFeatures(_Stage, HasSeed):
    """Map vectors so that their dot products approximate a Gaussian kernel (Rahimi and Recht, 2007).

    A linear model on the result approximates a kernel machine. The cost grows with the number of tracks, and not
    with the square of that number.

    Parameters
    ----------
    inputCol, outputCol : str
        Columns of vectors.
    gamma : float
        Width parameter of the kernel exp(-gamma |x - y|² / n), where n is the length of the input vectors.
    dimension : int
        Length of the output vectors.
    seed : int
        Seed of the random directions. The directions are not saved; each process draws them from this seed.
    orthogonal : bool, default=False
        Draw orthogonal directions (Yu et al., 2016). The approximation is then closer at the same length. Models
        that were saved before this option existed have False.
    """

    gamma: Param[float] = Param(
        Params._dummy(), "gamma", "width of the kernel", typeConverter=TypeConverters.toFloat
    )
    dimension: Param[int] = Param(
        Params._dummy(), "dimension", "length of the output", typeConverter=TypeConverters.toInt
    )
    orthogonal: Param[bool] = Param(
        Params._dummy(), "orthogonal", "whether directions are orthogonal", typeConverter=TypeConverters.toBoolean
    )

    @keyword_only
    def __init__(
        self,
        *,
        inputCol: str | None = None,  # noqa: ARG002, N803
        outputCol: str | None = None,  # noqa: ARG002, N803
        gamma: float | None = None,  # noqa: ARG002
        dimension: int | None = None,  # noqa: ARG002
        seed: int | None = None,  # noqa: ARG002
        orthogonal: bool | None = None,  # noqa: ARG002
    ) -> None:
        super().__init__()
        self._setDefault(orthogonal=False)
        self._set(**self._input_kwargs)

    def _transform(self, dataset: DataFrame) -> DataFrame:
        names = ("gamma", "dimension", "seed", "orthogonal")
        gamma, dimension, seed, orthogonal = (self.getOrDefault(name) for name in names)

        # Computed in double precision and returned in single, which halves the memory and time of the transfer.
        @pandas_udf("array<float>")  # type: ignore[call-overload, untyped-decorator]
        def project(vectors: pd.Series) -> pd.Series:
            mapped = fourier(np.stack(vectors.to_list()), gamma, dimension, seed, orthogonal)
            return pd.Series(list(mapped.astype(np.float32)))

        mapped = project(vector_to_array(sf.col(self.getInputCol())))
        return dataset.withColumn(self.getOutputCol(), array_to_vector(mapped.cast("array<double>")))


def fourier(
    rows: NDArray[np.float64], gamma: float, dimension: int, seed: int, orthogonal: bool
) -> NDArray[np.float64]:
    """Map rows to random Fourier features, see `FourierFeatures`.

    Parameters
    ----------
    rows : ndarray of float64, shape (n_rows, n)
    gamma : float
    dimension : int
    seed : int
    orthogonal : bool

    Returns
    -------
    ndarray of float64, shape (n_rows, dimension)
    """
    directions, phases = _directions(rows.shape[1], dimension, seed, orthogonal)
    scale = np.sqrt(2 * gamma / rows.shape[1])
    mapped: NDArray[np.float64] = np.sqrt(2 / dimension) * np.cos(rows @ (scale * directions) + phases)
    return mapped


@lru_cache(maxsize=2)
def _directions(
    n: int, dimension: int, seed: int, orthogonal: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # NumPy guarantees that RandomState draws the same numbers in every version, so a saved model does not change.
    random = np.random.RandomState(seed)
    if not orthogonal:
        return random.standard_normal((n, dimension)), random.uniform(0, 2 * np.pi, dimension)
    blocks = [_orthogonal(random, n) for _ in range(-(-dimension // n))]
    return np.hstack(blocks)[:, :dimension], random.uniform(0, 2 * np.pi, dimension)


def _orthogonal(random: np.random.RandomState, n: int) -> NDArray[np.float64]:
    """Draw n orthogonal directions, with lengths distributed as those of Gaussian vectors."""
    q, r = np.linalg.qr(random.standard_normal((n, n)))
    signs = np.where(np.diag(r) < 0, -1.0, 1.0)  # LAPACK does not define the signs
    rotation: NDArray[np.float64] = q * signs * np.sqrt(random.chisquare(n, n))
    return rotation


class Squash(_Stage):
    """Bound every value to (-2, 2): 2 tanh(value / 2).

    Standardized values near the mean hardly change. A single extreme value no longer dominates the distance
    between two tracks.

    Parameters
    ----------
    inputCol, outputCol : str
        Columns of vectors.
    """

    @keyword_only
    def __init__(
        self,
        *,
        inputCol: str | None = None,  # noqa: ARG002, N803
        outputCol: str | None = None,  # noqa: ARG002, N803
    ) -> None:
        super().__init__()
        self._set(**self._input_kwargs)

    def _transform(self, dataset: DataFrame) -> DataFrame:
        values = vector_to_array(sf.col(self.getInputCol()))
        bounded = sf.transform(values, lambda value: 2 * sf.tanh(value / 2))
        return dataset.withColumn(self.getOutputCol(), array_to_vector(bounded))


class Temperature(_Stage):
    """Turn a classifier's raw scores into probabilities: softmax(scores / temperature).

    A single temperature calibrates margins, votes and log-odds alike (Guo et al., 2017).

    Parameters
    ----------
    inputCol : str
        Vector with a score for each class.
    outputCol : str
        Array with a probability for each class.
    temperature : float
        See `fit_temperature`.
    """

    temperature: Param[float] = Param(
        Params._dummy(),
        "temperature",
        "divisor of the scores",
        typeConverter=TypeConverters.toFloat,
    )

    @keyword_only
    def __init__(
        self,
        *,
        inputCol: str | None = None,  # noqa: ARG002, N803
        outputCol: str | None = None,  # noqa: ARG002, N803
        temperature: float | None = None,  # noqa: ARG002
    ) -> None:
        super().__init__()
        self._set(**self._input_kwargs)

    def _transform(self, dataset: DataFrame) -> DataFrame:
        temperature = self.getOrDefault("temperature")
        scores = vector_to_array(sf.col(self.getInputCol()))
        scaled = sf.transform(scores, lambda score: score / temperature)
        return dataset.withColumn(self.getOutputCol(), _let(_let(scaled, _odds), _shares))


def _odds(scores: Column) -> Column:
    return _let(sf.array_max(scores), lambda top: sf.transform(scores, lambda score: sf.exp(score - top)))


def _shares(odds: Column) -> Column:
    total = sf.aggregate(odds, sf.lit(0.0), lambda so_far, each: so_far + each)
    return _let(total, lambda whole: sf.transform(odds, lambda each: each / whole))


def _let(value: Column, use: Callable[[Column], Column]) -> Column:
    """Evaluate `value` once for each row. Inside a lambda, Spark would evaluate it for each element."""
    return sf.transform(sf.array(value), use)[0]


def fit_temperature(scores: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """Find the temperature with the lowest log loss.

    Parameters
    ----------
    scores : ndarray of float64, shape (n_tracks, n_genres)
        Raw scores of tracks that the classifier was not trained on.
    truth : ndarray of int64, shape (n_tracks,)
        Column of each track's true genre.

    Returns
    -------
    float
        The temperature, between 0.001 and 1,000.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    at = np.arange(len(truth))

    def log_loss(exponent: float) -> float:
        return -float(log_softmax(scores / 10**exponent, axis=1)[at, truth].mean())

    best: Any = minimize_scalar(log_loss, bounds=(-3, 3), method="bounded")
    return float(10**best.x)
