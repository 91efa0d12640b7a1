"""Use of the genre champion: it names the genre of tracks whose metadata name none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymongo import UpdateOne, WriteConcern

from segue.audio.definition import FEATURE_VERSION
from segue.connections.registry import Registry
from segue.errors import ModelError, ServiceUnavailableError
from segue.genres.release import NAME
from segue.runs.progress import step
from segue.tracks.reading import TRACKS, read_tracks
from segue.tracks.vectors import features_array

if TYPE_CHECKING:
    import pandas as pd
    from pymongo.database import Database
    from pyspark.sql import SparkSession

    from segue.settings import Settings

BATCH = 500

ACKNOWLEDGED = WriteConcern(w=1, j=False)
"""The server need not bring each label to the disk at once, which takes SecantusDB 12 ms a label. A label that is
lost in a crash is written by the next publication or training."""


def label(spark: SparkSession, database: Database[dict[str, Any]], registry: Registry) -> dict[str, Any]:
    """Write ``genre_predicted``, ``genre_probability`` and ``genre_model`` of tracks without a genre.

    What the champion has named already stays; run again after a kill, it does the rest.

    Parameters
    ----------
    spark : SparkSession
    database : pymongo.database.Database
        Where the collection ``tracks`` is.
    registry : Registry

    Returns
    -------
    dict
        `labelled` (tracks) and `labels`: the champion, or why nothing was done. A champion that is damaged is such
        a reason: tracks are published without it too.
    """
    champion = registry.champion(NAME)
    if champion is None:
        return {"labelled": 0, "labels": "there is no genre champion yet"}
    if champion.tags.get("feature_version") != FEATURE_VERSION:
        return {"labelled": 0, "labels": f"{champion} takes features of another version"}
    if "choice" not in champion.tags:
        return {"labelled": 0, "labels": f"{champion} is of an older form, without probabilities"}
    without = {"genre": None, "genre_model": {"$ne": str(champion)}}
    if database[TRACKS].find_one(without, {"_id": 1}) is None:
        return {"labelled": 0, "labels": f"{champion} has named every track that has no genre"}
    try:
        model = champion.load()
    except ModelError as error:
        return {"labelled": 0, "labels": str(error)}
    tracks = read_tracks(spark, "genre", "genre_model", "features")
    unlabelled = tracks.where(tracks.genre.isNull() & ~tracks.genre_model.eqNullSafe(str(champion)))
    with step(f"{champion} listens to the tracks without a genre"):
        rows = (
            model.transform(_as_vectors(unlabelled))
            .selectExpr("track_id", "predicted_genre", "array_max(probabilities) AS probability")
            .toPandas()
        )
    _write(database, rows, str(champion))
    return {"labelled": len(rows), "labels": str(champion)}


def _write(database: Database[dict[str, Any]], rows: pd.DataFrame, model: str) -> None:
    """Write what a model has answered, a batch at a time."""
    collection = database[TRACKS].with_options(write_concern=ACKNOWLEDGED)
    written = 0
    with step("Writing the genres of tracks without one", lambda: f"{written:,} of {len(rows):,} tracks"):
        while written < len(rows):
            batch = rows.iloc[written : written + BATCH]
            updates = [
                UpdateOne(  # not of a track that was published with a genre meanwhile
                    {"_id": track_id, "genre": None},
                    {
                        "$set": {
                            "genre_predicted": genre,
                            "genre_probability": probability,
                            "genre_model": model,
                        }
                    },
                )
                for track_id, genre, probability in batch.itertuples(index=False)
            ]
            collection.bulk_write(updates, ordered=False)
            written += len(batch)


def label_if_reachable(
    spark: SparkSession, database: Database[dict[str, Any]], settings: Settings
) -> dict[str, Any]:
    """Do what `label` does, unless the registry of models is away: tracks are published without it too.

    Parameters
    ----------
    spark, database
        As for `label`.
    settings : Settings
        Say where the registry is.

    Returns
    -------
    dict
        As of `label`; the next publication labels what this one could not.
    """
    from mlflow.exceptions import MlflowException

    try:
        return label(spark, database, Registry(settings))
    except (ServiceUnavailableError, MlflowException) as error:
        return {"labelled": 0, "labels": f"not done: {error}"}


def _as_vectors(tracks: Any) -> Any:
    from pyspark.ml.functions import array_to_vector

    return tracks.withColumn("features", array_to_vector(features_array("features")))
