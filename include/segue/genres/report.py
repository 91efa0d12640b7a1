"""The report of a genre training: one HTML page with the decision, the evaluation, the search and the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from segue.genres import mistakes
from segue.genres.classifiers import NAMES, family_sets
from segue.genres.dataset import TEST
from segue.genres.evaluation import BINS, CONFIDENCE, GenreEvaluation
from segue.genres.importance import Drop
from segue.genres.studies import OUT_OF_TIME, ended_trials, failed_trials
from segue.runs import history
from segue.runs.history import Training
from segue.runs.html import Cell, Picture, Section, Table, render

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from segue.genres.training import Trained

TITLE = "Genre model"
CHALLENGER, CHAMPION = "challenger", "champion"
SHOWN_GENRES = 40
"""Largest number of genres for which cells and bars are readable."""

USES = (
    "The model is for tracks that have no genre. Its predictions are stored beside the genre that a corpus "
    "states, and never replace it.\n\n"
    "It is not for judging a single track or artist unheard. It always answers with a genre that it was trained "
    "on, also for music that is none of them.\n\n"
    "It knows only the corpus that it was trained on. It learns genres with few artists badly, whatever the mean "
    "says, so look at each genre and at the slices. A wrong label in the corpus counts as an error of the model."
)

TIMES = {"partition_date": "Entered the corpus", "year": "Released"}
"""Headings of the ranges of `segue.genres.training.TIME_COLUMNS`."""

METRICS = {
    "accuracy": "Accuracy",
    "macro_f1": "Macro F1",
    "weighted_f1": "Weighted F1",
    "top_3_accuracy": "Top 3",
    "log_loss": "Log loss",
    "calibration_error": "Calibration error",
}


@dataclass(frozen=True)
class Surroundings:
    """What a report says besides the training.

    Parameters
    ----------
    links : mapping of str to str
        URLs of the run and of the model, by their text.
    audio : str or None
        Address before the id of a track, under which its audio file can be heard.
    earlier : sequence of Training
        Earlier trainings, the oldest first.
    """

    links: Mapping[str, str] = field(default_factory=dict)
    audio: str | None = None
    earlier: Sequence[Training] = ()


def page(
    trained: Trained,
    verdict: str,
    importance: Mapping[str, Drop],
    facts: Mapping[str, Cell],
    around: Surroundings = Surroundings(),
    *,
    promoted: bool = False,
) -> str:
    """Render the report.

    Parameters
    ----------
    trained : Trained
    verdict : str
        The decision and its reason.
    importance : mapping of str to Drop
        Drop of macro F1 by feature family, see `segue.genres.importance.by_family`.
    facts : mapping of str to str, int or float
        Origin and versions of the data.
    around : Surroundings
    promoted : bool
        Whether the model becomes the champion.

    Returns
    -------
    str
        HTML.
    """
    sizes = {f"Tracks, {part}": size for part, size in trained.sizes.items()}
    times = {TIMES[name]: " to ".join(span) for name, span in trained.time_ranges.items()}
    sections = [
        _comparison(trained),
        _over_time(trained, around.earlier, promoted=promoted),
        _vectors(trained),
        _genres(trained),
        _confusion(trained.evaluation),
        mistakes.section(trained.evaluation, around.audio),
        _search(trained),
        _importance(importance),
        _calibration(trained.evaluation),
        _slices(trained.evaluation),
        _data(trained),
        Section("Intended use and limits", USES),
    ]
    shown = [section for section in sections if section]
    said = " ".join(filter(None, [verdict, _better_baseline(trained, promoted=promoted)]))
    return render(TITLE, said, shown, {**facts, **times, **sizes}, around.links)


def _better_baseline(trained: Trained, *, promoted: bool) -> str | None:
    """Say why a model was promoted although a baseline ranks better. None if there is nothing to explain."""
    reached = {name: rival.macro_f1 for name, rival in trained.rivals.items() if not name.startswith(CHAMPION)}
    best = max(reached, key=lambda name: reached[name])
    if not promoted or reached[best] <= trained.evaluation.macro_f1:
        return None
    return (
        f"A baseline is better on these test tracks: {best}, with macro F1 {reached[best]:.3f}. Baselines are "
        "only measured and never serve. The search chooses by validation and not by the test tracks, so their "
        "score stays honest. The model was promoted because it is better than what it replaces."
    )


def _over_time(trained: Trained, earlier: Sequence[Training], *, promoted: bool) -> Section | None:
    learned = sum(size for part, size in trained.sizes.items() if part != TEST)
    metric, interval = trained.evaluation.macro_f1, trained.evaluation.intervals()["macro_f1"]
    now = Training("", "this one", datetime.now(UTC), metric, interval, promoted, learned)
    return history.section([*earlier, now], "Macro F1", "tracks")


def _comparison(trained: Trained) -> Section:
    models = {CHALLENGER: trained.evaluation, **trained.rivals}
    rows: list[Sequence[Cell]] = []
    low_high = {}
    for name, evaluation in models.items():
        metrics = evaluation.metrics()
        low_high[name] = evaluation.intervals()["macro_f1"]
        interval = "{:.3f} to {:.3f}".format(*low_high[name])
        rows.append([name, *(metrics[key] for key in METRICS), interval])
    figure, axes = _axes(0.4 * len(models) + 0.8)
    middle = [evaluation.confusion.metrics()["macro_f1"] for evaluation in models.values()]
    error = np.abs(np.array([low_high[name] for name in models]).T - middle)
    axes.barh(list(models), middle, xerr=error, color=["C0", *["0.7"] * (len(models) - 1)])
    axes.invert_yaxis()
    axes.set_xlabel("macro F1 on the test tracks, with 95 % interval")
    best = dict.fromkeys(("Accuracy", "Macro F1", "Weighted F1", "Top 3"), "highest") | dict.fromkeys(
        ("Log loss", "Calibration error"), "lowest"
    )
    return Section(
        "Challenger, champion and baselines",
        f"All models are evaluated on the same {len(trained.evaluation.tracks):,} test tracks. None of them was "
        "trained on these tracks. If the champion was trained on some of them, the verdict says so and leaves "
        f"their genres out. Intervals have {CONFIDENCE:.0%} confidence (bootstrap over artists).",
        Table(["Model", *METRICS.values(), "Macro F1, 95 %"], rows, best=best),
        [Picture(figure, f"Macro F1: {', '.join(f'{n} {m:.3f}' for n, m in zip(models, middle, strict=True))}.")],
    )


def _vectors(trained: Trained) -> Section | None:
    if not trained.by_vectors:
        return None
    sizes = family_sets(trained.data.families)
    rows: list[Sequence[Cell]] = []
    for name, (choice, evaluation) in trained.by_vectors.items():
        metrics, interval = evaluation.metrics(), "{:.3f} to {:.3f}".format(*evaluation.intervals()["macro_f1"])
        described = [NAMES[choice["classifier"]], choice["families"]]
        rows.append([name, len(sizes[name]), *described, metrics["accuracy"], metrics["macro_f1"], interval])
    return Section(
        "Vectors",
        "Each vector alone, and all of them together, on the same test tracks. The choice is the best one that "
        "the search completed with these vectors. If it completed none, it is the best choice of all, applied to "
        "them.",
        Table(["Vectors", "Numbers", "Classifier", "Families", "Accuracy", "Macro F1", "Macro F1, 95 %"], rows),
    )


def _genres(trained: Trained) -> Section:
    by_class, weights = trained.evaluation.confusion.by_class(), trained.data.weights
    rows: list[Sequence[Cell]] = []
    for genre, each in by_class.items():
        counts = trained.by_genre.get(genre, {})
        learned = sum(count for part, count in counts.items() if part != TEST)
        figures = [weights.get(genre), each["precision"], each["recall"], each["f1"]]
        rows.append([genre, learned, int(each["support"]), *figures])
    shown = sorted(by_class.items(), key=lambda item: item[1]["f1"], reverse=True)[:SHOWN_GENRES]
    figure, axes = _axes(0.25 * len(shown) + 0.8)
    axes.barh([genre for genre, _ in shown], [each["f1"] for _, each in shown])
    axes.invert_yaxis()
    axes.set_xlabel("F1")
    extremes = [f"{genre} ({each['f1']:.2f})" for genre, each in (shown[0], shown[-1])]
    return Section(
        "By genre",
        "Precision is the share of the tracks predicted as a genre that are of that genre. Recall is the share of "
        "the genre's tracks that were predicted as that genre. Weight is how much each track counts in training; "
        "with these weights, all genres count the same.",
        Table(["Genre", "Training tracks", "Test tracks", "Weight", "Precision", "Recall", "F1"], rows),
        [
            Picture(figure, f"F1 by genre, from {' to '.join(extremes)}."),
        ],
    )


def _confusion(evaluation: GenreEvaluation) -> Section | None:
    labels, confusion = evaluation.confusion.labels, evaluation.confusion.counts
    if len(labels) > SHOWN_GENRES:
        return None
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    figure, axes = _axes(0.3 * len(labels) + 1.2)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=90)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("predicted genre")
    axes.set_ylabel("true genre")
    for (row, column), count in np.ndenumerate(confusion):
        if count:
            color = "white" if shares[row, column] > 0.6 else "black"
            axes.text(column, row, str(count), ha="center", va="center", fontsize=7, color=color)
    wrong = confusion - np.diag(np.diag(confusion))
    row, column = map(int, np.unravel_index(wrong.argmax(), wrong.shape))
    alt = "Confusion matrix: every prediction is correct."
    if wrong[row, column]:
        error = f"{labels[row]} predicted as {labels[column]}, {wrong[row, column]} times"
        alt = f"Confusion matrix. The most frequent error: {error}."
    text = "Number of test tracks by true genre (row) and predicted genre (column)."
    return Section("Confusion", text, figures=[Picture(figure, alt)])


def _search(trained: Trained) -> Section:
    from optuna.importance import get_param_importances

    trials, wrong = ended_trials(trained.study), len(failed_trials(trained.study))
    ended = [trial for trial in trials if trial.state.name == "COMPLETE" or OUT_OF_TIME in trial.user_attrs]
    complete = [trial for trial in ended if trial.value is not None]
    rows: list[Sequence[Cell]] = []
    for trial in sorted(complete, key=lambda trial: trial.value or 0.0, reverse=True)[:10]:
        choice = ", ".join(f"{name} {value}" for name, value in trial.user_attrs["choice"].items())
        seconds = trial.duration.total_seconds() if trial.duration else None
        rows.append([trial.number + 1, choice, trial.value, seconds])
    figure, axes = _axes(2.5)
    values = [trial.value or 0.0 for trial in complete]
    numbers = [trial.number + 1 for trial in complete]
    axes.plot(numbers, values, "o", color="0.6")
    axes.step(numbers, np.maximum.accumulate(values), where="post")
    axes.set_xlabel("trial")
    axes.set_ylabel("macro F1 in validation")
    pictures = [Picture(figure, f"Best macro F1 in validation after each trial; {max(values):.3f} at the end.")]
    if len(complete) >= 4 and len(set(values)) > 1:
        weights = get_param_importances(trained.study, params=["classifier", "families", "scaling"])
        figure, axes = _axes(1.5)
        axes.barh(list(weights), list(weights.values()))
        axes.set_xlabel("share of the variance of macro F1 (fANOVA)")
        listed = ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items())
        pictures.append(Picture(figure, f"Importance of the parameters: {listed}."))
    return Section(
        "Search",
        f"{len(trials)} trials, of which {len(trials) - len(complete)} were pruned"
        f"{f', and {wrong} failed trials' if wrong else ''} took "
        f"{trained.search_s:,.0f} s and {trained.search_cpu_s:,.0f} s of CPU time. The ten best:",
        Table(["Trial", "Choice", "Macro F1 in validation", "Seconds"], rows),
        pictures,
    )


def _importance(importance: Mapping[str, Drop]) -> Section | None:
    if not importance:
        return None
    ranked = sorted(importance.items(), key=lambda item: item[1].mean, reverse=True)
    figure, axes = _axes(0.25 * len(ranked) + 0.8)
    error = [[drop.mean - drop.low for _, drop in ranked], [drop.high - drop.mean for _, drop in ranked]]
    axes.barh([name for name, _ in ranked], [drop.mean for _, drop in ranked], xerr=np.maximum(error, 0))
    axes.invert_yaxis()
    axes.set_xlabel("drop of macro F1, with 95 % interval")
    return Section(
        "Importance of the feature families",
        "How much macro F1 on the test tracks drops when the values of a family are shuffled among the tracks "
        "(permutation importance). The drop is small if another family holds the same information. Intervals have "
        "95 % confidence (bootstrap over the tracks).",
        None,
        [Picture(figure, f"Drop of macro F1: {', '.join(f'{name} {drop.mean:.3f}' for name, drop in ranked)}.")],
    )


def _calibration(evaluation: GenreEvaluation) -> Section:
    counts, confidence, accuracy = evaluation.reliability()
    filled = counts > 0
    figure, axes = _axes(2.8)
    axes.plot([0, 1], [0, 1], ":", color="0.6")
    axes.plot(confidence[filled], accuracy[filled], "o-")
    axes.set_xlabel("mean highest probability")
    axes.set_ylabel("accuracy")
    error = evaluation.metrics()["calibration_error"]
    return Section(
        "Calibration",
        f"Test tracks in {BINS} bins of their highest probability. On the dotted line, the accuracy equals the "
        f"probability. The mean distance from the line is {error:.3f}.",
        None,
        [Picture(figure, f"Reliability diagram; the expected calibration error is {error:.3f}.")],
    )


def _slices(evaluation: GenreEvaluation) -> Section | None:
    rows: list[Sequence[Cell]] = [
        [name.replace("_", " "), value, int(each["tracks"]), each["accuracy"], each["macro_f1"]]
        for name, values in evaluation.by_slice().items()
        for value, each in values.items()
    ]
    if not rows:
        return None
    return Section(
        "Slices",
        "Metrics by language, by decade, and by whether the model was trained on the artist.",
        Table(["By", "Value", "Test tracks", "Accuracy", "Macro F1"], rows),
    )


def _data(trained: Trained) -> Section:
    rows: list[Sequence[Cell]] = [[reason, count] for reason, count in trained.data.rejected.items()]
    families = ", ".join(f"{name} ({len(at)})" for name, at in family_sets(trained.data.families).items())
    by_track = ", ".join(trained.data.split_by_track) or "none"
    return Section(
        "Data",
        f"The tracks are split by artist. Genres with too few artists are split by track: {by_track}.\n\n"
        f"The search chose from these selections of feature families (number of features): {families}.\n\n"
        "Tracks left out:",
        Table(["Reason", "Tracks"], rows or [["none", 0]]),
    )


def _axes(height: float) -> tuple[Figure, Axes]:
    """Create axes in a new figure, five inches wide and `height` inches high."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, height))
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
