"""Predict the genre of published tracks that have none, with the genre champion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymongo import UpdateOne, WriteConcern

from segue.audio.definition import FEATURE_VERSION
from segue.connections.registry import Registry
from segue.errors import ModelError
from segue.genres.release import MODEL_NAME, vectors_of
from segue.genres.reports import Predictions
from segue.runs.progress import step
from segue.tracks.reading import TRACKS, read_tracks
from segue.tracks.sound_vectors import FEATURES, VectorColumns, as_array, fields_of

if TYPE_CHECKING:
    import pandas as pd
    from pymongo.database import Database
    from pyspark.sql import DataFrame, SparkSession

BATCH = 500

ACKNOWLEDGED = WriteConcern(w=1, j=False)
"""Do not wait until each write is on disk, because SecantusDB takes 12 ms for this. If a crash loses a write, the
next training or refit repeats it."""


def predict_missing_genres(
    spark: SparkSession, database: Database[dict[str, Any]], registry: Registry
) -> Predictions:
    """Write ``genre_predicted``, ``genre_probability`` and ``genre_model`` to the tracks without a genre.

    Tracks that the champion has already predicted are skipped. So after a killed run, the next run does the rest.
    Tracks that lack a vector which the champion was trained on are skipped, too.

    Parameters
    ----------
    spark : SparkSession
    database : pymongo.database.Database
        Where the collection ``tracks`` is.
    registry : Registry

    Returns
    -------
    Predictions
        If the champion is damaged, nothing is predicted and no error is raised, because the next training replaces
        the champion.
    """
    champion = registry.champion(MODEL_NAME)
    if champion is None:
        return Predictions(reason="there is no genre champion yet")
    if champion.tags.get("feature_version") != FEATURE_VERSION:
        return Predictions(reason=f"{champion} was trained on features of another version")
    vectors = vectors_of(champion)
    if "choice" not in champion.tags:
        return Predictions(reason=f"{champion} is of an older format without probabilities")
    without: dict[str, Any] = {"genre": None, "genre_model": {"$ne": str(champion)}}
    without |= {column.name: {"$exists": True} for column in vectors if column != FEATURES}
    if database[TRACKS].find_one(without, {"_id": 1}) is None:
        return Predictions(reason=f"{champion} has already predicted every track without a genre")
    try:
        model = champion.load()
    except ModelError as error:
        return Predictions(reason=str(error))
    fields = fields_of(vectors)
    tracks = read_tracks(spark, "genre", "genre_model", *fields)
    without_prediction = tracks.where(tracks.genre.isNull() & ~tracks.genre_model.eqNullSafe(str(champion)))
    with step(f"Predicting genres with {champion}"):
        rows = (
            model.transform(_as_vectors(without_prediction, vectors))
            .selectExpr("track_id", "predicted_genre", "array_max(probabilities) AS probability")
            .toPandas()
        )
    _write(database, rows, str(champion))
    return Predictions(tracks=len(rows), model=str(champion))


def _write(database: Database[dict[str, Any]], rows: pd.DataFrame, model: str) -> None:
    """Write the predictions of a model, a batch at a time."""
    collection = database[TRACKS].with_options(write_concern=ACKNOWLEDGED)
    written = 0
    with step("Writing the predicted genres", lambda: f"{written:,} of {len(rows):,} tracks"):
        while written < len(rows):
            batch = rows.iloc[written : written + BATCH]
            updates = [
                UpdateOne(  # skips a track that has been published with a genre since it was read
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


def _as_vectors(tracks: DataFrame, vectors: VectorColumns) -> DataFrame:
    from pyspark.ml.functions import array_to_vector

    arrays = tracks.withColumn("features", as_array(vectors)).where("features IS NOT NULL")
    return arrays.withColumn("features", array_to_vector(arrays["features"]))
