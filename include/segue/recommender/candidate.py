"""A recommender that may become the champion: what is stored with it, and how it replaces the champion."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from segue.connections.windows import Offsets
from segue.errors import ModelError
from segue.recommender.comparison import Row
from segue.recommender.gate import Pool
from segue.recommender.model import NAME, Recommender
from segue.recommender.report import TITLE
from segue.recommender.reports import Figures
from segue.runs.html import retitled

if TYPE_CHECKING:
    from segue.connections.model_version import Version
    from segue.connections.registry import Registry

LEARNED = "kafka_ends"
"""Tag of a version: the offsets up to which it has learned the listens."""

AS_OF = "as_of"
"""Tag of a version that was trained for a past day: that day."""

FULL = "full_training"
"""Tag of an updated version: number of the full training that it descends from."""

UPDATES = "updates_since_full_training"
"""Tag of an updated version: how many updates lie between it and that full training."""

REFERENCE = "compared_with"
"""Tag of a provisional version: number of the version that it is compared with."""

SEED = "seed"
"""Tag of a version: seed of the full training that it is, or descends from."""

POOL = "gate_pool"
"""Tag of a version: what the gate knows when it looks at the next update, as JSON of :class:`.gate.Pool`."""


@dataclass(frozen=True)
class Lineage:
    """Where a version comes from. The registry keeps it in the version's tags.

    Parameters
    ----------
    learned : Offsets
        The version has learned the topic of listens up to these offsets.
    full_training : int, optional
        Number of the full training that the version descends from; None for a full training itself.
    updates : int
        How many updates lie between the version and that full training.
    as_of : date, optional
        The past day that the version was trained for.
    seed : int, optional
        Seed of the full training that the version is, or descends from; None if an earlier version of Segue has
        not stored it.
    reference : int, optional
        Number of the version that a provisional version is compared with; None if it was promoted without
        reservation.
    pool : Pool
        What the gate knows of the updates since the reference.
    """

    learned: Offsets
    full_training: int | None = None
    updates: int = 0
    as_of: date | None = None
    seed: int | None = None
    reference: int | None = None
    pool: Pool = field(default_factory=Pool)

    @classmethod
    def of(cls, version: Version) -> Lineage:
        """Read the tags of a version."""
        full, day = version.tags.get(FULL), version.tags.get(AS_OF)
        return cls(
            Offsets.from_json(version.tags[LEARNED]),
            int(full) if full else None,
            int(version.tags.get(UPDATES, "0")),
            date.fromisoformat(day) if day else None,
            int(version.tags[SEED]) if SEED in version.tags else None,
            int(version.tags[REFERENCE]) if REFERENCE in version.tags else None,
            Pool.from_json(version.tags[POOL]) if POOL in version.tags else Pool(),
        )

    @classmethod
    def made_from(cls, champion: Version, learned: Offsets, *, updates: int = 0) -> Lineage:
        """Return the lineage of a candidate that was made from a champion by `updates` updates, which may be 0."""
        before = cls.of(champion)
        return replace(
            before,
            learned=learned,
            full_training=before.full_training or champion.number,
            updates=before.updates + updates,
            as_of=None,
        )

    def tags(self) -> dict[str, str]:
        """Write the lineage as tags."""
        tags = {LEARNED: self.learned.to_json()}
        if self.full_training is not None:
            tags |= {FULL: str(self.full_training), UPDATES: str(self.updates)}
        if self.as_of is not None:
            tags[AS_OF] = self.as_of.isoformat()
        if self.seed is not None:
            tags[SEED] = str(self.seed)
        if self.reference is not None:
            tags[REFERENCE] = str(self.reference)
        if self.pool != Pool():
            tags[POOL] = self.pool.to_json()
        return tags


@dataclass(frozen=True)
class PromotionDecision:
    """Whether a retraining has made a new champion.

    Parameters
    ----------
    promoted : bool
        Whether there is a new champion.
    version : str
        The champion after the decision, such as ``recommender/3``; ``none`` if there is none.
    reason : str
        The reason for the decision, in a sentence for the run's report.
    model : Recommender or None
        The new champion.
    figures : Figures or None
        What was measured, for the run's report.
    html : str or None
        The report of a full training.
    """

    promoted: bool
    version: str
    reason: str
    model: Recommender | None = None
    figures: Figures | None = None
    html: str | None = None


@dataclass(frozen=True)
class Candidate:
    """A recommender that may become the champion.

    Parameters
    ----------
    model : Recommender
    lineage : Lineage
    reason : str
        Why it may become the champion, in a sentence for the run's report.
    figures : Figures, optional
        What was measured, for the report of the run and that of the version.
    rows : sequence of Row
        The comparison with the baselines, if it was compared with them.
    html : str, optional
        The report, kept with the version.
    """

    model: Recommender
    lineage: Lineage
    reason: str
    figures: Figures | None = None
    rows: Sequence[Row] = ()
    html: str | None = None

    def register(self, registry: Registry) -> Version:
        """Register the candidate as a new version. The version does not serve yet."""
        recipe = self.model.recipe.summary()
        metrics = {
            _metric(f"{row.model}/{name}"): value
            for row in self.rows
            if row.task == "new tracks"
            for name, value in row.metrics.items()
        }
        return registry.register(
            NAME,
            self.model.save,
            parameters=_flat(recipe),
            metrics=metrics,
            tags=self.lineage.tags(),
            report={
                "reason": self.reason,
                "recipe": recipe,
                **(self.figures.to_document() if self.figures else {}),
                "rows": [vars(row) for row in self.rows],
            },
            texts={} if self.html is None else {"report.html": self.html},
        )

    def promote(self, registry: Registry, *, successor_of: Version | None = None) -> PromotionDecision:
        """Register the candidate as a new version, and make this version the champion.

        Parameters
        ----------
        registry : Registry
        successor_of : Version, optional
            The champion that the candidate was made from. If another version serves by now (because of a rollback
            or another training), that version stays. By default, the candidate replaces any champion.

        Raises
        ------
        ModelError
            If the registry does not return the version as it was stored. The champion then stays.
        """
        # There are many updates a day, so old versions are deleted. Keep versions trained for a past date, and
        # those that updates are compared with: the last full training, and the reference of the gate.
        compared_with = (self.lineage.full_training, self.lineage.reference)
        registry.prune(NAME, lambda version: AS_OF in version.tags or version.number in compared_with)
        version = self.register(registry)
        Recommender.fetch(version)
        if successor_of is None:
            registry.promote(version)
        elif not registry.succeed(successor_of, version):
            now = str(registry.champion(NAME))
            reason = f"{version} was made from {successor_of}, but meanwhile {now} has become the champion"
            say(reason)
            return PromotionDecision(False, now, reason, figures=self.figures)
        say(f"{version} is the champion")
        html = self.html and retitled(self.html, TITLE, f"{TITLE} {version}")
        return PromotionDecision(True, str(version), self.reason, self.model, self.figures, html)


def load(version: Version) -> Recommender | None:
    """Load a version. If it is missing or damaged, log a line and return None."""
    try:
        return Recommender.fetch(version)
    except ModelError as error:
        say(f"{version} cannot be used. {error}")
        return None


def say(line: str) -> None:
    """Write a line to the task's log at once."""
    print(line, flush=True)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return flat


def _metric(name: str) -> str:
    """Return the name of a metric in a form that MLflow accepts. MLflow refuses most punctuation."""
    return re.sub(r"[^A-Za-z0-9_./:-]", "_", name.replace("@", "_at_").replace("'", ""))
