"""The tracks that a genre model is trained on, divided into a training, a validation and a test part.

No artist is in two parts. A model that has heard an artist recognises the artist instead of the genre, so its test
score would be too high (the artist filter of Pampalk, Flexer and Widmer, 2005).

If the source has a division of its own, that one is used. Otherwise a hash of the artist's name chooses the part.
A name always gets the same part, so yesterday's test tracks do not become today's training tracks.
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

SPLIT_NAMES = {"training": TRAIN, "train": TRAIN, "validation": VALIDATION, "test": TEST}
"""The part for each value of a source's column ``split``."""

METADATA_COLUMNS = ("artist", "language", "year", "partition_date")
"""Columns that the evaluation and the report use, if the tracks have them."""

MIN_TRACKS = 10
"""A genre with fewer tracks is left out, because its parts would be empty or too small to measure anything."""

PARTITION_TRACKS = 5_000
"""The dataset gets one more Spark partition per this many tracks, up to the default parallelism."""

MIN_ARTISTS = 5
"""A genre with fewer artists is split by track. If it were split by artist, all of it could fall into one part."""


@dataclass(frozen=True)
class Dataset:
    """Tracks to train and to evaluate a genre model on.

    Parameters
    ----------
    tracks : DataFrame
        One row per track:

        - ``track_id``, ``genre``;
        - ``features``: a vector;
        - ``label``: the position of the genre in `genres`, as a double;
        - ``weight``: the class weight. The weights of each genre have the same sum;
        - ``part``: train, validation or test;
        - those of `METADATA_COLUMNS` that the source has.

        Spark caches the rows that it is computed from, with features in single precision. This halves the memory.
    genres : sequence of str
        The classes, in the order of ``label``.
    families : mapping of str to sequence of int
        Positions of each feature family in the vector.
    weights : mapping of str to float
        Class weight of each genre, as in the column ``weight``.
    split_by_track : sequence of str
        Genres that were split by track, so their artists may be in more than one part.
    rejected : mapping of str to int
        Number of tracks left out, by reason.
    """

    tracks: DataFrame
    genres: Sequence[str]
    families: Mapping[str, Sequence[int]]
    weights: Mapping[str, float]
    split_by_track: Sequence[str]
    rejected: Mapping[str, int] = field(default_factory=dict)

    def part(self, *names: str) -> DataFrame:
        """Return the tracks of one or more parts."""
        return self.tracks.where(self.tracks.part.isin(*names))


def prepare_dataset(
    tracks: DataFrame, families: Mapping[str, Sequence[int]], *, split_by_track: Collection[str] = ()
) -> Dataset:
    """Select the tracks that a model can learn from, and divide them into three parts.

    Parameters
    ----------
    tracks : DataFrame
        This function reads it twice. Its columns are:

        - ``track_id``, ``genre``, ``artist``;
        - ``features``: array of numbers. A track without it is left out;
        - ``flags``: array of str. A track with a flag that begins with "duplicate" is left out;
        - ``split``: the part in the source's own division, or null;
        - any of `METADATA_COLUMNS`.
    families : mapping of str to sequence of int
        Positions of each feature family in the vector.
    split_by_track : collection of str
        Genres that earlier trainings split by track. They are split by track again. Otherwise earlier test tracks
        would come into the training part.

    Returns
    -------
    Dataset

    Raises
    ------
    NothingToLearnError
        If no track has a genre, fewer than two genres have enough tracks, or a part is empty.
    TrainingError
        If the source's own division has an artist in two parts.
    """
    from pyspark.ml.functions import array_to_vector
    from pyspark.sql import functions as sf

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
    by_track = [genre for genre in kept if genre in split_by_track or _must_split_by_track(by_genre[genre], parts)]
    total = sum(sizes[genre] for genre in kept)
    weights = class_weights({genre: sizes[genre] for genre in kept})
    # Every iteration of every classifier runs one task per partition, so a small table is fastest with one
    # partition.
    partitions = min(tracks.sparkSession.sparkContext.defaultParallelism, 1 + total // PARTITION_TRACKS)
    session = tracks.sparkSession
    genres = session.createDataFrame(
        [(genre, float(i), weights[genre], genre in by_track) for i, genre in enumerate(kept)],
        "genre string, label double, weight double, by_track boolean",
    )
    of_artist = session.createDataFrame(list(parts.items()), "artist string, of_artist string")
    by_hash = part_of(sf.when(sf.col("by_track"), sf.col("track_id")).otherwise(sf.coalesce("artist", "track_id")))
    part = sf.coalesce("official", sf.when(~sf.col("by_track"), sf.col("of_artist")), by_hash)
    divided = (
        screened.where("rejected is null")
        .join(sf.broadcast(genres), "genre")
        .join(sf.broadcast(of_artist), "artist", "left")
        .withColumn("part", part)
        .drop("rejected", "official", "of_artist", "by_track")
        .repartition(partitions)
        .cache()
    )
    _require_parts(divided)
    vectors = divided.withColumn("features", array_to_vector(sf.col("features").cast("array<double>")))
    return Dataset(vectors, kept, families, weights, by_track, dict(rejected))


def part_of(unit: Column) -> Column:
    """Assign a part by a hash of a name.

    The part depends on the name alone, so it stays the same when the corpus grows.

    Parameters
    ----------
    unit : Column
        Text: the name of an artist, or a track id.

    Returns
    -------
    Column
        One of `PARTS`.
    """
    from pyspark.sql import functions as sf

    percent = sf.crc32(sf.encode(unit, "UTF-8")) % 100
    return (
        sf.when(percent < TRAIN_PERCENT, TRAIN)
        .when(percent < TRAIN_PERCENT + VALIDATION_PERCENT, VALIDATION)
        .otherwise(TEST)
    )


def _part_of(unit: str) -> str:
    """Assign a part as `part_of` does, in Python."""
    percent = zlib.crc32(unit.encode()) % 100
    if percent < TRAIN_PERCENT:
        return TRAIN
    return VALIDATION if percent < TRAIN_PERCENT + VALIDATION_PERCENT else TEST


def _screen(tracks: DataFrame) -> DataFrame:
    """Add the columns ``rejected`` and ``official``, and normalise artists.

    ``rejected`` is the reason why a track cannot be used, or null. ``official`` is its part in the source's own
    division, or null. Artists are trimmed and in lower case.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as sf

    features = sf.col("features").cast("array<float>")
    finite = sf.forall(features, lambda value: ~sf.isnan(value) & (sf.abs(value) < float("inf")))
    same = Window.partitionBy("track_id")
    labels = sf.size(sf.collect_set("genre").over(same))
    again = sf.row_number().over(same.orderBy("genre")) > 1
    reason = (
        sf.when(sf.col("genre").isNull(), "no genre")
        .when(labels > 1, "two genres for one track")
        .when(again, "the same track again")
        .when(sf.col("lacking"), "without one of the vectors")
        .when(~sf.col("finite"), "not finite")
        .when(sf.exists("flags", lambda flag: flag.startswith("duplicate")), "duplicate")
    )
    artist = sf.lower(sf.trim("artist"))
    names = sf.create_map(*(sf.lit(each) for pair in SPLIT_NAMES.items() for each in pair))
    kept = [name for name in METADATA_COLUMNS if name in tracks.columns and name != "artist"]
    # `finite` is computed before the window function. Otherwise even a count would sort the features.
    known = {"finite": sf.coalesce(finite, sf.lit(False)), "lacking": sf.isnull("features")}
    return tracks.withColumns(known).select(
        "track_id",
        "genre",
        features.alias("features"),
        *kept,
        sf.when(artist != "", artist).alias("artist"),
        sf.try_element_at(names, sf.lower("split")).alias("official"),
        reason.alias("rejected"),
    )


def _large_enough(sizes: Mapping[str, int]) -> list[str]:
    if not sizes:
        raise NothingToLearnError(
            "No published track has a genre, so there is nothing to learn from. Add genres to the files' tags or "
            "to the metadata table, and run the DAG `corpus` again."
        )
    kept = sorted(genre for genre, size in sizes.items() if size >= MIN_TRACKS)
    if len(kept) < 2:
        counts = ", ".join(f"{genre} {size}" for genre, size in sorted(sizes.items())[:10])
        raise NothingToLearnError(
            f"A genre model needs two genres of at least {MIN_TRACKS} tracks each. The corpus has: {counts}. "
            "Add genres to more tracks, and run the DAG `corpus` again."
        )
    return kept


def _official_parts(rows: Iterable[Row], by_track: Collection[str]) -> dict[str, str]:
    """Map each artist to the part that the source assigns, and refuse an artist that is in two parts."""
    stated: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.artist and row.official and row.genre not in by_track:
            stated[row.artist].add(row.official)
    leaks = sorted(artist for artist, parts in stated.items() if len(parts) > 1)
    if leaks:
        raise TrainingError(
            f"The column `split` of the metadata has {len(leaks)} artists in more than one part, such as "
            f"{', '.join(leaks[:3])}. The test would then reward recognising the artist. Put each artist in one "
            "part, or leave `split` blank: then Segue divides the tracks by artist."
        )
    return {artist: parts.pop() for artist, parts in stated.items()}


def _must_split_by_track(rows: Sequence[Row], official: Mapping[str, str]) -> bool:
    """Check whether a split by artist would leave a part of this genre empty."""
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
            f"The split by artist leaves no tracks for {' and '.join(missing)}. There are too few "
            "artists. Add genres to tracks of more artists, and run the DAG `corpus` again."
        )
