"""FMA's published features and its table of classifiers (Defferrard et al., 2017)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from segue.errors import CorpusError
from segue.genres.dataset import SPLIT_NAMES, TEST, TRAIN
from segue.genres.table import FeatureTable

SUBSETS = ("small", "medium", "large")
"""Each subset contains the one before it."""

FEATURE_SETS = {
    "all": None,
    "mfcc": ("mfcc",),
    "spectral_contrast": ("spectral_contrast",),
    "chroma_cens": ("chroma_cens",),
    "tonnetz": ("tonnetz",),
    "mfcc + contrast + centroid": ("mfcc", "spectral_contrast", "spectral_centroid"),
}
"""Selections of feature families that are compared."""


def read(folder: Path, subset: str) -> FeatureTable:
    """Read features.csv and tracks.csv; tracks without a top genre are left out.

    Parameters
    ----------
    folder : Path
        The unpacked folder ``fma_metadata``.
    subset : str
        One of `SUBSETS`.

    Returns
    -------
    FeatureTable

    Raises
    ------
    CorpusError
        If a file is missing, or is not as FMA publishes it.
    """
    tracks = _read(folder / "tracks.csv", header=[0, 1])
    features = _read(folder / "features.csv", header=[0, 1, 2])
    try:
        parts = tracks["set", "subset"].isin(SUBSETS[: SUBSETS.index(subset) + 1])
        chosen = tracks[parts & tracks["track", "genre_top"].notna()]
        chosen = chosen[chosen.index.isin(features.index)]
        rows = pd.DataFrame(
            {
                "track_id": chosen.index.astype(str),
                "genre": chosen["track", "genre_top"].astype(str).to_numpy(),
                "artist": chosen["artist", "id"].astype(str).to_numpy(),
                "split": chosen["set", "split"].astype(str).to_numpy(),
            }
        )
    except KeyError as error:
        raise CorpusError(
            f"{folder / 'tracks.csv'} lacks the column {error}. Use the file that FMA publishes."
        ) from error
    names = ["_".join(map(str, column)) for column in features.columns]
    return FeatureTable(rows, features.loc[chosen.index].to_numpy(dtype=np.float64), names)


def accuracies(table: FeatureTable, *, seed: int = 0) -> Iterator[tuple[str, dict[str, float]]]:
    """Measure the test accuracy of FMA's classifiers on FMA's own split, with scikit-learn.

    Parameters
    ----------
    table : FeatureTable
        As `read` returns it.
    seed : int

    Yields
    ------
    (str, dict of str to float)
        The name of a selection in `FEATURE_SETS` whose families the table has, and the accuracy of each
        classifier, 0 to 1.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    part = table.rows["split"].str.lower().map(SPLIT_NAMES)
    train, test = (part == TRAIN).to_numpy(), (part == TEST).to_numpy()
    genres = table.rows["genre"].to_numpy()
    families = table.families
    for name, members in FEATURE_SETS.items():
        if members is not None and not set(members) <= set(families):
            continue
        positions = [at for member in members or families for at in families[member]]
        values = table.features[:, positions]
        found = {}
        for kind, make in classifiers(seed).items():
            model = make_pipeline(StandardScaler(), make(int(train.sum()))).fit(values[train], genres[train])
            found[kind] = float(model.score(values[test], genres[test]))
        yield name, found


def classifiers(seed: int) -> dict[str, Callable[[int], Any]]:
    """Return functions that build the classifiers of FMA's own table, with its parameters.

    Each function takes the number of training tracks.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.svm import SVC

    return {
        "logistic regression": lambda _: LogisticRegression(max_iter=1000),
        "kNN": lambda tracks: KNeighborsClassifier(min(200, tracks)),
        "SVM (rbf)": lambda _: SVC(),
        "MLP": lambda _: MLPClassifier(max_iter=700, random_state=seed),
    }


def _read(path: Path, header: list[int]) -> pd.DataFrame:
    try:
        return pd.read_csv(path, index_col=0, header=header, low_memory=False)
    except FileNotFoundError:
        raise CorpusError(
            f"There is no file {path}. Unpack fma_metadata.zip, and pass the folder that it contains."
        ) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise CorpusError(f"{path} is not as FMA publishes it: {error}") from error
