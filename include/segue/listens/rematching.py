"""Match unmatched listens again, because the corpus may have grown since they came."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from segue.listens.decoding import OBJECTS
from segue.listens.events import Listen
from segue.listens.lake_table import DAY
from segue.listens.matching import TrackIndex
from segue.listens.reports import MissedArtist, Rematched

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from segue.listens.lake_table import ListensTable

MATCHED = ("track_id", "matched_by", "match_score")
MATCHES = "artist_name string, track_name string, track_id string, matched_by string, match_score double"
MOST_SHOWN = 20
BATCH = 1_000


def unmatched(table: ListensTable) -> DataFrame:
    """Count the listens without a track: ``artist_name``, ``track_name``, ``recording_mbid``, ``listens``."""
    from pyspark.sql import functions as sf

    waiting = table.read().where("track_id is null and artist_name is not null and track_name is not null")
    named = waiting.groupBy("artist_name", "track_name")
    return named.agg(sf.max("recording_mbid").alias("recording_mbid"), sf.count("*").alias("listens"))


def matched(table: ListensTable, matches: DataFrame) -> Iterator[Listen]:
    """Yield the unmatched listens whose names are in `matches`, as events that have the matched track."""
    waiting = table.read().where("track_id is null").drop(*MATCHED, DAY)
    for row in waiting.join(matches, ["artist_name", "track_name"]).toLocalIterator():
        objects = {name: json.loads(row[name]) if row[name] else None for name in OBJECTS}
        yield Listen.model_validate(row.asDict() | objects)


def rematch(
    table: ListensTable, index: TrackIndex, take: Callable[[Sequence[Listen]], object] = lambda _: None
) -> Rematched:
    """Match the unmatched listens with the catalogue as it is now.

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
    waiting = unmatched(table).collect() if table.exists() else []
    matches: list[tuple[str, str, str, str, float]] = []
    missed: Counter[str] = Counter()
    rematched = 0
    for row in waiting:
        found = index.match(row.artist_name, row.track_name, recording_mbid=row.recording_mbid)
        if found is None:
            missed[row.artist_name] += row.listens
        else:
            matches.append((row.artist_name, row.track_name, found.track_id, found.method.value, found.score))
            rematched += row.listens
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
