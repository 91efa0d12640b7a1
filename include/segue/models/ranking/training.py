"""From listens to the recommender that serves: choose, judge, and let the better one be the champion.

In full, everything is chosen anew on a validation window and judged on the test window after it, against the
baselines. Incrementally, the champion's recipe is kept; challenger and champion are judged by the newest listens,
which the champion has not seen. What is promoted is then fitted on everything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from segue.errors import ModelError, TrainingError
from segue.models.ranking import mllib
from segue.models.ranking.comparison import PRODUCT, Comparison, compare
from segue.models.ranking.interactions import Interactions
from segue.models.ranking.metrics import Matrix, judge
from segue.models.ranking.product import NAME, Catalogue, Recommender
from segue.models.ranking.recipe import TRIALS, Audio, Recipe
from segue.models.ranking.windows import Window, by_time

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from segue.models.registry import Registry, Version

TOLERANCE = 0.01
"""How much worse than the champion's, relatively, the challenger's NDCG@10 may be."""

ENDS = "kafka_ends"
"""Tag of a version: the offsets, by partition, up to which it has seen the listens."""

MIN_LISTENERS = 2
MIN_TRACKS = 2


@dataclass(frozen=True)
class Material:
    """What there is to learn from.

    Parameters
    ----------
    interactions : Interactions
        `items` are the whole catalogue, in its order.
    offsets : ndarray of int, shape (n_listens, 2)
        Kafka partition and offset of each listen.
    catalogue : Catalogue
    audio : Audio
    """

    interactions: Interactions
    offsets: NDArray[np.int64]
    catalogue: Catalogue
    audio: Audio

    @classmethod
    def read(
        cls, listens: DataFrame, tracks: DataFrame, *, forgotten: Mapping[str, float] | None = None
    ) -> Material:
        """Collect listens and tracks.

        Parameters
        ----------
        listens : DataFrame
            ``user_name``, ``track_id``, ``listened_at`` (seconds since 1970), ``partition``, ``offset``: of tracks
            of the corpus.
        tracks : DataFrame
            ``track_id``, ``title``, ``artist``, ``features``.
        forgotten : mapping of str to float, optional
            Users who asked to be forgotten, and when (seconds since 1970): what they had played does not count.

        Raises
        ------
        TrainingError
            If there are fewer than two listeners or two tracks.
        """
        table = tracks.select("track_id", "title", "artist", "features").toArrow().sort_by("track_id")
        columns = {name: table.column(name).to_pylist() for name in ("track_id", "title", "artist")}
        catalogue = Catalogue(*([value or "" for value in columns[name]] for name in columns))
        played = listens.select("user_name", "track_id", "listened_at", "partition", "offset").toPandas()
        until = played["user_name"].map(forgotten or {}).fillna(-1.0)
        played = played[played["listened_at"] > until]
        listeners, heard = played["user_name"].nunique(), played["track_id"].nunique()
        if listeners < MIN_LISTENERS or heard < MIN_TRACKS:
            raise TrainingError(
                f"There are listens of {listeners} listener(s) to {heard} track(s) of the corpus: a recommender "
                "needs at least two of each. Send more listens, or check that their track ids are those of the "
                "published corpus."
            )
        user, users = pd.factorize(played["user_name"], sort=True)
        features = np.array(table.column("features").to_pylist(), dtype=np.float32)
        interactions = Interactions(
            user,
            np.array([catalogue.position[track] for track in played["track_id"]], dtype=np.int64),
            np.ones(len(played), dtype=np.float32),
            played["listened_at"].to_numpy(dtype=np.float64),
            np.asarray(users, dtype=str),
            np.asarray(catalogue.track_ids, dtype=str),
        )
        offsets = played[["partition", "offset"]].to_numpy(dtype=np.int64)
        return cls(interactions, offsets, catalogue, Audio.of(features, catalogue.artists))


@dataclass(frozen=True)
class Decision:
    """How a training ended.

    Parameters
    ----------
    promoted : bool
        Whether there is a new champion.
    version : str
        The champion now.
    reason : str
    model : Recommender or None
        The new champion.
    figures : dict
        What was measured, for the run's summary.
    """

    promoted: bool
    version: str
    reason: str
    model: Recommender | None
    figures: dict[str, Any]

    def summary(self) -> dict[str, Any]:
        """Give what belongs in the run's summary."""
        decision = "promoted" if self.promoted else "kept"
        return {"decision": decision, "reason": self.reason, "model": self.version} | self.figures


def train_in_full(
    spark: SparkSession,
    material: Material,
    ends: Mapping[int, int],
    registry: Registry,
    *,
    seed: int = 0,
    trials: int = TRIALS,
) -> Decision:
    """Choose everything anew.

    What ranks worse than popularity, beyond what chance explains (95 %), is not promoted; where nothing serves
    yet, popularity does until there is something better.

    Parameters
    ----------
    spark : SparkSession
    material : Material
    ends : mapping of int to int
        Where in Kafka the listens end, by partition.
    registry : Registry
    seed : int
        Of ALS' first factors.
    trials : int
        Choices of ALS' parameters that are tried.

    Raises
    ------
    TrainingError
        If the listens cannot be divided by time.
    """
    fit = partial(mllib.fit, spark, seed=seed)
    outcome = compare(fit, by_time(material.interactions), material.audio, trials=trials, say=_say)
    print(report(outcome), flush=True)
    product, rival, popular = (_ndcg(outcome, model) for model in (PRODUCT, outcome.rival, "popularity"))
    reason = (
        f"NDCG@10 {product:.3f}; popularity has {popular:.3f}, {outcome.rival}, the best baseline, {rival:.3f}"
    )
    figures = {"ndcg@10": {row.model: row.metrics["ndcg@10"] for row in outcome.rows if row.task == "new tracks"}}
    if outcome.gains["popularity"][2] > 0:
        return _release(material, outcome.recipe, fit, ends, registry, reason, figures, outcome)
    champion = registry.champion(NAME)
    if champion is None:
        recipe = replace(
            outcome.recipe, weights={each: float(each == "popularity") for each in outcome.recipe.weights}
        )
        return _release(
            material, recipe, fit, ends, registry, f"{reason}: popularity serves until then", figures, outcome
        )
    return Decision(False, str(champion), reason, None, figures)


def train_incrementally(
    spark: SparkSession,
    material: Material,
    ends: Mapping[int, int],
    registry: Registry,
    *,
    seed: int = 0,
) -> Decision:
    """Take in what has arrived since the champion was trained, with the champion's recipe.

    Parameters
    ----------
    spark : SparkSession
    material : Material
    ends : mapping of int to int
        Where in Kafka the listens end, by partition.
    registry : Registry
    seed : int

    Raises
    ------
    TrainingError
        As :func:`train_in_full`, which takes over where there is no champion that can be loaded.
    """
    champion = registry.champion(NAME)
    model = _load(champion)
    if champion is None or model is None:
        return train_in_full(spark, material, ends, registry, seed=seed)
    seen = {int(partition): end for partition, end in json.loads(champion.tags[ENDS]).items()}
    plays = material.interactions
    partitions, offsets = material.offsets.T
    unseen = offsets >= np.array([seen.get(int(partition), 0) for partition in partitions])
    if not unseen.any():
        return Decision(False, str(champion), f"{champion} has already seen all of these listens", None, {})
    # The later half of what the champion has not seen judges both; the challenger may learn from the earlier half.
    times = np.asarray(plays.timestamp)
    judging = unseen & (times >= np.median(times[unseen]))
    window = Window(plays.matrix(~judging), plays.matrix(judging))
    fit = partial(mllib.fit, spark, seed=seed)
    challenger = model.recipe.build(fit, window.history, material.audio)
    new, old = judge(challenger, window), judge(Translated(model, material.catalogue), window)
    theirs, ours = old.means()["ndcg@10"], new.means()["ndcg@10"]
    reason = f"NDCG@10 {ours:.3f} against {champion}'s {theirs:.3f}, {len(new.listeners)} listeners"
    _say(f"{reason}; judged by the later half of {int(unseen.sum()):,} listens new to {champion}")
    figures = {"challenger": new.means(), "champion": theirs}
    if ours < (1 - TOLERANCE) * theirs:
        return Decision(False, str(champion), reason, None, figures)
    return _release(material, model.recipe, fit, ends, registry, reason, figures, None)


@dataclass(frozen=True)
class Translated:
    """A recommender of another catalogue: tracks that it does not know have the score 0."""

    model: Recommender
    catalogue: Catalogue

    def scores(self, history: sparse.csr_matrix) -> Matrix:
        """Score this catalogue; `history` is in its order too."""
        theirs = np.array([self.model.catalogue.position.get(track, -1) for track in self.catalogue.track_ids])
        known = np.flatnonzero(theirs >= 0)
        order = sparse.csr_matrix(
            (np.ones(len(known), np.float32), (known, theirs[known])),
            shape=(len(theirs), len(self.model.catalogue)),
        )
        scores = np.zeros(history.shape, dtype=np.float32)
        scores[:, known] = self.model.blend.scores(sparse.csr_matrix(history @ order))[:, theirs[known]]
        return scores


def report(outcome: Comparison) -> str:
    """Lay a comparison out for a task's log."""
    lines = [f"Divided by {outcome.how}. Every track is ranked."]
    for task in dict.fromkeys(row.task for row in outcome.rows):
        rows = [row for row in outcome.rows if row.task == task]
        lines.append(
            f"{task + f' ({rows[0].listeners:,} listeners)':<44} NDCG@10  95 % interval    Recall@20  Coverage"
        )
        lines += [
            f"  {row.model:<42} {row.metrics['ndcg@10']:.4f}   {row.low:.4f} to {row.high:.4f}  "
            f"{row.metrics['recall@20']:.4f}     {row.metrics['coverage@10']:.3f}"
            for row in rows
        ]
    will = ", ".join(f"{name} {value:.4f}" for name, value in outcome.will_listen.items())
    return "\n".join([*lines, f"“Will listen” over all pairs: {will}"])


def _release(
    material: Material,
    recipe: Recipe,
    fit: partial[Any],
    ends: Mapping[int, int],
    registry: Registry,
    reason: str,
    figures: dict[str, Any],
    outcome: Comparison | None,
) -> Decision:
    """Fit on everything, keep, promote."""
    blend = recipe.build(fit, material.interactions.matrix(), material.audio)
    model = Recommender(material.catalogue, blend, recipe)
    rows = [] if outcome is None else outcome.rows
    version = registry.register(
        NAME,
        model.save,
        parameters=_flat(recipe.summary()),
        metrics={
            _metric(f"{row.model}/{name}"): v
            for row in rows
            if row.task == "new tracks"
            for name, v in row.metrics.items()
        },
        tags={ENDS: json.dumps(dict(ends))},
        report={"reason": reason, "recipe": recipe.summary(), **figures, "rows": [vars(row) for row in rows]},
    )
    registry.promote(version)
    _say(f"{version} is the champion")
    return Decision(True, str(version), reason, model, figures)


def _load(champion: Version | None) -> Recommender | None:
    if champion is None:
        _say("There is no champion yet: training in full")
        return None
    try:
        return Recommender.load(champion.folder())
    except ModelError as error:
        _say(f"The champion cannot be used, training in full. {error}")
        return None


def _ndcg(outcome: Comparison, model: str) -> float:
    row = outcome.row("new tracks", model)
    return row.metrics["ndcg@10"] if row else 0.0


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return flat


def _metric(name: str) -> str:
    """MLflow takes no @ in the names of metrics."""
    return name.replace("@", "_at_").replace(" ", "_")


def _say(line: str) -> None:
    print(line, flush=True)
