"""Take in what has arrived since the champion was made, and let the result be the champion if it is no worse.

Challenger and champion are judged by the newest half of what the champion has not seen; the challenger has been
updated by the other half (:mod:`.update`). What is promoted has then taken in everything.

Each listen counts once, whatever is replayed: an update starts from all plays. A replay makes it solve the tracks
of listens that the champion has seen once more. Then there may be nothing to judge by that both have not seen, and
the gate only finds out whether the challenger is broken.

An update is no training: what it leaves as it was drifts from what the listens say by now. So each version knows
how many updates lie between it and the last full training, and is judged beside that one; the next full training,
which chooses everything anew, ends the drift.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segue.errors import ModelError
from segue.recommender import training
from segue.recommender.components.blend import learning_rows
from segue.recommender.evaluation.metrics import judge
from segue.recommender.evaluation.windows import Window
from segue.recommender.material import Material
from segue.recommender.model import NAME
from segue.recommender.training import ENDS, FULL, Decision, load, say
from segue.recommender.update import carry_over, take_in

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from segue.connections.registry import Registry, Version

TOLERANCE = 0.01
"""How much worse than the champion's, relatively, the challenger's NDCG@10 may be."""

UPDATES = "updates_since_full_training"
"""Tag of a version: how many updates lie between it and the last full training."""

NEVER = int(np.iinfo(np.int64).max)
"""An offset that no listen has."""


def train_incrementally(
    spark: SparkSession,
    material: Material,
    ends: Mapping[int, int],
    registry: Registry,
    *,
    again: Mapping[int, int] | None = None,
    topic: Mapping[int, int] | None = None,
    seed: int = 0,
) -> Decision:
    """Take in what has arrived since the champion was made.

    Parameters
    ----------
    spark : SparkSession
        Not used unless the training is a full one.
    material : Material
    ends : mapping of int to int
        Where in Kafka the listens end, by partition.
    registry : Registry
    again : mapping of int to int, optional
        For a replay: from where on, by partition, listens are taken in also if the champion has seen them.
    topic : mapping of int to int, optional
        Where the topic ends by now, as for :func:`ends_of`.
    seed : int
        Of a full training.

    Raises
    ------
    TrainingError
        As :func:`.train_in_full`, which takes over where there is no champion that can be loaded.
    """
    champion = registry.champion(NAME)
    model = load(lambda: champion) if champion else None
    if champion is None or model is None:
        say("There is no champion to start from: training in full")
        return training.train_in_full(spark, material, ends, registry, seed=seed)
    plays = material.interactions
    seen = ends_of(champion, topic)
    if again and any(end > ends.get(partition, 0) for partition, end in seen.items()):
        reason = f"{champion} has learned from more than this window by now: replay it again"
        return Decision(False, str(champion), reason, None, {})
    unseen = from_on(material, seen, 0)
    taken = unseen | from_on(material, again or {}, NEVER)
    if not taken.any():
        return Decision(False, str(champion), f"{champion} has already seen all of these listens", None, {})
    fresh = unseen if unseen.any() else taken
    times = np.asarray(plays.timestamp)
    judging = fresh & (times >= np.median(times[fresh]))
    window = Window(plays.matrix(~judging), plays.matrix(judging))
    # The champion would win by what it knows: where it has seen all, so must the challenger.
    learned = window.history if unseen.any() else plays.matrix()
    model = carry_over(model, material.catalogue)
    challenger = take_in(model, plays.matrix(~taken), learned, material.audio)
    rows = learning_rows(window)
    new, old = (judge(each.blend, window, listeners=rows).means() for each in (challenger, model))
    new_to = "new to" if unseen.any() else "taken in again, all seen by"
    reason = (
        f"NDCG@10 {new['ndcg@10']:.3f} against {champion}'s {old['ndcg@10']:.3f}, {len(rows)} listeners; "
        f"judged by the later half of {int(fresh.sum()):,} listens {new_to} {champion}"
    )
    if not len(rows):
        reason = f"nothing to judge by: in the later half of {int(fresh.sum()):,} listens nobody plays a new track"
    say(reason)
    updates = int(champion.tags.get(UPDATES, "0")) + 1
    full = int(champion.tags.get(FULL, champion.number))
    figures: dict[str, Any] = {"challenger": new, "champion": old["ndcg@10"], UPDATES: updates}
    figures["listens"] = len(material.offsets)
    if full == champion.number:
        figures["ndcg@10_of_full_training"] = old["ndcg@10"]
    elif (trained := load(partial(registry.version, NAME, full))) is not None:
        trained = carry_over(trained, material.catalogue)
        figures["ndcg@10_of_full_training"] = judge(trained.blend, window, listeners=rows).means()["ndcg@10"]
    if new["ndcg@10"] < (1 - TOLERANCE) * old["ndcg@10"]:
        return Decision(False, str(champion), reason, None, figures)
    product = take_in(challenger, learned, plays.matrix(), material.audio)
    tags = {UPDATES: str(updates), FULL: str(full)}
    return training.promote(product, ends, registry, reason, figures, tags=tags, successor_of=champion)


def forgotten_since_full_training(registry: Registry, removed: Mapping[str, float]) -> int:
    """Count the users of whom the champion's factors and relations may have a trace, though they were forgotten.

    Parameters
    ----------
    registry : Registry
    removed : mapping of str to float
        What users have taken back: :meth:`segue.listens.removals.Removals.all`.
    """
    champion = registry.champion(NAME)
    try:
        full = champion and registry.version(NAME, int(champion.tags.get(FULL, champion.number)))
    except ModelError:
        full = None
    since = full.made_at.timestamp() if full else 0.0
    return sum(at > since for key, at in removed.items() if key.startswith("user:") and "/" not in key)


def unseen_from(registry: Registry, starts: Mapping[int, int], topic: Mapping[int, int]) -> dict[int, int]:
    """From which offset on, by partition, the champion has not seen the listens, or they are in a window."""
    champion = registry.champion(NAME)
    seen = ends_of(champion, topic) if champion else {}
    return {partition: min(start, seen.get(partition, 0)) for partition, start in starts.items()}


def ends_of(champion: Version, topic: Mapping[int, int] | None = None) -> dict[int, int]:
    """Up to which offsets, by partition, a version has seen the listens.

    Parameters
    ----------
    champion : Version
    topic : mapping of int to int, optional
        Where the topic ends by now. One that ends before what the version has seen was made anew: of that it has
        seen nothing.
    """
    seen = {int(partition): end for partition, end in json.loads(champion.tags[ENDS]).items()}
    if topic is not None and any(end > topic.get(partition, 0) for partition, end in seen.items()):
        return {}
    return seen


def from_on(material: Material, starts: Mapping[int, int], otherwise: int) -> NDArray[np.bool_]:
    """Mark the listens from these offsets on, by partition; `otherwise` is that of partitions not named."""
    partitions, offsets = material.offsets.T
    named, which = np.unique(partitions, return_inverse=True)
    first = np.array([starts.get(int(partition), otherwise) for partition in named], dtype=np.int64)
    return np.asarray(offsets >= first[which])
