"""Train a challenger and promote it if it beats the champion on the same test tracks."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version as package_version
from typing import TYPE_CHECKING

import numpy as np

from segue.audio.definition import FEATURE_VERSION
from segue.connections import loading_back
from segue.errors import ModelError, TrainingError
from segue.genres import report
from segue.genres.classifiers import Choice
from segue.genres.dataset import TEST, Dataset
from segue.genres.evaluation import CONFIDENCE, Difference, GenreEvaluation, compare, evaluate
from segue.genres.importance import by_family
from segue.genres.report import Surroundings
from segue.genres.reports import TrainedModel
from segue.genres.studies import ended_trials
from segue.genres.training import SearchOptions, Trained, families_of, train, training_artists
from segue.runs.conclusion import Outcome
from segue.runs.html import retitled
from segue.runs.progress import Say, step
from segue.settings import PROJECT_DIR
from segue.tracks.sound_vectors import FEATURES, VectorColumn, VectorColumns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from segue.connections.model_version import Version
    from segue.connections.registry import Registry

MODEL_NAME = "genre"

OUTCOME = "outcome"
"""Tag of a version: whether it was promoted. It is set after the promotion, so a killed run sets no such tag."""

LOOK = "look"
"""Tag of a version: 1 if it was the first challenger of its champion, 2 if the second, and so on."""

VECTORS = "vectors"
"""Tag of a version: the vectors that it was trained on. A version without it was trained on the features."""

MAX_PAST_CHOICES = 3
"""Number of choices of earlier versions that a search tries first."""


@dataclass(frozen=True)
class ReleaseDecision:
    """Whether the challenger was promoted, and why.

    Parameters
    ----------
    outcome : Outcome
        ``promoted`` or ``kept``.
    reason : str
    model : str
        The champion after the decision, such as ``genre/3``.
    challenger : str
        The version that was trained.
    rival : str
        The model that the challenger had to beat: the champion, or guessing if there is no usable champion.
    difference : Difference
        Challenger minus rival.
    page : str
        The report, in HTML.
    """

    outcome: Outcome
    reason: str
    model: str
    challenger: str
    rival: str
    difference: Difference
    page: str


def release(
    tracks: DataFrame,
    registry: Registry,
    options: SearchOptions,
    *,
    data_versions: Mapping[str, str] | None = None,
    around: Surroundings = Surroundings(),  # noqa: B008 - it never changes
    vectors: VectorColumns = (FEATURES,),
    say: Say = print,
) -> tuple[Trained, ReleaseDecision]:
    """Train a challenger, register it, and promote it if it is significantly better than the champion.

    If there is no usable champion, the challenger has to be better than guessing.

    Parameters
    ----------
    tracks : DataFrame
        As `train` takes them.
    registry : Registry
    options : SearchOptions
    data_versions : mapping of str to str, optional
        Versions of the data; they are stored as tags of the model.
    around : Surroundings
        What the report says besides the training.
    vectors : tuple of VectorColumn
        What ``features`` is made of.
    say : callable
        Called with each line of progress.

    Returns
    -------
    Trained
    ReleaseDecision

    Raises
    ------
    TrainingError
        As `train`; also if the challenger is not better than guessing and there is no champion.
    ModelError
        If the challenger is better, but cannot be loaded back from the registry. The champion then stays.
    """
    versions = [version for version in registry.versions() if version.name == MODEL_NAME]
    champion = registry.champion(MODEL_NAME)
    by_track = sorted({genre for version in versions for genre in split_by_track(version)})
    past_choices = _past_choices(versions, champion)
    trained = train(
        tracks,
        options,
        families=families_of(vectors),
        past_choices=past_choices,
        split_by_track=by_track,
        say=say,
    )
    rival_name, rival, resplit = "guessing", trained.rivals["guessing"], set[str]()
    if champion and (champion_evaluation := _evaluate_champion(champion, trained, vectors, say)):
        rival_name, rival, resplit = (
            f"{report.CHAMPION} {champion}",
            champion_evaluation,
            resplit_genres(champion, trained.data),
        )
        trained = replace(trained, rivals={rival_name: rival, **trained.rivals})
    look = _look(versions, champion)
    error = (1 - CONFIDENCE) / (1 if rival_name == "guessing" else look * (look + 1))
    difference, reason = compare_with_rival(trained.evaluation, rival, rival_name, resplit, options.seed, error)
    if not difference.better and champion is None:
        raise TrainingError(
            f"The genre model is no better than guessing ({reason}), and there is no champion to keep."
        )
    outcome: Outcome = "promoted" if difference.better else "kept"
    origin = {"feature_version": FEATURE_VERSION, "code_version": code_version(), **(data_versions or {})}
    if vectors != (FEATURES,):
        origin[VECTORS] = json.dumps(vectors)
    verdict = f"{outcome.capitalize()}: {reason}." if difference.better else f"{champion} is kept: {reason}."
    with step("Measuring the importance of the feature families", say=say):
        importance = by_family(trained.model, trained.data, seed=options.seed)
    with step("Writing the report", say=say):
        facts = {"Run": options.name, **origin}
        page = report.page(trained, verdict, importance, facts, around, promoted=difference.better)
        differences = {
            name: difference if name == rival_name else compare(trained.evaluation, each, options.seed)
            for name, each in trained.rivals.items()
        }
    with step("Registering the model", say=say):
        registry.prune(MODEL_NAME)  # each night adds a version with its report
        version = _register(registry, trained, options, origin, page, differences)
    page = retitled(page, report.TITLE, f"{report.TITLE} {version}")
    if difference.better:
        with step("Loading the model back", say=say):
            loading_back.require(version, tracks.sparkSession)
        registry.promote(version)
    registry.tag(version, LOOK, str(look))
    registry.tag(version, OUTCOME, outcome)
    serving = str(version if difference.better else champion)
    return trained, ReleaseDecision(outcome, reason, serving, str(version), rival_name, difference, page)


def _look(versions: Sequence[Version], champion: Version | None) -> int:
    """Count the challengers of this champion, with the present one.

    The test part stays the same from night to night. Of many challengers that are no better, one would pass sooner
    or later by chance. So the probability of such an error, 5 %, is divided among the challengers of a champion:
    the j-th gets 5 % / (j · (j + 1)).
    """
    refused = [each for each in versions if champion and each.number > champion.number and OUTCOME in each.tags]
    return 1 + max((int(each.tags.get(LOOK, "1")) for each in refused), default=0)


def compare_with_rival(
    challenger: GenreEvaluation,
    rival: GenreEvaluation,
    rival_name: str,
    resplit: Collection[str],
    seed: int,
    error: float = 1 - CONFIDENCE,
) -> tuple[Difference, str]:
    """Compare a challenger with its rival on test tracks that neither was trained on.

    Parameters
    ----------
    challenger, rival : GenreEvaluation
        Evaluations on the same tracks.
    rival_name : str
    resplit : collection of str
        Genres whose test tracks the rival may have been trained on, see `resplit_genres`. These genres are left
        out.
    seed : int
        Seed of the bootstrap.
    error : float
        Probability that a challenger which is no better passes.

    Returns
    -------
    Difference
        Challenger minus rival.
    str
        The result as a sentence without a full stop.
    """
    challenger, rival = challenger.without(resplit), rival.without(resplit)
    difference = compare(challenger, rival, seed, error=error)
    left_out = (
        f" (without {', '.join(sorted(resplit))}, which were divided differently when it was trained)"
        if resplit
        else ""
    )
    return difference, (
        f"macro F1 {challenger.macro_f1:.3f} against {rival.macro_f1:.3f} of {rival_name} on {len(rival.tracks)} "
        f"test tracks{left_out}: {'better' if difference.better else 'not better'} beyond chance "
        f"(at {100 * (1 - difference.error):.3g} % confidence the difference is above {difference.low:+.3f}; "
        f"McNemar p = {difference.mcnemar:.2g})"
    )


def resplit_genres(champion: Version, data: Dataset) -> set[str]:
    """Return the genres that are divided differently than when the champion was trained.

    A genre is returned if it was split by artist then and is split by track now, or the reverse. The champion may
    have been trained on test tracks of such a genre. Genres that the champion does not know are not returned,
    because it was trained on none of their tracks.
    """
    known = set(json.loads(champion.tags.get("genres", "[]"))) & set(data.genres)
    return known & (set(split_by_track(champion)) ^ set(data.split_by_track))


def reason_not_to_refit(registry: Registry, data_versions: Mapping[str, str]) -> str | None:
    """Return why fitting the champion's choice again would be pointless, or None if it is useful.

    It is useful in two cases: the latest version was trained on other tracks, or its run was killed before it
    promoted or refused the version.

    Parameters
    ----------
    registry : Registry
    data_versions : mapping of str to str
        The tracks that were read, as `segue.tracks.reading.snapshot` describes them.
    """
    if registry.champion(MODEL_NAME) is None:
        return "there is no genre model yet; the nightly training makes the first"
    latest = next(version for version in registry.versions() if version.name == MODEL_NAME)
    if OUTCOME in latest.tags and data_versions.items() <= latest.tags.items():
        return f"{latest} was trained on the same tracks and genres"
    return None


def figures(trained: Trained, decision: ReleaseDecision) -> TrainedModel:
    """Return what the report of the run says about a challenger."""
    return TrainedModel(
        challenger=decision.challenger,
        chosen=dict(trained.choice),
        trials=len(ended_trials(trained.study)),
        search_s=trained.search_s,
        search_cpu_s=trained.search_cpu_s,
        test=trained.evaluation.metrics(),
        macro_f1_interval=trained.evaluation.intervals()["macro_f1"],
        rivals={name: rival.metrics()["macro_f1"] for name, rival in trained.rivals.items()},
        by_vectors={name: each.metrics()["macro_f1"] for name, (_, each) in trained.by_vectors.items()},
        tracks=dict(trained.sizes),
        rejected=dict(trained.data.rejected),
        split_by_track=tuple(trained.data.split_by_track),
    )


def vectors_of(version: Version) -> VectorColumns:
    """Return the vectors that a version was trained on."""
    stated = json.loads(version.tags.get(VECTORS, "null"))
    return tuple(VectorColumn(*each) for each in stated) if stated else (FEATURES,)


def _positions(wanted: VectorColumns, there: VectorColumns) -> list[int]:
    """Return where some vectors are within others, all side by side."""
    starts = dict(zip(there, np.cumsum([0, *(column.size for column in there)]).tolist(), strict=False))
    return [starts[column] + position for column in wanted for position in range(column.size)]


def _evaluate_champion(
    champion: Version, trained: Trained, vectors: VectorColumns, say: Say
) -> GenreEvaluation | None:
    """Evaluate the champion on the same test tracks. If that is impossible, say why and return None."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    if champion.tags.get("feature_version", FEATURE_VERSION) != FEATURE_VERSION:
        say(f"{champion} is not compared: it was trained on features of another version.")
        return None
    if "choice" not in champion.tags:
        say(f"{champion} is not compared: it is of an older format without probabilities.")
        return None
    known = vectors_of(champion)
    if not set(known) <= set(vectors):
        say(f"{champion} is not compared: it was trained on vectors that the settings do not name now.")
        return None
    if len(set(trained.data.genres) - resplit_genres(champion, trained.data)) < 2:
        say(f"{champion} is not compared: the genres were divided differently when it was trained.")
        return None
    try:
        with step(f"Evaluating {champion} on the same test tracks", say=say):
            test, genres = trained.data.part(TEST), trained.data.genres
            if known != vectors:
                test = _sliced(test, _positions(known, vectors))
            return evaluate(champion.load(), test, genres, training_artists(trained.data))
    except (ModelError, PySparkException, Py4JError) as error:
        reason = str(error).partition("\n")[0]
        say(f"{champion} is not compared, because it cannot be used. {reason}")
        return None


def _sliced(tracks: DataFrame, positions: list[int]) -> DataFrame:
    """Keep these positions of ``features``."""
    from pyspark.ml.feature import VectorSlicer

    slicer = VectorSlicer(inputCol="features", outputCol="kept", indices=positions)
    return slicer.transform(tracks).drop("features").withColumnRenamed("kept", "features")


def split_by_track(version: Version) -> list[str]:
    """Return the genres whose tracks were divided without regard to their artists."""
    found: list[str] = json.loads(version.tags.get("split_by_track", "[]"))
    return found


def _past_choices(versions: Sequence[Version], champion: Version | None) -> list[Choice]:
    """Return the distinct choices of the champion and of the latest versions. The champion's comes first."""
    champion_first = sorted(versions, key=lambda version: champion is None or version.number != champion.number)
    choices = [json.loads(each.tags["choice"]) for each in champion_first if "choice" in each.tags]
    return [choice for i, choice in enumerate(choices) if choice not in choices[:i]][:MAX_PAST_CHOICES]


def _register(
    registry: Registry,
    trained: Trained,
    options: SearchOptions,
    origin: Mapping[str, str],
    page: str,
    differences: Mapping[str, Difference],
) -> Version:
    evaluation = trained.evaluation
    return registry.register(
        MODEL_NAME,
        trained.model,
        parameters={**trained.choice, "seed": options.seed, "trials": len(ended_trials(trained.study))},
        metrics={f"test_{name}": value for name, value in evaluation.metrics().items()},
        tags={
            "choice": json.dumps(dict(trained.choice)),
            "genres": json.dumps(list(trained.data.genres)),
            "tracks": str(sum(trained.sizes.values())),
            "split_by_track": json.dumps(list(trained.data.split_by_track)),
            **origin,
        },
        report={
            "test": evaluation.metrics(),
            "intervals": evaluation.intervals(options.seed),
            "by_genre": evaluation.confusion.by_class(),
            "confusion": evaluation.confusion.counts.tolist(),
            "by_slice": evaluation.by_slice(),
            "rivals": {name: rival.metrics() for name, rival in trained.rivals.items()},
            "by_vectors": {name: each.metrics() for name, (_, each) in trained.by_vectors.items()},
            "against": {name: asdict(difference) for name, difference in differences.items()},
            "tracks": dict(trained.sizes),
            "class_weights": dict(trained.data.weights),
            "rejected": dict(trained.data.rejected),
        },
        texts={"report.html": page},
    )


def code_version() -> str:
    """Return the version of this package, with the commit if it runs from a git clone."""
    number = package_version("segue")
    git = ["git", "-C", str(PROJECT_DIR), "rev-parse", "--short", "HEAD"]
    found = subprocess.run(git, capture_output=True, text=True, check=False)
    return f"{number}+{found.stdout.strip()}" if found.returncode == 0 else number
