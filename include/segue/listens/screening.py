"""Choose the messages that become training data, and count the others by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from segue.listens.lake_table import mark_taken_back
from segue.listens.reports import ScreenedListens

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

DUPLICATE = "sent again"
TAKEN_BACK = "taken back by its listener"
UNKNOWN_TRACK = "track not in the corpus"
SKIPPED = "skipped by its listener"


@dataclass(frozen=True)
class Screened:
    """The listens that count, and how many messages there were.

    Parameters
    ----------
    listens : DataFrame
        ``user_name``, ``track_id``, ``listened_at``, ``plays``, ``partition``, ``offset``, ``arrived_at`` and
        ``in_window``; cached. ``plays`` is 1, or less for a skip.
    read, in_window : int
        Number of messages that were read, and of those in the window.
    rejected : Counter of str
        Number of messages that were left out, by reason.
    """

    listens: DataFrame
    read: int
    in_window: int
    rejected: Counter[str] = field(default_factory=Counter)

    @property
    def used(self) -> int:
        """Number of `listens`."""
        return self.read - self.rejected.total()

    def counts(self) -> ScreenedListens:
        """Return the counts for the run's report."""
        return ScreenedListens(messages=self.read, used=self.used, rejected=dict(self.rejected))


def screen(
    messages: DataFrame, tracks: DataFrame, removed: Mapping[str, float], *, skip_weight: float = 0.0
) -> Screened:
    """Keep the first message of each event that nobody has taken back, and whose track is in the corpus.

    Parameters
    ----------
    messages : DataFrame
        As :func:`segue.listens.training_data.read_until` returns them.
    tracks : DataFrame
        ``track_id`` of the corpus.
    removed : mapping of str to float
        The listens and users that were removed: see :meth:`segue.listens.removals.Removals.all`.
    skip_weight : float
        How many plays a skip counts as, 0 to 1. With 0, skips are left out.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as sf

    keys = messages.sparkSession.createDataFrame(list(removed.items()), "key string, removed_at double")
    # If a user takes an event back and sends it again, the second message counts. So messages that were taken back
    # have a window partition of their own, and never count as the first message of the event.
    first = Window.partitionBy("event_id", "taken_back").orderBy("partition", "offset")
    is_skip = sf.coalesce("skipped", sf.lit(False))
    rejected = (
        sf.when(sf.col("error").isNotNull(), sf.concat(sf.lit("malformed, "), "error"))
        .when(sf.col("taken_back"), TAKEN_BACK)
        .when(sf.row_number().over(first) > 1, DUPLICATE)
        .when(sf.col("known").isNull(), UNKNOWN_TRACK)
        .when(is_skip & sf.lit(skip_weight == 0), SKIPPED)
    )
    known = sf.broadcast(tracks.select("track_id", sf.lit(True).alias("known")))
    marked = mark_taken_back(messages, keys).join(known, "track_id", "left")
    judged = marked.withColumn("rejected", rejected).cache()
    counts = judged.groupBy("rejected", "in_window").count().collect()
    # If a player's clock is ahead, the time of arrival counts, because a listen cannot be later than its arrival.
    heard = sf.least("listened_at", sf.coalesce("received_at", "arrived_at").cast("long"))
    plays = sf.when(is_skip, sf.lit(skip_weight)).otherwise(1.0).cast("float")
    used = judged.where("rejected is null").withColumns({"listened_at": heard, "plays": plays})
    return Screened(
        listens=used.drop("rejected", "error", "known", "taken_back", "skipped"),
        read=sum(row["count"] for row in counts),
        in_window=sum(row["count"] for row in counts if row.in_window),
        rejected=sum((Counter({row.rejected: row["count"]}) for row in counts if row.rejected), Counter()),
    )
