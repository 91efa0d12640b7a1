"""Write a corpus as Parquet files that need neither Segue nor Spark to be read.

| file or folder | content |
|---|---|
| ``tracks`` | metadata and musical descriptors of each track, and its part in the split of the genre model |
| ``features`` | the 518 features of each track, a column each |
| ``embeddings`` | the embedding of each track that has one, as a list; absent if no track has one |
| ``listens`` | who listened to what and when, with a pseudonym for each listener |
| ``versions.json`` | what made them: packages, versions of the tables, champions with their parameters and seeds |

Pseudonyms are hashes with a key that is made for one export and is not kept. So nobody can compute the name from
a pseudonym, or join two exports by it. Histories can still identify a listener who has published their listens
elsewhere.
"""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from segue import private
from segue.audio.definition import FAMILIES, FEATURE_VERSION, feature_names
from segue.connections.model_version import Version
from segue.connections.registry import Registry
from segue.corpus import lake
from segue.corpus.schema import EMBEDDING, MUSICAL, columns
from segue.corpus.versions import versions as table_versions
from segue.errors import ExportError, NothingToLearnError, TrainingError
from segue.genres.dataset import prepare_dataset
from segue.genres.release import MODEL_NAME, split_by_track
from segue.listens.lake_table import ListensTable
from segue.recommender.model import NAME

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from segue.settings import Settings

OF_TRACKS: Final = (
    *("track_id", "recording", "title", "artist", "album", "album_artist", "genre", "genres", "year"),
    *("language", "duration_s", "sample_rate", "split", "flags", "partition_date"),
    *("recording_mbid", "release_mbid", "artist_mbids", "isrc", "acoustid"),
    *columns(MUSICAL),
)
"""Paths are left out, because they may name people."""

OF_LISTENS: Final = (
    *("track_id", "listened_at", "source", "artist_name", "track_name", "release_name", "recording_mbid"),
    *("played_s", "skipped"),
)
"""Without what players add, which may name devices and addresses."""

PACKAGES: Final = ("segue", "pyspark", "delta-spark", "librosa", "numba", "numpy", "scikit-learn", "soundfile")


def export(spark: SparkSession, settings: Settings, folder: Path) -> dict[str, int]:
    """Write the dataset of a corpus into a new folder.

    Parameters
    ----------
    spark : SparkSession
    settings : Settings
        They choose the corpus.
    folder : Path
        It must not exist. It appears when the dataset is complete; until then its name ends in ``.partial``.

    Returns
    -------
    dict of str to int
        Number of rows of each table.

    Raises
    ------
    ExportError
        If the folder exists or cannot be written to, or the corpus has no tracks yet.
    """
    folder = folder.resolve()
    if folder.exists():
        raise ExportError(f"{folder} exists. Name a new folder, such as {folder}-{datetime.now(UTC):%Y-%m-%d}.")
    try:
        with private.new_folder(folder) as partial:
            return _write(spark, settings, partial)
    except OSError as error:
        raise ExportError(f"The dataset could not be written to {folder}: {error}.") from error


def _write(spark: SparkSession, settings: Settings, folder: Path) -> dict[str, int]:
    versions = table_versions(settings.lake_uri, "tracks", "listens")
    if versions["tracks"] < 0:
        raise ExportError(f"The lake in {settings.lake_uri} has no tracks yet. Run the DAG `corpus` first.")
    tracks = lake.Lake(spark, settings.lake_uri).read("tracks")
    registry = Registry(settings)
    champions = {name: registry.champion(name) for name in (MODEL_NAME, NAME)}
    tables = {"tracks": _with_parts(tracks, champions[MODEL_NAME]), "features": _named(tracks)}
    embeddings = tracks.where("embedding IS NOT NULL").select("track_id", *columns(EMBEDDING))
    if not embeddings.isEmpty():
        tables["embeddings"] = embeddings
    if versions["listens"] >= 0:
        tables["listens"] = _without_names(ListensTable(spark, settings.lake_uri).read())
    counts = {}
    for name, rows in tables.items():
        rows.write.parquet(str(folder / name))
        counts[name] = spark.read.parquet(str(folder / name)).count()
    made = {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "corpus": settings.corpus,
        "rows": counts,
        "feature_version": FEATURE_VERSION,
        "packages": {name: version(name) for name in PACKAGES},
        "lake": versions,
        "champions": {name: _described(each) for name, each in champions.items() if each},
    }
    (folder / "versions.json").write_text(json.dumps(made, indent=2, default=str))
    return counts


def _with_parts(tracks: DataFrame, champion: Version | None) -> DataFrame:
    """Add the column ``genre_part``: the part of the genre model's split. It is null if a track is not used."""
    from pyspark.sql import functions as sf

    kept = tracks.select(*OF_TRACKS)
    by_track = split_by_track(champion) if champion else []
    families: dict[str, list[int]] = {name: [] for name in FAMILIES}  # the split needs no features
    try:
        divided = prepare_dataset(tracks, families, split_by_track=by_track).tracks
    except (NothingToLearnError, TrainingError):
        return kept.withColumn("genre_part", sf.lit(None).cast("string"))
    return kept.join(divided.select("track_id", sf.col("part").alias("genre_part")), "track_id", "left")


def _named(tracks: DataFrame) -> DataFrame:
    from pyspark.sql import functions as sf

    named = [sf.get("features", sf.lit(i)).alias(name) for i, name in enumerate(feature_names())]
    return tracks.select("track_id", "feature_version", *named)


def _without_names(listens: DataFrame) -> DataFrame:
    from pyspark.sql import functions as sf

    keyed = sf.concat(sf.lit(secrets.token_hex(32)), "user_name")
    return listens.select(sf.substring(sf.sha2(keyed, 256), 1, 16).alias("listener"), *OF_LISTENS)


def _described(champion: Version) -> dict[str, Any]:
    return {
        "version": champion.number,
        "made_at": champion.made_at,
        "parameters": dict(champion.parameters),
        "metrics": dict(champion.metrics),
        "tags": dict(champion.tags),
    }
