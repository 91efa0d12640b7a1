"""Which messages become training data, and why the others do not. None disappears: each has its reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

DUPLICATE = "sent again"
UNKNOWN_TRACK = "track not in the corpus"


@dataclass(frozen=True)
class Screened:
    """The listens that count, and how many messages there were.

    Parameters
    ----------
    listens : DataFrame
        ``user_name``, ``track_id``, ``listened_at``, ``partition``, ``offset``, ``in_window``; cached.
    read, in_window : int
        Messages in all, and of them in the window.
    rejected : Counter of str
        Messages by reason.
    """

    listens: DataFrame
    read: int
    in_window: int
    rejected: Counter[str] = field(default_factory=Counter)

    @property
    def used(self) -> int:
        """Number of `listens`."""
        return self.read - self.rejected.total()

    def summary(self) -> dict[str, object]:
        """For the run's summary: the counts add up."""
        return {"messages": self.read, "used": self.used, "rejected": dict(self.rejected)}


def screen(messages: DataFrame, tracks: DataFrame) -> Screened:
    """Keep the first message of each event whose track is in the corpus.

    Parameters
    ----------
    messages : DataFrame
        What :func:`segue.streaming.events.read_until` returns.
    tracks : DataFrame
        ``track_id`` of the corpus.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F  # noqa: N812

    first = Window.partitionBy("event_id").orderBy("partition", "offset")
    rejected = (
        F.when(F.col("error").isNotNull(), F.concat(F.lit("malformed, "), "error"))
        .when(F.row_number().over(first) > 1, DUPLICATE)
        .when(F.col("known").isNull(), UNKNOWN_TRACK)
    )
    known = F.broadcast(tracks.select("track_id", F.lit(True).alias("known")))
    judged = messages.join(known, "track_id", "left").withColumn("rejected", rejected).cache()
    counts = judged.groupBy("rejected", "in_window").count().collect()
    return Screened(
        listens=judged.where("rejected is null").drop("rejected", "error", "known"),
        read=sum(row["count"] for row in counts),
        in_window=sum(row["count"] for row in counts if row.in_window),
        rejected=sum((Counter({row.rejected: row["count"]}) for row in counts if row.rejected), Counter()),
    )
