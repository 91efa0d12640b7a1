"""Tracks to learn genres from, divided so that no artist is in two parts.

A model that has heard an artist learns the artist's sound instead of the genre's (the artist filter of Pampalk,
Flexer and Widmer, 2005). The part is a hash of the artist's name, so that yesterday's test tracks are not today's
training tracks; the source's own division goes first where it has one.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from segue.balance import class_weights
from segue.errors import NothingToLearnError, TrainingError

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, Row

TRAIN, VALIDATION, TEST = PARTS = ("train", "validation", "test")
TRAIN_PERCENT, VALIDATION_PERCENT = 60, 20

OFFICIAL = {"training": TRAIN, "train": TRAIN, "validation": VALIDATION, "test": TEST}
"""How sources call the parts."""

FACTS = ("artist", "language", "year", "partition_date")
"""Columns that evaluation and report look at, where the tracks have them."""

MIN_TRACKS = 10
"""A genre with fewer labelled tracks is left out: its parts would be empty or say nothing."""

PARTITION_TRACKS = 5_000
"""Tracks that are worth a partition of their own."""

MIN_ARTISTS = 5
"""A genre with fewer artists is split by track instead: otherwise all of it could fall into one part."""


@dataclass(frozen=True)
class Labelled:
    """Tracks fit to train and judge a genre model.

    Parameters
    ----------
    tracks : DataFrame
        ``track_id``, ``genre``, ``features`` (a vector), ``label`` (index of the genre), ``weight`` (every genre
        weighs the same in all), ``part`` (train, validation, test) and those of `FACTS` that there are. What it is
        made from is cached, with the features in single precision, which takes half the memory.
    genres : sequence of str
        In the order of ``label``.
    families : mapping of str to sequence of int
        Positions in the vector of each family of features.
    weights : mapping of str to float
        What a track of each genre weighs, as in ``weight``.
    split_by_track : sequence of str
        Genres whose artists are in more than one part.
    rejected : mapping of str to int
        Tracks left out, by reason.
    """

    tracks: DataFrame
    genres: Sequence[str]
    families: Mapping[str, Sequence[int]]
    weights: Mapping[str, float]
    split_by_track: Sequence[str]
    rejected: Mapping[str, int] = field(default_factory=dict)

    def part(self, *names: str) -> DataFrame:
        """Take the tracks of one or more parts."""
        return self.tracks.where(self.tracks.part.isin(*names))


def label(
    tracks: DataFrame, families: Mapping[str, Sequence[int]], *, split_by_track: Collection[str] = ()
) -> Labelled:
    """Choose the tracks that can be learned from, and divide them.

    Parameters
    ----------
    tracks : DataFrame
        ``track_id``, ``genre``, ``features`` (array of numbers), ``artist``, ``flags`` (a duplicate of another
        track has one that begins with "duplicate", and is left out), ``split`` (the source's own division or
        null), and any of `FACTS`. It is read twice.
    families : mapping of str to sequence of int
    split_by_track : collection of str
        Genres that earlier trainings have split by track. They stay so, or test tracks would be trained on.

    Raises
    ------
    NothingToLearnError
        If no track has a genre, fewer than two genres have enough tracks, or a part is empty.
    TrainingError
        If the source's own division has an artist in two parts.
    """
    from pyspark.ml.functions import array_to_vector
    from pyspark.sql import functions as F  # noqa: N812

    screened = _screen(tracks)
    counted = screened.groupBy("rejected", "genre", "artist", "official").count().collect()
    rejected: defaultdict[str, int] = defaultdict(int)
    by_genre: defaultdict[str, list[Row]] = defaultdict(list)
    for row in counted:
        if row.rejected:
            rejected[row.rejected] += row["count"]
        else:
            by_genre[row.genre].append(row)
    sizes = {genre: sum(row["count"] for row in rows) for genre, rows in by_genre.items()}
    kept = _large_enough(sizes)
    if small := sum(size for genre, size in sizes.items() if genre not in kept):
        rejected[f"genre of fewer than {MIN_TRACKS} tracks"] = small

    usable = [row for rows in by_genre.values() for row in rows]
    parts = _official_parts(usable, {genre for genre in kept if genre in split_by_track})
    by_track = [genre for genre in kept if genre in split_by_track or _needs_tracks(by_genre[genre], parts)]
    total = sum(sizes[genre] for genre in kept)
    weights = class_weights({genre: sizes[genre] for genre in kept})
    # Every iteration of every classifier is a job with a task a partition: a small table fares best with one.
    partitions = min(tracks.sparkSession.sparkContext.defaultParallelism, 1 + total // PARTITION_TRACKS)
    facts = [(g, float(i), weights[g], g in by_track) for i, g in enumerate(kept)]
    session = tracks.sparkSession
    table = session.createDataFrame(facts, "genre string, label double, weight double, by_track boolean")
    of_artist = session.createDataFrame(list(parts.items()), "artist string, of_artist string")
    by_hash = part_of(F.when(F.col("by_track"), F.col("track_id")).otherwise(F.coalesce("artist", "track_id")))
    part = F.coalesce("official", F.when(~F.col("by_track"), F.col("of_artist")), by_hash)
    labelled = (
        screened.where("rejected is null")
        .join(F.broadcast(table), "genre")
        .join(F.broadcast(of_artist), "artist", "left")
        .withColumn("part", part)
        .drop("rejected", "official", "of_artist", "by_track")
        .repartition(partitions)
        .cache()
    )
    _require_parts(labelled)
    vectors = labelled.withColumn("features", array_to_vector(F.col("features").cast("array<double>")))
    return Labelled(vectors, kept, families, weights, by_track, dict(rejected))


def part_of(unit: Column) -> Column:
    """Assign a part by a hash of the unit's name alone: the same for ever, whatever else is in the corpus."""
    from pyspark.sql import functions as F  # noqa: N812

    percent = F.crc32(F.encode(unit, "UTF-8")) % 100
    return (
        F.when(percent < TRAIN_PERCENT, TRAIN)
        .when(percent < TRAIN_PERCENT + VALIDATION_PERCENT, VALIDATION)
        .otherwise(TEST)
    )


def _part_of(unit: str) -> str:
    percent = zlib.crc32(unit.encode()) % 100
    if percent < TRAIN_PERCENT:
        return TRAIN
    return VALIDATION if percent < TRAIN_PERCENT + VALIDATION_PERCENT else TEST


def _screen(tracks: DataFrame) -> DataFrame:
    """Say of each track why it cannot be learned from (``rejected``), and name artist and part in one way."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F  # noqa: N812

    features = F.col("features").cast("array<float>")
    finite = F.forall(features, lambda value: ~F.isnan(value) & (F.abs(value) < float("inf")))
    same = Window.partitionBy("track_id")
    labels = F.size(F.collect_set("genre").over(same))
    again = F.row_number().over(same.orderBy("genre")) > 1
    reason = (
        F.when(F.col("genre").isNull(), "no genre")
        .when(labels > 1, "two genres for one track")
        .when(again, "the same track again")
        .when(~F.col("finite"), "not finite")
        .when(F.exists("flags", lambda flag: flag.startswith("duplicate")), "duplicate")
    )
    artist = F.lower(F.trim("artist"))
    names = F.create_map(*(F.lit(each) for pair in OFFICIAL.items() for each in pair))
    kept = [name for name in FACTS if name in tracks.columns and name != "artist"]
    # Whether the values are finite is found out first, so that who only counts sorts no features.
    return tracks.withColumn("finite", F.coalesce(finite, F.lit(False))).select(
        "track_id",
        "genre",
        features.alias("features"),
        *kept,
        F.when(artist != "", artist).alias("artist"),
        F.try_element_at(names, F.lower("split")).alias("official"),
        reason.alias("rejected"),
    )


def _large_enough(sizes: Mapping[str, int]) -> list[str]:
    if not sizes:
        raise NothingToLearnError(
            "No published track has a genre, so there is nothing to learn. Tag the files, or name genres in the "
            "metadata table, and run the DAG `corpus` again."
        )
    kept = sorted(genre for genre, size in sizes.items() if size >= MIN_TRACKS)
    if len(kept) < 2:
        counts = ", ".join(f"{genre} {size}" for genre, size in sorted(sizes.items())[:10])
        raise NothingToLearnError(
            f"A genre model needs two genres of at least {MIN_TRACKS} tracks each; there are: {counts}. "
            "Label more tracks and run the DAG `corpus` again."
        )
    return kept


def _official_parts(rows: Iterable[Row], by_track: Collection[str]) -> dict[str, str]:
    """Find the part that the source has put each artist in."""
    stated: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.artist and row.official and row.genre not in by_track:
            stated[row.artist].add(row.official)
    leaks = sorted(artist for artist, parts in stated.items() if len(parts) > 1)
    if leaks:
        raise TrainingError(
            f"The column `split` of the metadata has {len(leaks)} artists in more than one part, such as "
            f"{', '.join(leaks[:3])}: the test would reward knowing the artist. Put each artist in one part, or "
            "leave `split` blank, so that Segue divides by artist."
        )
    return {artist: parts.pop() for artist, parts in stated.items()}


def _needs_tracks(rows: Sequence[Row], official: Mapping[str, str]) -> bool:
    """Tell whether a genre cannot be divided by artist without an empty part."""
    named = {row.artist for row in rows if row.artist}
    if any(row.official for row in rows):
        return False
    if len(named) < MIN_ARTISTS:
        return True
    without_artist = any(row.artist is None for row in rows)
    return not without_artist and {official.get(name) or _part_of(name) for name in named} != set(PARTS)


def _require_parts(tracks: DataFrame) -> None:
    present = {row.part for row in tracks.select("part").distinct().collect()}
    missing = [name for name in PARTS if name not in present]
    if missing:
        raise NothingToLearnError(
            f"The split by artist leaves no tracks for {' and '.join(missing)}: there are too few artists. "
            "Label more tracks, of more artists, and run the DAG `corpus` again."
        )
