"""What a choice is validated on: folds of a small corpus, in which no artist is twice, or one part of a large one.

One small part cannot tell good choices from lucky ones; of a large corpus one can, and is cheaper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segue.genres.labelled import TRAIN, VALIDATION, Labelled

if TYPE_CHECKING:
    from pandas import DataFrame as Table
    from pyspark.sql import DataFrame

FOLDS = 4

CROSS_VALIDATED = 10_000
"""With fewer tracks to learn from, choices are cross-validated."""

KEPT_ONE_OF = 2
"""Of the trials that have answered half of the folds, the better half goes on."""

REDUCTION = 4
"""Successive halving (Jamieson and Talwalkar, 2016): a sample has so many times the tracks of the one before, and
of so many trials the best goes on. What it is validated on is a sample too, so many times as dense, for otherwise
most of the work on a small sample would be to validate it."""

MIN_RUNG = 2_000
"""Training tracks below which a sample saves nothing: Spark's own work is the greater part."""


Fold = tuple["DataFrame", "DataFrame"]
"""Rows of `Labelled.tracks` to fit on, and to be validated on."""


@dataclass(frozen=True)
class Plan:
    """The fits of each trial.

    Parameters
    ----------
    rungs : sequence of sequences of Fold
        A rung's fits can be made at the same time. After each rung but the last, trials that are poor by then are
        given up.
    reduction : int
        Of so many trials at a rung, the best goes on.
    growth : int
        How many times as long a rung takes as the one before.
    joined : bool
        Whether the answers at a rung join those of the rungs before; otherwise they replace them.
    """

    rungs: Sequence[Sequence[Fold]]
    reduction: int
    growth: int
    joined: bool


def plan(data: Labelled, *, seed: int) -> Plan:
    """Plan the fits of each trial.

    Parameters
    ----------
    data : Labelled
    seed : int
        Of the folds.
    """
    assigned = assign_folds(data, seed=seed)
    if assigned:
        folds, half = _folds(data, assigned), FOLDS // 2
        return Plan([folds[:half], folds[half:]], KEPT_ONE_OF, growth=1, joined=True)
    train, validation = data.part(TRAIN), data.part(VALIDATION)
    samples = [
        (sampled(train, share), sampled(validation, min(1.0, REDUCTION * share)))
        for share in shares(train.count())
    ]
    return Plan([[sample] for sample in samples], REDUCTION, growth=REDUCTION, joined=False)


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


def _folds(data: Labelled, assigned: Mapping[str, int]) -> list[Fold]:
    from pyspark.sql import functions as F  # noqa: N812

    learned = data.part(TRAIN, VALIDATION)
    table = learned.sparkSession.createDataFrame(list(assigned.items()), "track_id string, fold int")
    tracks = learned.join(F.broadcast(table), "track_id").cache()
    return [(tracks.where(f"fold != {fold}"), tracks.where(f"fold = {fold}")) for fold in range(FOLDS)]


def shares(tracks: int) -> list[float]:
    """Choose the shares of the training part that a trial is tried on, one after the other.

    Examples
    --------
    >>> shares(1_500), shares(60_000)
    ([1.0], [0.0625, 0.25, 1.0])
    """
    found = [1.0]
    while tracks * found[0] / REDUCTION >= MIN_RUNG and len(found) < 3:
        found.insert(0, found[0] / REDUCTION)
    return found


def sampled(tracks: DataFrame, share: float) -> DataFrame:
    """Take a share of the tracks, the same ones each time."""
    return tracks if share == 1 else tracks.where(f"crc32(encode(track_id, 'UTF-8')) % 1024 < {share * 1024}")
