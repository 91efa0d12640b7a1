"""The choices of the search: classifiers, scalings, feature families, and their parameters.

A choice is a flat mapping from names to numbers and strings. So a study, MLflow and a log can store it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from segue.audio.definition import FAMILIES

if TYPE_CHECKING:
    from optuna.trial import BaseTrial
    from pyspark.ml.base import Estimator, Transformer

Choice = Mapping[str, Any]

DEFAULTS: Final[Mapping[str, Choice]] = {
    "logistic": {"logistic_reg": 0.03},
    "svm": {"svm_gamma": 1.0, "svm_c": 10.0},
    "lightgbm": {"lightgbm_rounds": 200, "lightgbm_leaves": 7, "lightgbm_step": 0.1, "lightgbm_columns": 0.2},
    "perceptron": {"perceptron_hidden": 64, "perceptron_iterations": 100},
    "fourier": {"fourier_gamma": 0.5, "fourier_dimension": 1024, "fourier_reg": 0.03},
    "svc": {"svc_reg": 0.03},
    "forest": {"forest_trees": 50, "forest_depth": 8},
    "boosted": {"boosted_rounds": 20, "boosted_depth": 3, "boosted_step": 0.2},
}
"""The default parameters of each classifier, the most promising classifier first."""

NAMES: Final[Mapping[str, str]] = {
    "svm": "support vector machine (Gaussian kernel)",
    "lightgbm": "gradient-boosted trees (LightGBM)",
    "logistic": "logistic regression",
    "perceptron": "perceptron",
    "fourier": "kernel machine (Fourier features)",
    "svc": "linear support vector machine",
    "forest": "random forest",
    "boosted": "gradient-boosted trees (MLlib)",
}
"""Names of the classifiers in a log."""

FAST: Final = tuple(kind for kind in DEFAULTS if kind != "boosted")
"""All classifiers except boosted trees. Boosted trees take long, because MLlib fits them one after the other, once
for each genre. Only a wide search tries them."""

LOCAL: Final = ("svm", "lightgbm")
"""Classifiers that are fitted on the driver, see `segue.genres.local`."""

ONE_VS_REST: Final = (*LOCAL, "svc", "boosted")
"""Classifiers that fit one model or one sequence of trees for each genre."""

ONE_VS_REST_GENRES: Final = 50
"""With more genres, one trial of these classifiers would take the whole budget."""

OTHERS: Final = "others"
"""Family of the columns of a table whose names do not begin with the name of one of FMA's families."""

FAMILY_SETS: Final[Mapping[str, Sequence[str]]] = {
    "timbre": (
        "mfcc",
        "rmse",
        "spectral_bandwidth",
        "spectral_centroid",
        "spectral_contrast",
        "spectral_rolloff",
        "zcr",
    ),
    "harmony": ("chroma_cens", "chroma_cqt", "chroma_stft", "tonnetz"),
    "mfcc, contrast, centroid": ("mfcc", "spectral_contrast", "spectral_centroid"),
}
"""Selections of feature families that the search tries beside all families. The third is the best that FMA's
authors published."""

TOGETHER: Final = "all"
"""The selection of everything that the table has."""

FEATURES_ALONE: Final = "features"
"""The selection of all feature families, if the table has another vector beside them."""

TIMBRE_HALVED: Final = "all, timbre halved"
"""All families, with those of timbre at half their scale. Timbre shows who plays. The genre depends more on what
is played."""

SCALINGS: Final = ("standard", "robust", "squashed")

MLLIB_DEFAULT: Final[Choice] = {
    "classifier": "logistic",
    "scaling": "standard",
    "families": "all",
    "logistic_reg": 0.0,
}
"""Logistic regression with MLlib's default parameters. Tuning has to beat it."""

MIN_REGULARIZATION: Final = 1e-4
"""Smallest regularization that the search tries for a linear classifier."""

UNREGULARIZED: Final[Choice] = {**MLLIB_DEFAULT, "logistic_reg": MIN_REGULARIZATION}
"""As `MLLIB_DEFAULT`, with the smallest regularization that the search allows."""

LOCAL_TRACKS: Final = 10_000
"""With more tracks to learn from, a kernel machine is too large to be saved and too slow to predict."""

LARGE_KERNEL: Final[Choice] = {
    "classifier": "fourier",
    "scaling": "squashed",
    "families": TIMBRE_HALVED,
    "fourier_gamma": 0.5,
    "fourier_dimension": 2048,
    "fourier_reg": 0.03,
}
"""A closer approximation of a kernel machine than the default, and a slower one."""


def default_choice(kind: str) -> Choice:
    """Return the default choice of a classifier."""
    scaling = "squashed" if kind in {"svm", "fourier"} else "standard"
    return {"classifier": kind, "scaling": scaling, "families": "all", **DEFAULTS[kind]}


def affordable(kinds: Sequence[str], n_tracks: int, n_genres: int) -> list[str]:
    """Return the classifiers of `kinds` that do not take too long with so many tracks to learn from and genres."""
    too_long = {
        *(ONE_VS_REST if n_genres > ONE_VS_REST_GENRES else ()),
        *(LOCAL if n_tracks > LOCAL_TRACKS else ()),
    }
    return [kind for kind in kinds if kind not in too_long]


def family_sets(families: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """Return the feature positions of each selection of families.

    Parameters
    ----------
    families : mapping of str to sequence of int
        Positions of each family that the table has.

    Returns
    -------
    dict of str to list of int
        By the name of the selection. Selections of families that the table lacks are left out.
    """
    sets = {TOGETHER: sorted(position for positions in families.values() for position in positions)}
    sets |= vector_sets(families)
    for name, members in FAMILY_SETS.items():
        if set(members) <= set(families):
            sets[name] = sorted(position for member in members for position in families[member])
    if {"timbre", "harmony"} <= set(sets):
        sets[TIMBRE_HALVED] = sets["all"]
    return sets


def vector_sets(families: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """Return the positions of each vector alone, if the table has several.

    Parameters
    ----------
    families : mapping of str to sequence of int
        Positions of each feature family. A name that is no feature family is that of another vector.

    Returns
    -------
    dict of str to list of int
        By `FEATURES_ALONE` and the names of the other vectors; empty if there is one vector.
    """
    of_features = (*FAMILIES, OTHERS)
    sets = {name: list(positions) for name, positions in families.items() if name not in of_features}
    own = sorted(at for name, positions in families.items() if name in of_features for at in positions)
    sets |= {FEATURES_ALONE: own} if own else {}
    return sets if len(sets) > 1 else {}


def vectors_of(choice: Choice, families: Mapping[str, Sequence[int]]) -> str:
    """Return which vectors a choice uses: the name of the only one, as in `vector_sets`, or `TOGETHER`."""
    chosen = set(family_sets(families)[choice["families"]])
    return next((name for name, own in vector_sets(families).items() if chosen <= set(own)), TOGETHER)


def suggest(trial: BaseTrial, kinds: Sequence[str], families: Sequence[str]) -> dict[str, Any]:
    """Let Optuna choose a classifier, a scaling, a selection of families, and parameters.

    Parameters
    ----------
    trial : BaseTrial
    kinds : sequence of str
        Classifiers to choose from, of `DEFAULTS`.
    families : sequence of str
        Keys of `family_sets`.

    Returns
    -------
    dict
        The choice, for `pipeline_stages`.
    """
    kind = trial.suggest_categorical("classifier", list(kinds))
    choice: dict[str, Any] = {
        "classifier": kind,
        "scaling": trial.suggest_categorical("scaling", SCALINGS),
        "families": trial.suggest_categorical("families", list(families)),
    }
    match kind:
        case "svm":
            choice["svm_gamma"] = trial.suggest_float("svm_gamma", 0.05, 5, log=True)
            choice["svm_c"] = trial.suggest_float("svm_c", 0.3, 30, log=True)
        case "lightgbm":
            choice["lightgbm_rounds"] = trial.suggest_int("lightgbm_rounds", 50, 300, log=True)
            choice["lightgbm_leaves"] = trial.suggest_int("lightgbm_leaves", 4, 31, log=True)
            choice["lightgbm_step"] = trial.suggest_float("lightgbm_step", 0.03, 0.3, log=True)
            choice["lightgbm_columns"] = trial.suggest_float("lightgbm_columns", 0.05, 0.5, log=True)
        case "logistic":
            choice["logistic_reg"] = trial.suggest_float("logistic_reg", MIN_REGULARIZATION, 10, log=True)
        case "fourier":
            choice["fourier_gamma"] = trial.suggest_float("fourier_gamma", 0.03, 3, log=True)
            choice["fourier_dimension"] = trial.suggest_categorical("fourier_dimension", [512, 1024, 2048])
            choice["fourier_reg"] = trial.suggest_float("fourier_reg", 1e-3, 1, log=True)
        case "svc":
            choice["svc_reg"] = trial.suggest_float("svc_reg", MIN_REGULARIZATION, 10, log=True)
        case "perceptron":
            choice["perceptron_hidden"] = trial.suggest_int("perceptron_hidden", 16, 128, log=True)
            choice["perceptron_iterations"] = trial.suggest_int("perceptron_iterations", 30, 200, log=True)
        case "forest":
            choice["forest_trees"] = trial.suggest_int("forest_trees", 20, 100)
            choice["forest_depth"] = trial.suggest_int("forest_depth", 4, 12)
        case _:
            choice["boosted_rounds"] = trial.suggest_int("boosted_rounds", 10, 40)
            choice["boosted_depth"] = trial.suggest_int("boosted_depth", 2, 4)
            choice["boosted_step"] = trial.suggest_float("boosted_step", 0.05, 0.5, log=True)
    return choice


def pipeline_stages(
    choice: Choice, families: Mapping[str, Sequence[int]], n_genres: int, *, seed: int
) -> list[Estimator[Any] | Transformer]:
    """Build the stages of a pipeline from ``features`` to ``rawPrediction`` and ``prediction``.

    Parameters
    ----------
    choice : mapping
        As `suggest` returns it.
    families : mapping of str to sequence of int
        Positions of each feature family in the vector.
    n_genres : int
    seed : int
        Seed of trees, initial weights and random directions.

    Returns
    -------
    list of Estimator or Transformer
    """
    from pyspark.ml.feature import VectorSlicer

    positions = family_sets(families)[choice["families"]]
    slicer = VectorSlicer(inputCol="features", outputCol="selected", indices=positions)
    scaled = _scaling(choice, families, positions)
    return [slicer, *scaled, *_classifier(choice, len(positions), n_genres, seed)]


def _scaling(
    choice: Choice, families: Mapping[str, Sequence[int]], positions: Sequence[int]
) -> list[Estimator[Any] | Transformer]:
    """Build the stages from ``selected`` to ``scaled``."""
    from pyspark.ml.feature import ElementwiseProduct, RobustScaler, StandardScaler
    from pyspark.ml.linalg import Vectors

    from segue.genres.stages import Squash

    stages: list[Any] = [StandardScaler(withMean=True, withStd=True)]
    if choice["scaling"] == "robust":
        stages = [RobustScaler(withCentering=True, withScaling=True)]
    if choice["scaling"] == "squashed":
        stages += [Squash()]
    if choice["families"] == TIMBRE_HALVED:
        timbre = {at for member in FAMILY_SETS["timbre"] for at in families[member]}
        weights = [0.5 if at in timbre else 1.0 for at in positions]
        stages += [ElementwiseProduct(scalingVec=Vectors.dense(weights))]
    columns = ["selected", *(f"scaled_{i}" for i in range(1, len(stages))), "scaled"]
    for stage, (before, after) in zip(stages, pairwise(columns), strict=True):
        stage.set(stage.inputCol, before)
        stage.set(stage.outputCol, after)
    return stages


def _classifier(choice: Choice, n: int, n_genres: int, seed: int) -> list[Estimator[Any] | Transformer]:
    from pyspark.ml import classification as ml

    from segue.genres.local import LocalClassifier
    from segue.genres.resampling import Resampled
    from segue.genres.stages import FourierFeatures

    weighted: dict[str, Any] = {"labelCol": "label", "weightCol": "weight"}
    match choice["classifier"]:
        case "svm":
            return [
                LocalClassifier("svm", {"C": choice["svm_c"], "gamma": choice["svm_gamma"]}, n_genres=n_genres)
            ]
        case "lightgbm":
            of_trees = {
                "num_iterations": choice["lightgbm_rounds"],
                "num_leaves": choice["lightgbm_leaves"],
                "learning_rate": choice["lightgbm_step"],
                "feature_fraction": choice["lightgbm_columns"],
                "seed": seed,
            }
            return [LocalClassifier("lightgbm", of_trees, n_genres=n_genres)]
        case "logistic":
            return [_logistic("scaled", choice["logistic_reg"])]
        case "fourier":
            mapped = FourierFeatures(
                inputCol="scaled",
                outputCol="mapped",
                gamma=choice["fourier_gamma"],
                dimension=choice["fourier_dimension"],
                seed=seed,
                orthogonal=True,
            )
            return [mapped, _logistic("mapped", choice["fourier_reg"])]
        case "svc":
            svc = ml.LinearSVC(featuresCol="scaled", regParam=choice["svc_reg"], maxIter=15, tol=0.01)
            return [ml.OneVsRest(featuresCol="scaled", classifier=svc, **weighted)]
        case "perceptron":
            layers = [n, choice["perceptron_hidden"], n_genres]
            iterations = choice["perceptron_iterations"]
            perceptron = ml.MultilayerPerceptronClassifier(
                featuresCol="scaled", labelCol="label", layers=layers, maxIter=iterations, seed=seed
            )
            return [Resampled(perceptron, seed=seed)]
        case "forest":
            trees, depth = choice["forest_trees"], choice["forest_depth"]
            return [
                ml.RandomForestClassifier(
                    featuresCol="scaled", numTrees=trees, maxDepth=depth, seed=seed, **weighted
                )
            ]
        case _:
            boosted = ml.GBTClassifier(
                featuresCol="scaled",
                maxIter=choice["boosted_rounds"],
                maxDepth=choice["boosted_depth"],
                stepSize=choice["boosted_step"],
                seed=seed,
            )
            return [ml.OneVsRest(featuresCol="scaled", classifier=boosted, **weighted)]


def _logistic(features: str, strength: float) -> Estimator[Any]:
    from pyspark.ml.classification import LogisticRegression

    return LogisticRegression(
        featuresCol=features,
        labelCol="label",
        weightCol="weight",
        family="multinomial",
        maxIter=100,
        regParam=strength,
    )
