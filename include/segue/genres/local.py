"""Classifiers that are fitted on the driver, as stages of a pipeline. They suit corpora of some thousand tracks.

scikit-learn and LightGBM fit such a corpus in seconds, where MLlib needs minutes. A fitted model predicts in
Spark's Python workers. Like MLlib's own transformers, it is saved as its parameters.
"""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark import keyword_only
from pyspark.ml import Estimator, Transformer
from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import HasFeaturesCol
from pyspark.ml.util import DefaultParamsReadable, DefaultParamsWritable
from pyspark.sql import functions as sf
from pyspark.sql.pandas.functions import pandas_udf

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Rows = NDArray[np.float64]
Scorer = Callable[[Rows], Rows]
"""Computes the scores, shape (n_rows, n_classes), of rows of features."""


class LocalClassifier(Estimator[Any]):
    """Fit a classifier on the driver.

    Parameters
    ----------
    kind : str
        ``svm``: support vector machines with a Gaussian kernel, one for each genre against the rest.
        ``lightgbm``: gradient-boosted trees (Ke et al., 2017).
    parameters : dict
        For ``svm``: ``C``, and the width ``gamma`` of the kernel exp(-gamma |x - y|² / n). For ``lightgbm``: the
        parameters of its function ``train``.
    n_genres : int
        Length of the scores.
    features : str
        Column of vectors. The other columns are ``label`` and ``weight``.
    """

    def __init__(self, kind: str, parameters: dict[str, Any], *, n_genres: int, features: str = "scaled") -> None:
        super().__init__()
        self.kind, self.parameters, self.n_genres, self.features = kind, parameters, n_genres, features

    def _fit(self, dataset: DataFrame) -> LocalModel:
        vectors = vector_to_array(sf.col(self.features), dtype="float32").alias("row")
        found = dataset.select("track_id", "label", "weight", vectors).toPandas().sort_values("track_id")
        rows, labels = np.stack(found["row"].to_list()), found["label"].to_numpy().astype(np.int64)
        fit = {"svm": _fit_svm, "lightgbm": _fit_lightgbm}[self.kind]
        fitted = fit(rows, labels, found["weight"].to_numpy(), self.n_genres, self.parameters)
        return LocalModel(featuresCol=self.features, kind=self.kind, fitted=fitted)


class LocalModel(Transformer, HasFeaturesCol, DefaultParamsReadable[Any], DefaultParamsWritable):
    """Add ``rawPrediction``, a score for each genre, and ``prediction``, the genre with the highest score.

    Parameters
    ----------
    featuresCol : str
        Column of vectors.
    kind : str
        As for `LocalClassifier`.
    fitted : str
        What the fit has found, as text. See `LocalClassifier`.
    """

    kind: Param[str] = Param(Params._dummy(), "kind", "kind of classifier", typeConverter=TypeConverters.toString)
    fitted: Param[str] = Param(
        Params._dummy(), "fitted", "what the fit has found", typeConverter=TypeConverters.toString
    )
    _input_kwargs: dict[str, Any]  # set by keyword_only

    @keyword_only
    def __init__(
        self,
        *,
        featuresCol: str | None = None,  # noqa: ARG002, N803
        kind: str | None = None,  # noqa: ARG002
        fitted: str | None = None,  # noqa: ARG002
    ) -> None:
        super().__init__()
        self._set(**self._input_kwargs)

    def _transform(self, dataset: DataFrame) -> DataFrame:
        kind = self.getOrDefault("kind")
        # Broadcast, because a model of some megabytes would be sent again with every task.
        sent = dataset.sparkSession.sparkContext.broadcast(self.getOrDefault("fitted"))

        @pandas_udf("array<double>")  # type: ignore[call-overload, untyped-decorator]
        def score(vectors: pd.Series) -> pd.Series:
            return pd.Series(list(_scorer(kind, sent.value)(np.stack(vectors.to_list()))))

        scores = score(vector_to_array(sf.col(self.getFeaturesCol())))
        scored = dataset.withColumn("rawPrediction", array_to_vector(scores))
        raw = vector_to_array(sf.col("rawPrediction"))
        return scored.withColumn("prediction", (sf.array_position(raw, sf.array_max(raw)) - 1).cast("double"))


def missing_library() -> str | None:
    """Return why LightGBM cannot be used on this machine, with the remedy; None if it can."""
    try:
        import lightgbm  # noqa: F401
    except OSError as error:  # its wheel has no OpenMP
        return f"LightGBM is left out ({error}). On Debian and Ubuntu: sudo apt-get install libgomp1"
    return None


def _fit_svm(
    rows: NDArray[np.float32], labels: NDArray[np.int64], weights: Rows, n_genres: int, parameters: dict[str, Any]
) -> str:
    from sklearn.metrics.pairwise import rbf_kernel
    from sklearn.svm import SVC

    gamma = parameters["gamma"] / rows.shape[1]
    kernel = rbf_kernel(rows, gamma=gamma)  # once for all genres
    duals, intercepts = np.zeros((len(rows), n_genres), np.float32), np.full(n_genres, -1.0)
    for genre in range(n_genres):
        is_genre = labels == genre
        if 0 < is_genre.sum() < len(labels):  # a sample may lack a genre
            machine = SVC(C=parameters["C"], kernel="precomputed")
            machine.fit(kernel, is_genre, sample_weight=weights)
            duals[machine.support_, genre] = machine.dual_coef_[0]
            intercepts[genre] = machine.intercept_[0]
    used = np.flatnonzero(duals.any(axis=1))
    return _as_text(rows=rows[used], duals=duals[used], intercepts=intercepts, gamma=np.array(gamma))


def _svm(fitted: str) -> Scorer:
    of = _from_text(fitted)
    rows, gamma = of["rows"].astype(np.float64), float(of["gamma"])
    lengths = (rows**2).sum(axis=1)

    def score(tested: Rows) -> Rows:
        # Without scikit-learn, whose import takes each Python worker a second.
        squared = (tested**2).sum(axis=1)[:, None] + lengths - 2 * tested @ rows.T
        scores: Rows = np.exp(-gamma * squared) @ of["duals"] + of["intercepts"]
        return scores

    return score


def _fit_lightgbm(
    rows: NDArray[np.float32], labels: NDArray[np.int64], weights: Rows, n_genres: int, parameters: dict[str, Any]
) -> str:
    import lightgbm

    options = {
        "objective": "multiclass",
        "num_class": n_genres,
        "verbose": -1,
        "deterministic": True,
        "num_threads": 1,
    }
    rounds = parameters["num_iterations"]
    data = lightgbm.Dataset(rows, labels, weight=weights)
    return str(lightgbm.train(options | parameters, data, num_boost_round=rounds).model_to_string())


def _lightgbm(fitted: str) -> Scorer:
    import lightgbm

    booster = lightgbm.Booster(model_str=fitted)

    def score(tested: Rows) -> Rows:
        return np.asarray(booster.predict(tested, raw_score=True, num_threads=1))

    return score


@lru_cache(maxsize=2)
def _scorer(kind: str, fitted: str) -> Scorer:
    return {"svm": _svm, "lightgbm": _lightgbm}[kind](fitted)


def _as_text(**arrays: NDArray[Any]) -> str:
    stored = io.BytesIO()
    np.savez(stored, allow_pickle=False, **arrays)
    return base64.b85encode(zlib.compress(stored.getvalue())).decode()


def _from_text(text: str) -> dict[str, NDArray[Any]]:
    with np.load(io.BytesIO(zlib.decompress(base64.b85decode(text))), allow_pickle=False) as stored:
        return dict(stored)
