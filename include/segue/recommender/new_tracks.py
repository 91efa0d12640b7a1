"""Let the recommender follow the corpus: its catalogue, the factors of new tracks, and which tracks sound alike.

The candidate learns no new listens. A track that somebody has played keeps its factors, and there is nothing new
to evaluate on. So the candidate is promoted whenever it differs from the champion. It has learned the same listens
as the champion, and is the same number of updates away from the last full training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from segue.connections.windows import OffsetWindow
from segue.listens import training_data
from segue.recommender.candidate import Candidate, Lineage, PromotionDecision, load
from segue.recommender.components.factors import Factors
from segue.recommender.components.neighbours import Neighbours
from segue.recommender.material import Material
from segue.recommender.model import Recommender
from segue.recommender.reports import PlacementFigures, TrackPlacementReport
from segue.recommender.retraining import Retrained, Retraining, Start
from segue.recommender.update import fold_in_tracks, reindex

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from segue.settings import Settings

ROUNDING = 1e-5


@dataclass(frozen=True)
class TrackPlacement(Retraining):
    """Adapt the champion to the present catalogue.

    Parameters
    ----------
    announced : OffsetWindow
        The announcements of changed days that started this retraining.
    """

    announced: OffsetWindow

    def nothing_to_do(self, start: Start) -> str | None:
        """Refuse if there is no champion."""
        if start.champion is None:
            return "there is no recommender yet; the first training takes every track"
        return None

    def read(self, spark: SparkSession, settings: Settings, start: Start) -> DataFrame:
        """Read all listens, and the offsets of those that the champion has not learned.

        The new lists leave out tracks that were just played. So even listens that are not learned are read.
        """
        return training_data.read_until(spark, settings, start.window, start.topic, since=start.learned)

    def decide(self, spark: SparkSession, start: Start, material: Material) -> PromotionDecision:
        """Place the new tracks, and promote the result if anything differs."""
        del spark
        champion = start.champion
        model = load(champion) if champion else None
        if champion is None or model is None:
            return start.keep("there is no champion to bring up to date: the next training takes every track")
        plays, learned = material.interactions, ~material.at_or_after(start.learned)
        placed = fold_in_tracks(
            reindex(model, material.catalogue), plays.matrix(learned), material.audio, plays.timeline(learned)
        )
        old, new = set(model.catalogue.position), set(material.catalogue.position)
        figures = PlacementFigures(tracks_new=len(new - old), tracks_gone=len(old - new))
        if _same(model, placed):
            return start.keep(f"{champion} has these tracks as they are", figures)
        reason = f"{figures.tracks_new:,} tracks came, {figures.tracks_gone:,} went"
        lineage = Lineage.made_from(champion, start.learned)
        return Candidate(placed, lineage, reason, figures).promote(start.registry, successor_of=champion)

    def report(self, retrained: Retrained, seconds: float) -> TrackPlacementReport:
        """Report which days were announced, and how many tracks came and went."""
        figures = retrained.decision.figures
        return TrackPlacementReport(
            **retrained.fields(),
            window=self.announced.to_json(),
            days_announced=self.announced.size,
            lost_by_retention=self.announced.lost,
            placed=figures if isinstance(figures, PlacementFigures) else None,
            seconds=seconds,
        )


def _same(one: Recommender, other: Recommender) -> bool:
    """Return whether catalogue, factors and relations of sound are the same, apart from rounding."""
    names = ("track_ids", "titles", "artists")
    if any(list(getattr(one.catalogue, name)) != list(getattr(other.catalogue, name)) for name in names):
        return False
    if one.catalogue.position != other.catalogue.position:  # other copies
        return False
    before, after = (cast(Factors, each.blend.components["factors"]).item_factors for each in (one, other))
    near, now = (cast(Neighbours, each.blend.components["sound"]).relations for each in (one, other))
    return bool(np.allclose(before, after, atol=ROUNDING) and abs(near - now).max() < ROUNDING)
