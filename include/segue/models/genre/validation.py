"""What a choice is validated on: folds of a small corpus, in which no artist is twice, or one part of a large one.

One small part cannot tell good choices from lucky ones; of a large corpus one can, and is cheaper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segue.models.genre.labelled import TRAIN, VALIDATION, Labelled

if TYPE_CHECKING:
    from pandas import DataFrame as Table
    from pyspark.sql import DataFrame

FOLDS = 3

CROSS_VALIDATED = 10_000
"""With fewer tracks to learn from, choices are cross-validated."""

REDUCTION = 4
"""Successive halving (Jamieson and Talwalkar, 2016): a rung has so many times the tracks of the one before."""

MIN_RUNG = 2_000
"""Training tracks below which a sample saves nothing: Spark's own work is the greater part."""


@dataclass(frozen=True)
class Step:
    """One fit of a trial.

    Parameters
    ----------
    train, validation : DataFrame
        Rows of `Labelled.tracks`.
    resource : int
        How much the trial has had with it, as successive halving counts.
    fold : bool
        Whether its answers join those of the steps before; otherwise they replace them.
    """

    train: DataFrame
    validation: DataFrame
    resource: int
    fold: bool


def steps(data: Labelled, *, seed: int) -> list[Step]:
    """Plan the fits of each trial, one after the other; a trial that is pruned ends after an early one.

    Parameters
    ----------
    data : Labelled
    seed : int
        Of the folds.
    """
    folds = assign_folds(data, seed=seed)
    if folds:
        return _folds(data, folds)
    train, validation = data.part(TRAIN).cache(), data.part(VALIDATION).cache()
    shares = rungs(train.count())
    return [Step(sampled(train, share), validation, round(share / shares[0]), fold=False) for share in shares]


def assign_folds(data: Labelled, *, seed: int) -> Mapping[str, int]:
    """Deal the artists of train and validation part out to `FOLDS` folds, stratified by genre.

    Returns
    -------
    mapping of str to int
        Fold of each track; empty where there are too many tracks, or too few artists of a genre.
    """
    from pyspark.sql import functions as F  # noqa: N812
    from sklearn.model_selection import StratifiedGroupKFold

    learned = data.part(TRAIN, VALIDATION)
    if learned.count() >= CROSS_VALIDATED:
        return {}
    by_track = F.col("genre").isin(*data.split_by_track) if data.split_by_track else F.lit(False)
    unit = F.when(~by_track, F.concat(F.lit("artist "), "artist"))
    columns = ("track_id", "label", F.coalesce(unit, "track_id").alias("unit"))
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


def _folds(data: Labelled, folds: Mapping[str, int]) -> list[Step]:
    from pyspark.sql import functions as F  # noqa: N812

    learned = data.part(TRAIN, VALIDATION)
    table = learned.sparkSession.createDataFrame(list(folds.items()), "track_id string, fold int")
    tracks = learned.join(F.broadcast(table), "track_id").cache()
    return [
        Step(tracks.where(f"fold != {fold}"), tracks.where(f"fold = {fold}"), 1 + fold, fold=True)
        for fold in range(FOLDS)
    ]


def rungs(tracks: int) -> list[float]:
    """Choose the shares of the training part that a trial is tried on, one after the other.

    Examples
    --------
    >>> rungs(1_500), rungs(60_000)
    ([1.0], [0.0625, 0.25, 1.0])
    """
    shares = [1.0]
    while tracks * shares[0] / REDUCTION >= MIN_RUNG and len(shares) < 3:
        shares.insert(0, shares[0] / REDUCTION)
    return shares


def sampled(tracks: DataFrame, share: float) -> DataFrame:
    """Take a share of the tracks, the same ones each time."""
    return tracks if share == 1 else tracks.where(f"crc32(encode(track_id, 'UTF-8')) % 1024 < {share * 1024}")
