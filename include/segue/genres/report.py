"""The report of a genre training: one page that says what was decided, how good it is, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from segue.genres.classifiers import family_sets
from segue.genres.judging import BINS, LEVEL, Judged
from segue.genres.studies import LATE, done, failed
from segue.runs.html import Cell, Picture, Section, Table, render

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from segue.genres.training import Trained

CHALLENGER = "challenger"
SHOWN_GENRES = 40
"""Genres whose cells and bars can still be read."""

TIMES = {"partition_date": "Entered the corpus", "year": "Released"}
"""What the ranges of `segue.genres.training.SPANS` are called."""

METRICS = {
    "accuracy": "Accuracy",
    "macro_f1": "Macro F1",
    "weighted_f1": "Weighted F1",
    "top_3_accuracy": "Top 3",
    "log_loss": "Log loss",
    "calibration_error": "Calibration error",
}


def page(
    trained: Trained,
    verdict: str,
    importance: Mapping[str, float],
    facts: Mapping[str, Cell],
    *,
    title: str = "Genre model",
    links: Mapping[str, str] | None = None,
) -> str:
    """Lay out the report.

    Parameters
    ----------
    trained : Trained
    verdict : str
        What was decided, and why.
    importance : mapping of str to float
        Loss of macro F1 when a family of features is shuffled among the tracks.
    facts : mapping of str to str, int or float
        Where the data come from and what the versions are.
    title : str
    links : mapping of str to str, optional
        Addresses of the run and of the model.
    """
    sizes = {f"Tracks, {part}": size for part, size in trained.sizes.items()}
    times = {TIMES[name]: " to ".join(span) for name, span in trained.spans.items()}
    sections = [
        _comparison(trained),
        _genres(trained.judged, trained.data.weights),
        _confusion(trained.judged),
        _search(trained),
        _importance(importance),
        _calibration(trained.judged),
        _slices(trained.judged),
        _data(trained),
    ]
    shown = [section for section in sections if section]
    return render(title, verdict, shown, {**facts, **times, **sizes}, links)


def _comparison(trained: Trained) -> Section:
    models = {CHALLENGER: trained.judged, **trained.rivals}
    rows: list[Sequence[Cell]] = []
    low_high = {}
    for name, judged in models.items():
        metrics = judged.metrics()
        low_high[name] = judged.intervals()["macro_f1"]
        interval = "{:.3f} to {:.3f}".format(*low_high[name])
        rows.append([name, *(metrics[key] for key in METRICS), interval])
    figure, axes = _axes(0.4 * len(models) + 0.8)
    middle = [judged.classification.metrics()["macro_f1"] for judged in models.values()]
    error = np.abs(np.array([low_high[name] for name in models]).T - middle)
    axes.barh(list(models), middle, xerr=error, color=["C0", *["0.7"] * (len(models) - 1)])
    axes.invert_yaxis()
    axes.set_xlabel("macro F1 on the test tracks, with 95 % interval")
    best = dict.fromkeys(("Accuracy", "Macro F1", "Weighted F1", "Top 3"), "highest") | dict.fromkeys(
        ("Log loss", "Calibration error"), "lowest"
    )
    return Section(
        "Challenger, champion and baselines",
        f"All judged by the same {len(trained.judged.tracks):,} test tracks, which none has learned from; where "
        "that is not so of the champion, the verdict says so, and rests on the others. Intervals: "
        f"{LEVEL:.0%}, bootstrap over artists.",
        Table(["Model", *METRICS.values(), "Macro F1, 95 %"], rows, best=best),
        [Picture(figure, f"Macro F1: {', '.join(f'{n} {m:.3f}' for n, m in zip(models, middle, strict=True))}.")],
    )


def _genres(judged: Judged, weights: Mapping[str, float]) -> Section:
    by_class = judged.classification.by_class()
    rows: list[Sequence[Cell]] = [
        [genre, int(each["support"]), weights.get(genre), each["precision"], each["recall"], each["f1"]]
        for genre, each in by_class.items()
    ]
    shown = sorted(by_class.items(), key=lambda item: item[1]["f1"], reverse=True)[:SHOWN_GENRES]
    figure, axes = _axes(0.25 * len(shown) + 0.8)
    axes.barh([genre for genre, _ in shown], [each["f1"] for _, each in shown])
    axes.invert_yaxis()
    axes.set_xlabel("F1")
    told = [f"{genre} ({each['f1']:.2f})" for genre, each in (shown[0], shown[-1])]
    return Section(
        "By genre",
        "Precision: the share of what was called so that is. Recall: the share of what is so that was called so. "
        "Weight: what each track of the genre counts for when a model learns, so that all genres count the same.",
        Table(["Genre", "Test tracks", "Weight", "Precision", "Recall", "F1"], rows),
        [
            Picture(figure, f"F1 by genre, from {' to '.join(told)}."),
        ],
    )


def _confusion(judged: Judged) -> Section | None:
    labels, confusion = judged.classification.labels, judged.classification.confusion
    if len(labels) > SHOWN_GENRES:
        return None
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    figure, axes = _axes(0.3 * len(labels) + 1.2)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=90)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("called")
    axes.set_ylabel("is")
    for (row, column), count in np.ndenumerate(confusion):
        if count:
            color = "white" if shares[row, column] > 0.6 else "black"
            axes.text(column, row, str(count), ha="center", va="center", fontsize=7, color=color)
    wrong = confusion - np.diag(np.diag(confusion))
    row, column = map(int, np.unravel_index(wrong.argmax(), wrong.shape))
    alt = "Confusion matrix: no test track was called wrongly."
    if wrong[row, column]:
        alt = f"Confusion matrix. {labels[row]} was called {labels[column]} {wrong[row, column]} times."
    text = "Test tracks by what they are (row) and what they were called."
    return Section("Confusion", text, figures=[Picture(figure, alt)])


def _search(trained: Trained) -> Section:
    from optuna.importance import get_param_importances

    trials, wrong = done(trained.study), len(failed(trained.study))
    ended = [trial for trial in trials if trial.state.name == "COMPLETE" or LATE in trial.user_attrs]
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
    axes.set_ylabel("macro F1, validation")
    pictures = [
        Picture(figure, f"Best macro F1 on the validation part after each trial; {max(values):.3f} at last.")
    ]
    if len(complete) >= 4 and len(set(values)) > 1:
        weights = get_param_importances(trained.study, params=["classifier", "families", "scaling"])
        figure, axes = _axes(1.5)
        axes.barh(list(weights), list(weights.values()))
        axes.set_xlabel("share of the variance of macro F1 (fANOVA)")
        told = ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items())
        pictures.append(Picture(figure, f"Importance of the choices: {told}."))
    return Section(
        "Search",
        f"{len(trials)} trials, {len(trials) - len(complete)} of them given up early"
        f"{f', and {wrong} that failed' if wrong else ''}, took "
        f"{trained.search_s:,.0f} s and {trained.search_cpu_s:,.0f} s of CPU. The ten best:",
        Table(["Trial", "Choice", "Macro F1, validation", "Seconds"], rows),
        pictures,
    )


def _importance(importance: Mapping[str, float]) -> Section | None:
    if not importance:
        return None
    ranked = sorted(importance.items(), key=lambda item: item[1], reverse=True)
    figure, axes = _axes(0.25 * len(ranked) + 0.8)
    axes.barh([name for name, _ in ranked], [loss for _, loss in ranked])
    axes.invert_yaxis()
    axes.set_xlabel("macro F1 lost")
    return Section(
        "Importance of the families of features",
        "What macro F1 on the test tracks loses when the values of a family are shuffled among the tracks "
        "(permutation importance). A family that another one can stand in for loses little.",
        None,
        [Picture(figure, f"Macro F1 lost: {', '.join(f'{name} {loss:.3f}' for name, loss in ranked)}.")],
    )


def _calibration(judged: Judged) -> Section:
    counts, confidence, accuracy = judged.reliability()
    there = counts > 0
    figure, axes = _axes(2.8)
    axes.plot([0, 1], [0, 1], ":", color="0.6")
    axes.plot(confidence[there], accuracy[there], "o-")
    axes.set_xlabel("probability that the model states")
    axes.set_ylabel("share that is right")
    error = judged.metrics()["calibration_error"]
    return Section(
        "Calibration",
        f"Test tracks in {BINS} bins of the highest probability. On the dotted line a probability means "
        f"what it says; the mean distance from it is {error:.3f}.",
        None,
        [Picture(figure, f"Reliability diagram; the expected calibration error is {error:.3f}.")],
    )


def _slices(judged: Judged) -> Section | None:
    rows: list[Sequence[Cell]] = [
        [name.replace("_", " "), value, int(each["tracks"]), each["accuracy"], each["macro_f1"]]
        for name, values in judged.by_slice().items()
        for value, each in values.items()
    ]
    if not rows:
        return None
    return Section(
        "Slices",
        "The same by language, decade, and whether the model has learned from the artist.",
        Table(["By", "Value", "Test tracks", "Accuracy", "Macro F1"], rows),
    )


def _data(trained: Trained) -> Section:
    rows: list[Sequence[Cell]] = [[reason, count] for reason, count in trained.data.rejected.items()]
    families = ", ".join(f"{name} ({len(at)})" for name, at in family_sets(trained.data.families).items())
    by_track = ", ".join(trained.data.split_by_track) or "none"
    return Section(
        "Data",
        f"Split by artist; genres with too few artists, split by track: {by_track}.\n\n"
        f"Selections of features that the search chose from: {families}.\n\nTracks left out:",
        Table(["Reason", "Tracks"], rows or [["none", 0]]),
    )


def _axes(height: float) -> tuple[Figure, Axes]:
    """Make axes on a figure of their own, five inches wide."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, height))
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
