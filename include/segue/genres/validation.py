"""Validate a choice: by cross-validation on a small corpus, and on the validation part of a large corpus.

The validation part of a small corpus is too small to distinguish good choices from lucky ones. In a large corpus
it is large enough, and one fit per choice costs less than several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segue.genres.dataset import TRAIN, VALIDATION, Dataset

if TYPE_CHECKING:
    from pandas import DataFrame as Table
    from pyspark.sql import DataFrame

FOLDS = 4

MAX_CROSS_VALIDATED_TRACKS = 10_000
"""With fewer tracks to learn from, choices are cross-validated."""

FOLD_REDUCTION = 2
"""With cross-validation, one in this many trials continues after half of the folds."""

SAMPLE_REDUCTION = 4
"""Without cross-validation, trials run on growing samples of the training part (successive halving, Jamieson and
Talwalkar, 2016). Each sample has this many times the tracks of the one before, and one in this many trials
continues.

The validation part is sampled too, this many times as densely as the training part. Otherwise most of the work on
a small sample would be its validation.
"""

MIN_SAMPLE_TRACKS = 2_000
"""Smallest sample of the training part. On fewer tracks, Spark's own work takes most of the time."""

Fold = tuple["DataFrame", "DataFrame"]
"""Rows of `Dataset.tracks` to fit on, and rows to validate on."""


@dataclass(frozen=True)
class ValidationPlan:
    """The fits that validate one choice.

    Parameters
    ----------
    rungs : sequence of sequences of Fold
        The rungs of successive halving. The folds of a rung can be fitted at the same time. After each rung but
        the last, poor trials are pruned.
    reduction : int
        One in this many trials continues after a rung.
    growth : int
        A rung takes this many times as long as the one before.
    pooled : bool
        If true, a trial is scored on the predictions of all its rungs so far. If false, it is scored on those of
        the last rung alone.
    """

    rungs: Sequence[Sequence[Fold]]
    reduction: int
    growth: int
    pooled: bool


def plan_validation(data: Dataset, *, seed: int) -> ValidationPlan:
    """Plan the fits that validate one choice.

    Parameters
    ----------
    data : Dataset
    seed : int
        Seed of the folds.

    Returns
    -------
    ValidationPlan
    """
    assigned = assign_folds(data, seed=seed)
    if assigned:
        folds, half = _folds(data, assigned), FOLDS // 2
        return ValidationPlan([folds[:half], folds[half:]], FOLD_REDUCTION, growth=1, pooled=True)
    train, validation = data.part(TRAIN), data.part(VALIDATION)
    samples = [
        (_sample(train, share), _sample(validation, min(1.0, SAMPLE_REDUCTION * share)))
        for share in sample_shares(train.count())
    ]
    return ValidationPlan(
        [[sample] for sample in samples], SAMPLE_REDUCTION, growth=SAMPLE_REDUCTION, pooled=False
    )


def assign_folds(data: Dataset, *, seed: int) -> Mapping[str, int]:
    """Assign the tracks of the training and validation parts to `FOLDS` folds, stratified by genre.

    No artist is in two folds, except in genres that are split by track.

    Returns
    -------
    mapping of str to int
        Fold of each track id, from 0. It is empty if there are too many tracks to cross-validate, or too few
        artists of a genre.
    """
    from pyspark.sql import functions as sf
    from sklearn.model_selection import StratifiedGroupKFold

    learned = data.part(TRAIN, VALIDATION)
    if learned.count() >= MAX_CROSS_VALIDATED_TRACKS:
        return {}
    by_track = sf.col("genre").isin(*data.split_by_track) if data.split_by_track else sf.lit(False)
    unit = sf.when(~by_track, sf.concat(sf.lit("artist "), "artist"))
    columns = ("track_id", "label", sf.coalesce(unit, "track_id").alias("unit"))
    rows: Table = learned.select(*columns).toPandas().sort_values("track_id", ignore_index=True)
    if rows["label"].value_counts().min() < FOLDS:
        return {}
    folds: dict[str, int] = {}
    divide = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for fold, (fitted, tested) in enumerate(divide.split(rows, rows["label"], rows["unit"])):
        if rows["label"].iloc[fitted].nunique() < len(data.genres):
            return {}
        folds |= dict.fromkeys(rows["track_id"].iloc[tested], fold)
    return folds


def _folds(data: Dataset, assigned: Mapping[str, int]) -> list[Fold]:
    from pyspark.sql import functions as sf

    learned = data.part(TRAIN, VALIDATION)
    table = learned.sparkSession.createDataFrame(list(assigned.items()), "track_id string, fold int")
    tracks = learned.join(sf.broadcast(table), "track_id").cache()
    return [(tracks.where(f"fold != {fold}"), tracks.where(f"fold = {fold}")) for fold in range(FOLDS)]


def sample_shares(tracks: int) -> list[float]:
    """Return the shares of the training part that the rungs use, if the part has this many tracks.

    Examples
    --------
    >>> sample_shares(1_500), sample_shares(60_000)
    ([1.0], [0.0625, 0.25, 1.0])
    """
    found = [1.0]
    while tracks * found[0] / SAMPLE_REDUCTION >= MIN_SAMPLE_TRACKS and len(found) < 3:
        found.insert(0, found[0] / SAMPLE_REDUCTION)
    return found


def _sample(tracks: DataFrame, share: float) -> DataFrame:
    """Return a share of the tracks, the same tracks each time."""
    return tracks if share == 1 else tracks.where(f"crc32(encode(track_id, 'UTF-8')) % 1024 < {share * 1024}")
