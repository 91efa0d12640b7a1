"""From published tracks to the genre model that serves: tune, judge, and let the better one be the champion."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from segue.errors import ModelError, TrainingError
from segue.models import genre

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from segue.models.registry import Registry

NAME = "genre"


def train(tracks: DataFrame, registry: Registry, *, seed: int = 0) -> dict[str, Any]:
    """Train a challenger, and promote it if it is better than guessing and no worse than the champion.

    Both are judged by the macro F1 on the same test tracks, which neither has seen.

    Parameters
    ----------
    tracks : DataFrame
        ``track_id``, ``artist``, ``genre``, ``features``, ``flags``.
    registry : Registry
    seed : int

    Returns
    -------
    dict
        The decision, its reason, counts and metrics: what belongs in the run's summary.

    Raises
    ------
    TrainingError
        If there is too little to learn from, or if the model is no better than guessing the most frequent genre
        and there is no champion to keep.
    """
    data = genre.label(tracks)
    sizes = {row.part: row["count"] for row in data.tracks.groupBy("part").count().collect()}
    print(f"{sum(sizes.values())} tracks of {len(data.genres)} genres: {sizes}", flush=True)
    candidates = genre.candidates(seed)
    tried: dict[str, float] = {}
    for name, f1 in genre.tune(data, candidates):
        tried[name] = f1
        print(f"{len(tried)}/{len(candidates)} {name}: macro F1 {f1:.3f} on validation", flush=True)
    best = max(tried, key=tried.__getitem__)
    model = genre.fit(data, candidates[best])
    judged, baseline = genre.evaluate(model, data), genre.majority(data)
    champion = registry.champion(NAME)
    try:
        incumbent = genre.evaluate(champion.load(), data) if champion else None
    except ModelError as error:
        print(f"The champion cannot be used, so it is not compared with. {error}", flush=True)
        champion = incumbent = None
    print(judged.table(), flush=True)

    metrics, to_beat = judged.metrics(), (incumbent or baseline).metrics()
    report = {
        "chosen": best,
        "validation_macro_f1": tried,
        "test": metrics,
        "majority": baseline.metrics(),
        "tracks": sizes,
        "rejected": dict(data.rejected),
        "split_by_track": list(data.split_by_track),
    }
    reason = (
        f"macro F1 {metrics['macro_f1']:.3f} against {champion or 'majority'}'s {to_beat['macro_f1']:.3f} "
        f"on {sizes[genre.TEST]} test tracks"
    )
    guessing = metrics["macro_f1"] <= baseline.metrics()["macro_f1"]
    if guessing and champion is None:
        raise TrainingError(
            f"The genre model is no better than guessing ({reason}), and there is no champion to keep."
        )
    if guessing or metrics["macro_f1"] < to_beat["macro_f1"]:
        return {"decision": "kept", "reason": reason, "model": str(champion)} | report
    version = registry.register(
        NAME,
        model,
        parameters={"classifier": best, "seed": seed},
        metrics={f"test_{name}": value for name, value in metrics.items()},
        tags={"genres": json.dumps(data.genres), "tracks": str(sum(sizes.values()))},
        report=report | {"by_genre": judged.by_class(), "confusion": judged.confusion.tolist()},
    )
    registry.promote(version)
    return {"decision": "promoted", "reason": reason, "model": str(version)} | report
