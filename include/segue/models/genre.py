"""The genre model: which genre a track is of, from its audio features.

The split is by a hash of the artist, so that no artist is in two parts (a model would learn the artist's sound
instead of the genre's: the artist filter of Pampalk, Flexer and Widmer 2005), and yesterday's test tracks are
not today's training tracks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from segue.errors import TrainingError
from segue.models.evaluation import Classification, classification

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.ml.base import Estimator
    from pyspark.ml.feature import StandardScaler
    from pyspark.sql import Column, DataFrame

TRAIN, VALIDATION, TEST = "train", "validation", "test"
TRAIN_PERCENT, VALIDATION_PERCENT = 60, 20

MIN_TRACKS = 10
"""A genre with fewer labelled tracks is left out: its parts would be empty or say nothing."""

MIN_ARTISTS = 5
"""A genre with fewer artists is split by track instead: otherwise all of it could fall into one part."""


@dataclass(frozen=True)
class Labelled:
    """Tracks fit to train and judge a genre model.

    Parameters
    ----------
    tracks : DataFrame
        ``track_id``, ``genre``, ``features`` (a vector), ``label`` (index of the genre), ``weight`` (every genre
        weighs the same in all) and ``part`` (train, validation, test); cached.
    genres : sequence of str
        In the order of ``label``.
    split_by_track : sequence of str
        Genres of fewer than five artists: their artists are in more than one part.
    rejected : mapping of str to int
        Tracks left out, by reason.
    """

    tracks: DataFrame
    genres: Sequence[str]
    split_by_track: Sequence[str]
    rejected: Mapping[str, int] = field(default_factory=dict)

    def part(self, *names: str) -> DataFrame:
        """Take the tracks of one or more parts."""
        return self.tracks.where(self.tracks.part.isin(*names))


def label(tracks: DataFrame) -> Labelled:
    """Choose the tracks that can be learned from, and split them.

    Parameters
    ----------
    tracks : DataFrame
        ``track_id``, ``artist``, ``genre``, ``features`` (array of numbers), ``flags`` (a duplicate of another
        track has one that begins with "duplicate").

    Raises
    ------
    TrainingError
        If no track has a genre, or fewer than two genres have enough tracks.
    """
    from pyspark.ml.functions import array_to_vector
    from pyspark.sql import functions as F  # noqa: N812

    finite = F.forall("features", lambda value: ~F.isnan(value) & (F.abs(value) < float("inf")))
    duplicate = F.exists("flags", lambda flag: flag.startswith("duplicate"))
    reason = (
        F.when(F.col("genre").isNull(), "no genre")
        .when(~F.coalesce(finite, F.lit(False)), "not finite")
        .when(duplicate, "duplicate")
    )
    artist = F.lower(F.trim("artist"))
    screened = tracks.withColumns({"rejected": reason, "artist": F.when(artist != "", artist)}).cache()
    rejected = {
        row.rejected: row["count"] for row in screened.groupBy("rejected").count().collect() if row.rejected
    }
    usable = screened.where("rejected is null")
    genres = {
        row.genre: row
        for row in usable.groupBy("genre")
        .agg(F.count("*").alias("tracks"), F.count_distinct("artist").alias("artists"))
        .collect()
    }
    if not genres:
        raise TrainingError(
            "No published track has a genre, so there is nothing to learn. Tag the files, or name genres in the "
            "metadata table, and run the DAG `corpus` again."
        )
    kept = sorted(genre for genre, row in genres.items() if row.tracks >= MIN_TRACKS)
    small = sum(row.tracks for genre, row in genres.items() if genre not in kept)
    if len(kept) < 2:
        counts = ", ".join(f"{genre} {row.tracks}" for genre, row in sorted(genres.items())[:10])
        raise TrainingError(
            f"A genre model needs two genres of at least {MIN_TRACKS} tracks each; there are: {counts}. "
            "Label more tracks and run the DAG `corpus` again."
        )
    if small:
        rejected[f"genre of fewer than {MIN_TRACKS} tracks"] = small
    by_track = [genre for genre in kept if genres[genre].artists < MIN_ARTISTS]
    total = sum(genres[genre].tracks for genre in kept)
    facts = [(g, float(i), total / (len(kept) * genres[g].tracks), g in by_track) for i, g in enumerate(kept)]
    table = tracks.sparkSession.createDataFrame(
        facts, "genre string, label double, weight double, by_track boolean"
    )
    unit = F.when(F.col("by_track"), F.col("track_id")).otherwise(F.coalesce("artist", "track_id"))
    labelled = (
        usable.join(F.broadcast(table), "genre")
        .withColumns({"part": part_of(unit), "features": array_to_vector(F.col("features"))})
        .select("track_id", "genre", "features", "label", "weight", "part")
        .cache()
    )
    return Labelled(labelled, kept, by_track, rejected)


def part_of(unit: Column) -> Column:
    """Assign a part by a hash of the unit's name alone: the same for ever, whatever else is in the corpus."""
    from pyspark.sql import functions as F  # noqa: N812

    percent = F.crc32(F.encode(unit, "UTF-8")) % 100
    return (
        F.when(percent < TRAIN_PERCENT, TRAIN)
        .when(percent < TRAIN_PERCENT + VALIDATION_PERCENT, VALIDATION)
        .otherwise(TEST)
    )


def candidates(seed: int = 0) -> dict[str, Estimator[Any]]:
    """Make the classifiers that the search tries, by a name that tells their hyperparameters."""
    from pyspark.ml.classification import LogisticRegression, RandomForestClassifier

    made: dict[str, Estimator[Any]] = {
        f"logistic regression, regParam={strength}": LogisticRegression(
            featuresCol="scaled",
            labelCol="label",
            weightCol="weight",
            family="multinomial",
            maxIter=50,
            regParam=strength,
        )
        for strength in (0.01, 0.1, 1.0)
    }
    made["random forest, numTrees=50, maxDepth=8"] = RandomForestClassifier(
        featuresCol="scaled", labelCol="label", weightCol="weight", numTrees=50, maxDepth=8, seed=seed
    )
    return made


def tune(data: Labelled, classifiers: Mapping[str, Estimator[Any]]) -> Iterator[tuple[str, float]]:
    """Fit each classifier on the training part.

    Yields
    ------
    (str, float)
        Its name and its macro F1 on the validation part, as soon as it is known.

    Raises
    ------
    TrainingError
        If a part of the split is empty.
    """
    _require_parts(data)
    scaler = _scaler().fit(data.part(TRAIN))
    train, validation = (scaler.transform(data.part(name)).cache() for name in (TRAIN, VALIDATION))
    for name, classifier in classifiers.items():
        predictions = classifier.fit(train).transform(validation)
        yield name, classification(predictions, "label", "prediction").metrics()["macro_f1"]


def fit(data: Labelled, classifier: Estimator[Any]) -> PipelineModel:
    """Fit the chosen classifier on training and validation part.

    Returns
    -------
    PipelineModel
        From ``features`` to ``predicted_genre``: scaler, classifier and the names of the genres.
    """
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import IndexToString

    names = IndexToString(inputCol="prediction", outputCol="predicted_genre", labels=list(data.genres))
    return Pipeline(stages=[_scaler(), classifier, names]).fit(data.part(TRAIN, VALIDATION))


def evaluate(model: PipelineModel, data: Labelled) -> Classification:
    """Judge a model by the test part."""
    return classification(model.transform(data.part(TEST)), "genre", "predicted_genre")


def majority(data: Labelled) -> Classification:
    """Judge, as the baseline, the guess that every test track is of the training part's most frequent genre."""
    from pyspark.sql import functions as F  # noqa: N812

    most = data.part(TRAIN, VALIDATION).groupBy("genre").count().orderBy(F.desc("count"), "genre").first()
    guess = F.lit(most.genre if most else None)
    return classification(data.part(TEST).withColumn("predicted_genre", guess), "genre", "predicted_genre")


def _scaler() -> StandardScaler:
    from pyspark.ml.feature import StandardScaler

    return StandardScaler(withMean=True, withStd=True, inputCol="features", outputCol="scaled")


def _require_parts(data: Labelled) -> None:
    present = {row.part for row in data.tracks.select("part").distinct().collect()}
    missing = [name for name in (TRAIN, VALIDATION, TEST) if name not in present]
    if missing:
        raise TrainingError(
            f"The split by artist leaves no tracks for {' and '.join(missing)}: there are too few artists. "
            "Label more tracks, of more artists, and run the DAG `corpus` again."
        )
