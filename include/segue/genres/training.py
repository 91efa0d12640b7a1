"""Tune, fit and judge a genre model on any table of features."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from segue.audio.definition import COLUMNS, FAMILIES
from segue.genres import baselines, classifiers
from segue.genres.classifiers import Choice
from segue.genres.judging import Judged, judge
from segue.genres.labelled import PARTS, TEST, TRAIN, VALIDATION, Labelled, label
from segue.genres.search import Budget, search
from segue.genres.studies import open_study
from segue.runs.progress import Say, step

if TYPE_CHECKING:
    from optuna import Study
    from pyspark.ml import PipelineModel
    from pyspark.sql import DataFrame

FMA_FAMILIES = {
    family: [position for position, column in enumerate(COLUMNS) if column[0] == family] for family in FAMILIES
}
"""Positions in the vector of each family of Segue's own features."""


SPANS = ("partition_date", "year")
"""Columns whose range says which time the tracks are of, where there are any."""


@dataclass(frozen=True)
class Search:
    """What a training may spend on its search, and where the search is kept.

    Parameters
    ----------
    storage : str or None
        SQLAlchemy URL; None keeps it in memory only.
    name : str
        Of the study: the same name goes on with the same search.
    budget : Budget
    wide : bool
        Try all classifiers, and begin with nothing of the past.
    seed : int
    parallelism : int, optional
        Fits at the same time; see `segue.genres.search.search`.
    """

    storage: str | None
    name: str
    budget: Budget
    wide: bool = False
    seed: int = 0
    parallelism: int | None = None


@dataclass(frozen=True)
class Trained:
    """A fitted challenger and what was measured of it.

    Parameters
    ----------
    data : Labelled
    sizes : mapping of str to int
        Tracks of each part.
    spans : mapping of str to (str, str)
        First and last value of each of `SPANS` that the tracks have.
    choice : Choice
    study : Study
    model : PipelineModel
        From ``features`` to ``predicted_genre`` and ``probabilities``.
    judged : Judged
    rivals : mapping of str to Judged
        The baselines, and the champion where there is a usable one.
    search_cpu_s, search_s : float
        What the search has cost this process, Spark's included where it is on this machine; and how long it took.
    """

    data: Labelled
    sizes: Mapping[str, int]
    spans: Mapping[str, tuple[str, str]]
    choice: Choice
    study: Study
    model: PipelineModel
    judged: Judged
    rivals: Mapping[str, Judged]
    search_cpu_s: float
    search_s: float


def train(
    tracks: DataFrame,
    how: Search,
    *,
    families: Mapping[str, Sequence[int]] | None = None,
    known: Sequence[Choice] = (),
    split_by_track: Sequence[str] = (),
    say: Say = print,
) -> Trained:
    """Tune on the validation part, fit on train and validation part, and judge by the test part.

    Parameters
    ----------
    tracks : DataFrame
        As for `segue.genres.labelled.label`.
    how : Search
    families : mapping of str to sequence of int
        Positions of each family of features; default FMA's.
    known : sequence of Choice
        What was best in the past.
    split_by_track : sequence of str
        Genres that were split by track before.
    say : callable
        Gets a line of progress at a time.

    Raises
    ------
    TrainingError
        If there is too little to learn from.
    """
    with step("Reading the tracks and dividing them", say=say):
        data = label(tracks, families or FMA_FAMILIES, split_by_track=split_by_track)
        counts = {row.part: row["count"] for row in data.tracks.groupBy("part").count().collect()}
    sizes = {part: counts[part] for part in PARTS}
    say(f"{sum(sizes.values()):,} tracks of {len(data.genres)} genres: {sizes}; left out: {dict(data.rejected)}")
    if data.split_by_track:
        say(f"Split by track, as they have too few artists: {', '.join(data.split_by_track)}.")

    study = open_study(how.storage, how.name, seed=how.seed)
    began, cpu = time.monotonic(), cpu_seconds()
    fast = dict.fromkeys([*classifiers.FAST, *(choice["classifier"] for choice in known)])
    kinds = classifiers.affordable(list(classifiers.DEFAULTS if how.wide else fast), len(data.genres))
    best = search(
        data,
        study,
        how.budget,
        kinds=kinds,
        known=() if how.wide else known,
        seed=how.seed,
        parallelism=how.parallelism,
        say=say,
    )
    search_s, search_cpu_s = time.monotonic() - began, cpu_seconds() - cpu
    choice: Choice = best.user_attrs["choice"]
    learned = f"{sizes[TRAIN] + sizes[VALIDATION]:,} tracks"
    with step(f"Fitting the best choice on {learned}", say=say):
        model = finish(data, choice, best.user_attrs["temperature"], seed=how.seed)
        seen = artists(data)
        judged = judge(model, data.part(TEST), data.genres, seen)
    say(f"Macro F1 on {sizes[TEST]:,} test tracks: {judged.macro_f1:.3f}.")
    with step(f"Fitting MLlib's default on {learned}, to compare with", say=say):
        plain = judge(finish(data, classifiers.PLAIN, 1.0, seed=how.seed), data.part(TEST), data.genres, seen)
    with step("Fitting the random forest of scikit-learn, to compare with", say=say):
        forest = baselines.forest(data, judged, seed=how.seed)
    rivals = {
        "MLlib's default": plain,
        "random forest of scikit-learn": forest,
        "guessing": baselines.guessing(judged, seed=how.seed),
        "majority": baselines.majority(data, judged),
    }
    return Trained(data, sizes, spans(data.tracks), choice, study, model, judged, rivals, search_cpu_s, search_s)


def finish(data: Labelled, choice: Choice, temperature: float, *, seed: int) -> PipelineModel:
    """Fit a choice on train and validation part; its last stages make probabilities and name the genre."""
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import IndexToString

    from segue.genres.stages import Temperature

    stages = [
        *classifiers.build(choice, data.families, len(data.genres), seed=seed),
        Temperature(inputCol="rawPrediction", outputCol="probabilities", temperature=temperature),
        IndexToString(inputCol="prediction", outputCol="predicted_genre", labels=list(data.genres)),
    ]
    return Pipeline(stages=stages).fit(data.part(TRAIN, VALIDATION))


def spans(tracks: DataFrame) -> dict[str, tuple[str, str]]:
    """Find the time ranges of the tracks."""
    from pyspark.sql import functions as F  # noqa: N812

    known = [name for name in SPANS if name in tracks.columns]
    if not known:
        return {}
    row = tracks.agg(*(each(name).alias(f"{each.__name__}_{name}") for name in known for each in (F.min, F.max)))
    found = row.collect()[0].asDict()
    ranges = {name: (found[f"min_{name}"], found[f"max_{name}"]) for name in known}
    return {name: (str(first), str(last)) for name, (first, last) in ranges.items() if first is not None}


def artists(data: Labelled) -> set[str]:
    """Name the artists that were learned from."""
    return {row.artist for row in data.part(TRAIN, VALIDATION).select("artist").distinct().collect() if row.artist}


def cpu_seconds() -> float:
    """CPU time so far of this process, Spark's JVM and all their children; executors elsewhere are not seen."""
    from pyspark import SparkContext

    roots = [psutil.Process()]
    context = SparkContext._active_spark_context
    if context is not None and context._jvm is not None:
        roots.append(psutil.Process(context._jvm.java.lang.ProcessHandle.current().pid()))
    total = 0.0
    for process in {each for root in roots for each in [root, *root.children(recursive=True)]}:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total
