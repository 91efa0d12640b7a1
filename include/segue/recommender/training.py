"""From listens to the recommender that serves, in full: choose, judge, promote.

Everything is chosen anew on a validation window and judged on the test window after it, against the baselines.
What is promoted is then fitted on everything. Between full trainings :mod:`.incremental` takes in new listens.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

from segue.errors import ModelError
from segue.recommender.components import als
from segue.recommender.evaluation.comparison import PRODUCT, Comparison, Row, compare
from segue.recommender.evaluation.windows import by_time
from segue.recommender.material import Material
from segue.recommender.model import NAME, Recommender
from segue.recommender.recipe import TRIALS
from segue.recommender.report import page

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from segue.connections.registry import Registry, Version

ENDS = "kafka_ends"
"""Tag of a version: the offsets, by partition, up to which it has seen the listens."""

AS_OF = "as_of"
"""Tag of a version that was trained as of a past day: that day."""

FULL = "full_training"
"""Tag of an updated version: number of the version that was trained in full."""


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
    html : str or None
        The report of it, of a full training.
    """

    promoted: bool
    version: str
    reason: str
    model: Recommender | None
    figures: dict[str, Any]
    html: str | None = None

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
    as_of: date | None = None,
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
    as_of : date, optional
        The listens are those up to a past day: what comes of it is kept as a version, and not promoted.

    Raises
    ------
    TrainingError
        If the listens cannot be divided by time.
    """
    fit = partial(als.fit, spark, seed=seed)
    outcome = compare(fit, by_time(material.interactions), material.audio, trials=trials, say=say)
    print(report(outcome), flush=True)
    product, rival, popular = (_ndcg(outcome, model) for model in (PRODUCT, outcome.rival, "popularity"))
    reason = (
        f"NDCG@10 {product:.3f}; popularity has {popular:.3f}, {outcome.rival}, the best baseline, {rival:.3f}"
    )
    figures = {
        "ndcg@10": {row.model: row.metrics["ndcg@10"] for row in outcome.rows if row.task == "new tracks"},
        "listens": len(material.offsets),
    }
    champion, recipe = registry.champion(NAME), outcome.recipe
    passed = outcome.gains["popularity"][2] > 0
    html = page(outcome, material.interactions, passed=passed, champion=str(champion) if champion else None)
    if not passed and not as_of:
        # One that cannot be loaded would serve nobody: then popularity is better.
        if champion is not None and load(partial(registry.version, NAME, champion.number)) is not None:
            return Decision(False, str(champion), reason, None, figures, html)
        recipe = replace(recipe, weights={name: float(name == "popularity") for name in recipe.weights})
        reason = f"{reason}: popularity serves until then"
    blend = recipe.build(fit, material.interactions.matrix(), material.audio)
    model = Recommender(material.catalogue, blend, recipe)
    if as_of:
        tags = {AS_OF: str(as_of)}
        version = _register(model, ends, registry, reason, figures, rows=outcome.rows, tags=tags, html=html)
        reason = f"{version} knows the listens up to {as_of} and serves only if you promote it; {reason}"
        return Decision(False, str(champion or "none"), reason, None, figures, html)
    return promote(model, ends, registry, reason, figures, rows=outcome.rows, html=html)


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


def promote(
    model: Recommender,
    ends: Mapping[int, int],
    registry: Registry,
    reason: str,
    figures: Mapping[str, Any],
    *,
    rows: Sequence[Row] = (),
    tags: Mapping[str, str] | None = None,
    html: str | None = None,
    successor_of: Version | None = None,
) -> Decision:
    """Keep a recommender as a new version, and let it serve.

    Parameters
    ----------
    model : Recommender
    ends : mapping of int to int
        Where in Kafka the listens end that it has learned from, by partition.
    registry : Registry
    reason : str
    figures : mapping
        For the run's summary.
    rows : sequence of Row
        Of a comparison with the baselines.
    tags : mapping of str to str, optional
        More of what it was made from.
    html : str, optional
        The report, kept with the version.
    successor_of : Version, optional
        The champion that it was made from: should another serve by now (a rollback, a training), that one stays.
    """
    # Updates come many times a day. What was asked for by date stays, and what updates are judged beside.
    full = (tags or {}).get(FULL)
    registry.prune(NAME, lambda version: AS_OF in version.tags or str(version.number) == full)
    version = _register(model, ends, registry, reason, figures, rows=rows, tags=tags, html=html)
    if successor_of is None:
        registry.promote(version)
    elif not registry.succeed(successor_of, version):
        now = str(registry.champion(NAME))
        reason = f"the champion changed meanwhile from {successor_of}, which {version} was made from, to {now}"
        say(reason)
        return Decision(False, now, reason, None, dict(figures))
    say(f"{version} is the champion")
    return Decision(True, str(version), reason, model, dict(figures), html)


def _register(
    model: Recommender,
    ends: Mapping[int, int],
    registry: Registry,
    reason: str,
    figures: Mapping[str, Any],
    *,
    rows: Sequence[Row],
    tags: Mapping[str, str] | None,
    html: str | None,
) -> Version:
    return registry.register(
        NAME,
        model.save,
        parameters=_flat(model.recipe.summary()),
        metrics={
            _metric(f"{row.model}/{name}"): v
            for row in rows
            if row.task == "new tracks"
            for name, v in row.metrics.items()
        },
        tags={ENDS: json.dumps(dict(ends)), **(tags or {})},
        report={
            "reason": reason,
            "recipe": model.recipe.summary(),
            **figures,
            "rows": [vars(row) for row in rows],
        },
        texts={} if html is None else {"report.html": html},
    )


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


def load(find: Callable[[], Version]) -> Recommender | None:
    """Load what `find` finds; None, and a line in the log, if it cannot be used."""
    try:
        return Recommender.load(find().folder())
    except ModelError as error:
        say(f"What was trained before cannot be used. {error}")
        return None


def say(line: str) -> None:
    """Write a line to the task's log at once."""
    print(line, flush=True)
