"""Match listens again, because the corpus or its MBIDs may have grown since they came."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from itertools import islice
from operator import and_
from typing import TYPE_CHECKING

from segue.listens.decoding import OBJECTS
from segue.listens.events import Listen
from segue.listens.lake_table import DAY
from segue.listens.matching import Method, TrackIndex
from segue.listens.reports import MissedArtist, Rematched

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from segue.listens.lake_table import ListensTable

MATCHED = ("track_id", "matched_by", "match_score")
KEY = ("artist_name", "track_name", "recording_mbid", "track_id", "matched_by")
"""Listens that are the same in these columns are matched together."""

MATCHES = ", ".join(f"{name} string" for name in (*KEY, "new_track_id", "new_matched_by")) + (
    ", new_match_score double"
)
MOST_SHOWN = 20
BATCH = 1_000


def waiting(table: ListensTable) -> DataFrame:
    """Count the listens that may get another track, by the columns of `KEY`: ``listens``.

    They have no track, or one that was found by their names although they have the MBID of a recording.
    """
    from pyspark.sql import functions as sf

    named = table.read().where("artist_name is not null and track_name is not null")
    by_name = sf.col("matched_by").isin(Method.NAME, Method.FUZZY) & sf.isnotnull("recording_mbid")
    return named.where(sf.isnull("track_id") | by_name).groupBy(*KEY).agg(sf.count("*").alias("listens"))


def matched(table: ListensTable, matches: DataFrame) -> Iterator[Listen]:
    """Yield the listens whose columns `KEY` are in `matches`, as events that have the new track."""
    from pyspark.sql import functions as sf

    listens = table.read().drop(DAY).alias("old")
    same = reduce(and_, (sf.col(f"old.{name}").eqNullSafe(sf.col(f"found.{name}")) for name in KEY))
    new = [sf.col(f"found.new_{name}").alias(name) for name in MATCHED]
    kept = [f"old.{name}" for name in listens.columns if name not in MATCHED]
    for row in listens.join(matches.alias("found"), same).select(*kept, *new).toLocalIterator():
        objects = {name: json.loads(row[name]) if row[name] else None for name in OBJECTS}
        yield Listen.model_validate(row.asDict() | objects)


def rematch(
    table: ListensTable, index: TrackIndex, take: Callable[[Sequence[Listen]], object] = lambda _: None
) -> Rematched:
    """Match listens with the catalogue as it is now.

    - A listen without a track gets one if the catalogue has it now.
    - A listen that was matched by its names gets the track with its MBID, if the catalogue has this MBID now.

    Parameters
    ----------
    table
        The listens.
    index
        The catalogue.
    take
        Called with the events that match now, a thousand at a time, before their tracks are written to the table.
        If the run is killed in between, the next run calls it with these events again.

    Returns
    -------
    Rematched
    """
    found = waiting(table).collect() if table.exists() else []
    matches: list[tuple[str | float | None, ...]] = []
    missed: Counter[str] = Counter()
    rematched = 0
    for row in found:
        if row.track_id is None:
            match = index.match(row.artist_name, row.track_name, recording_mbid=row.recording_mbid)
        else:
            match = index.of_recording(row.recording_mbid)
        if match is not None:
            matches.append((*(row[name] for name in KEY), match.track_id, match.method.value, match.score))
            rematched += row.listens
        elif row.track_id is None:
            missed[row.artist_name] += row.listens
    if matches:
        tracks = table.spark.createDataFrame(matches, MATCHES)
        events = matched(table, tracks)
        while batch := list(islice(events, BATCH)):
            take(batch)
        table.match(tracks)
    most = sorted(missed.items(), key=lambda item: (-item[1], item[0]))[:MOST_SHOWN]
    return Rematched(
        rematched=rematched,
        unmatched=missed.total(),
        unmatched_artists=tuple(MissedArtist(artist=artist, listens=listens) for artist, listens in most),
    )
