"""Tune, fit and evaluate a genre model on any table of features."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from segue.audio.definition import COLUMNS, FAMILIES
from segue.errors import TrainingError
from segue.genres import baselines, classifiers
from segue.genres.classifiers import Choice
from segue.genres.dataset import PARTS, TEST, TRAIN, VALIDATION, Dataset, prepare_dataset
from segue.genres.evaluation import GenreEvaluation, evaluate
from segue.genres.search import Budget, SearchSpace, search
from segue.genres.studies import complete_trials, open_study
from segue.runs.progress import Say, step
from segue.tracks.sound_vectors import FEATURES, VectorColumns

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial
    from pyspark.ml import PipelineModel
    from pyspark.sql import DataFrame

FMA_FAMILIES = {
    family: [position for position, column in enumerate(COLUMNS) if column[0] == family] for family in FAMILIES
}
"""Positions of each family in the vector of Segue's own features."""


def families_of(vectors: VectorColumns) -> dict[str, list[int]]:
    """Return the positions of each feature family, and of each other vector, in the vectors side by side.

    Raises
    ------
    TrainingError
        If a vector has the name of a feature family.
    """
    found: dict[str, list[int]] = {}
    start = 0
    for column in vectors:
        if column.name in (*FAMILIES, classifiers.OTHERS, *classifiers.FAMILY_SETS, classifiers.TOGETHER):
            raise TrainingError(f"A vector cannot be called {column.name!r}, as features are. Rename its field.")
        own = FMA_FAMILIES if column == FEATURES else {column.name: range(column.size)}
        found |= {name: [start + position for position in positions] for name, positions in own.items()}
        start += column.size
    return found


TIME_COLUMNS = ("partition_date", "year")
"""Columns whose range the report shows, if the tracks have them."""


@dataclass(frozen=True)
class SearchOptions:
    """Options of the search in a training.

    Parameters
    ----------
    storage : str or None
        SQLAlchemy URL of the database of studies. None keeps the study in memory.
    name : str
        Name of the study. A training with an existing name continues that search.
    budget : Budget
    wide : bool
        Try all classifiers, and ignore the choices of earlier trainings.
    seed : int
    parallelism : int, optional
        Number of fits at the same time, see `segue.genres.search.search`.
    """

    storage: str | None
    name: str
    budget: Budget
    wide: bool = False
    seed: int = 0
    parallelism: int | None = None


@dataclass(frozen=True)
class Trained:
    """A fitted model and its evaluation.

    Parameters
    ----------
    data : Dataset
    by_genre : mapping of str to mapping of str to int
        Number of tracks of each genre in each part.
    time_ranges : mapping of str to (str, str)
        First and last value of each of `TIME_COLUMNS` that the tracks have.
    choice : Choice
        The choice that the search found.
    study : Study
        The trials of the search.
    model : PipelineModel
        From ``features`` to ``predicted_genre`` and ``probabilities``.
    evaluation : GenreEvaluation
        Evaluation of `model` on the test part.
    by_vectors : mapping of str to (Choice, GenreEvaluation)
        The best choice for each vector alone and for all together, and its evaluation on the same tracks. Empty if
        there is one vector.
    rivals : mapping of str to GenreEvaluation
        The baselines, and the champion if there is a usable one, on the same tracks.
    search_cpu_s, search_s : float
        CPU time of the search in this process and in a local Spark; wall time of the search.
    """

    data: Dataset
    by_genre: Mapping[str, Mapping[str, int]]
    time_ranges: Mapping[str, tuple[str, str]]
    choice: Choice
    study: Study
    model: PipelineModel
    evaluation: GenreEvaluation
    by_vectors: Mapping[str, tuple[Choice, GenreEvaluation]]
    rivals: Mapping[str, GenreEvaluation]
    search_cpu_s: float
    search_s: float

    @property
    def sizes(self) -> dict[str, int]:
        """Number of tracks in each part."""
        return _sizes(self.by_genre)


def _sizes(by_genre: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    return {part: sum(counts[part] for counts in by_genre.values()) for part in PARTS}


def train(
    tracks: DataFrame,
    options: SearchOptions,
    *,
    families: Mapping[str, Sequence[int]] | None = None,
    past_choices: Sequence[Choice] = (),
    split_by_track: Sequence[str] = (),
    say: Say = print,
) -> Trained:
    """Tune on the validation part, fit on the training and validation parts, and evaluate on the test part.

    Parameters
    ----------
    tracks : DataFrame
        As `segue.genres.dataset.prepare_dataset` takes them.
    options : SearchOptions
    families : mapping of str to sequence of int
        Positions of each feature family; by default those of Segue's own features.
    past_choices : sequence of Choice
        The best choices of earlier trainings; a search that is not wide tries them first.
    split_by_track : sequence of str
        Genres that earlier trainings split by track.
    say : callable
        Called with each line of progress.

    Returns
    -------
    Trained

    Raises
    ------
    NothingToLearnError, TrainingError
        As `segue.genres.dataset.prepare_dataset` raises them.
    """
    from segue.genres import local

    with step("Reading and dividing the tracks", say=say):
        data = prepare_dataset(tracks, families or FMA_FAMILIES, split_by_track=split_by_track)
        by_genre: dict[str, dict[str, int]] = {genre: dict.fromkeys(PARTS, 0) for genre in data.genres}
        for row in data.tracks.groupBy("genre", "part").count().collect():
            by_genre[row.genre][row.part] = row["count"]
    sizes = _sizes(by_genre)
    say(f"{sum(sizes.values()):,} tracks of {len(data.genres)} genres: {sizes}; left out: {dict(data.rejected)}")
    if data.split_by_track:
        say(f"Genres split by track, because they have too few artists: {', '.join(data.split_by_track)}.")

    study = open_study(options.storage, options.name, seed=options.seed)
    began, cpu = time.monotonic(), cpu_seconds()
    fast = dict.fromkeys([*classifiers.FAST, *(choice["classifier"] for choice in past_choices)])
    kinds = classifiers.affordable(
        list(classifiers.DEFAULTS if options.wide else fast), sizes[TRAIN] + sizes[VALIDATION], len(data.genres)
    )
    if "lightgbm" in kinds and (missing := local.missing_library()):
        say(missing)
        kinds.remove("lightgbm")
    best = search(
        data,
        study,
        options.budget,
        SearchSpace(kinds, () if options.wide else past_choices),
        seed=options.seed,
        parallelism=options.parallelism,
        say=say,
    )
    search_s, search_cpu_s = time.monotonic() - began, cpu_seconds() - cpu
    choice: Choice = best.user_attrs["choice"]
    learned = f"{sizes[TRAIN] + sizes[VALIDATION]:,} tracks"
    with step(f"Fitting the best choice on {learned}", say=say):
        model = fit_final_model(data, choice, best.user_attrs["temperature"], seed=options.seed)
        seen = training_artists(data)
        evaluation = evaluate(model, data.part(TEST), data.genres, seen)
    say(f"Macro F1 on {sizes[TEST]:,} test tracks: {evaluation.macro_f1:.3f}.")
    by_vectors = _compare_vectors(data, study, best, evaluation, seen, options.seed, say)
    with step(f"Fitting MLlib's default on {learned} as a baseline", say=say):
        plain = evaluate(
            fit_final_model(data, classifiers.MLLIB_DEFAULT, 1.0, seed=options.seed),
            data.part(TEST),
            data.genres,
            seen,
        )
    with step("Fitting scikit-learn's random forest as a baseline", say=say):
        forest = baselines.forest(data, evaluation, seed=options.seed)
    rivals = {
        "MLlib's default": plain,
        "random forest of scikit-learn": forest,
        "guessing": baselines.guessing(evaluation, seed=options.seed),
        "majority": baselines.majority(data, evaluation),
    }
    return Trained(
        data,
        by_genre,
        time_ranges(data.tracks),
        choice,
        study,
        model,
        evaluation,
        by_vectors,
        rivals,
        search_cpu_s,
        search_s,
    )


def _compare_vectors(
    data: Dataset,
    study: Study,
    best: FrozenTrial,
    evaluation: GenreEvaluation,
    seen: set[str],
    seed: int,
    say: Say,
) -> dict[str, tuple[Choice, GenreEvaluation]]:
    """Evaluate each vector alone, and all together.

    The choice is the best one of the completed trials with these vectors. If there is none, it is the best choice
    of all, applied to these vectors.
    """
    alone = classifiers.vector_sets(data.families)
    compared: dict[str, tuple[Choice, GenreEvaluation]] = {}
    for name in (*alone, classifiers.TOGETHER) if alone else ():
        own = [
            trial
            for trial in (best, *complete_trials(study))
            if classifiers.vectors_of(trial.user_attrs["choice"], data.families) == name
        ]
        trial = own[0] if own else best
        choice: Choice = trial.user_attrs["choice"] if own else {**best.user_attrs["choice"], "families": name}
        if trial is best and own:
            compared[name] = choice, evaluation
            continue
        with step(f"Fitting and evaluating with the vectors: {name}", say=say):
            model = fit_final_model(data, choice, trial.user_attrs["temperature"], seed=seed)
            compared[name] = choice, evaluate(model, data.part(TEST), data.genres, seen)
    return compared


def fit_final_model(data: Dataset, choice: Choice, temperature: float, *, seed: int) -> PipelineModel:
    """Fit a choice on the training and validation parts.

    Parameters
    ----------
    data : Dataset
    choice : Choice
    temperature : float
        See `segue.genres.stages.Temperature`.
    seed : int

    Returns
    -------
    PipelineModel
        From ``features`` to ``probabilities`` and ``predicted_genre``.
    """
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import IndexToString

    from segue.genres.stages import Temperature

    stages = [
        *classifiers.pipeline_stages(choice, data.families, len(data.genres), seed=seed),
        Temperature(inputCol="rawPrediction", outputCol="probabilities", temperature=temperature),
        IndexToString(inputCol="prediction", outputCol="predicted_genre", labels=list(data.genres)),
    ]
    return Pipeline(stages=stages).fit(data.part(TRAIN, VALIDATION))


def time_ranges(tracks: DataFrame) -> dict[str, tuple[str, str]]:
    """Return the first and last value of each of `TIME_COLUMNS` that the tracks have."""
    from pyspark.sql import functions as sf

    present = [name for name in TIME_COLUMNS if name in tracks.columns]
    if not present:
        return {}
    row = tracks.agg(
        *(each(name).alias(f"{each.__name__}_{name}") for name in present for each in (sf.min, sf.max))
    )
    found = row.collect()[0].asDict()
    ranges = {name: (found[f"min_{name}"], found[f"max_{name}"]) for name in present}
    return {name: (str(first), str(last)) for name, (first, last) in ranges.items() if first is not None}


def training_artists(data: Dataset) -> set[str]:
    """Return the artists of the training and validation parts."""
    return {row.artist for row in data.part(TRAIN, VALIDATION).select("artist").distinct().collect() if row.artist}


def cpu_seconds() -> float:
    """Return the CPU time so far of this process, Spark's JVM and their children, in seconds.

    Executors on other machines are not included.
    """
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
