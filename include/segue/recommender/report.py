"""The report of a full training of the recommender, as an HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from segue.listens.events import SIMULATED_NAMES
from segue.recommender import incumbent
from segue.recommender.comparison import Comparison, Gain, in_words
from segue.recommender.evaluation.metrics import FEW
from segue.recommender.reports import SEGUE
from segue.recommender.search import SIMPLEST
from segue.runs import history
from segue.runs.history import Training
from segue.runs.html import Cell, Picture, Section, Table, render

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from segue.recommender.interactions import Interactions

INCHES = 5.0
STRONG, PALE, LINE = "#00796b", "#aab2bb", "#1f2328"

SPACE = "\N{NO-BREAK SPACE}"
"""Keeps an interval on one line."""

COLUMNS = {
    "ndcg@10": "NDCG@10",
    "recall@20": "Recall@20",
    "map@100": "MAP@100",
    "coverage@10": "Coverage",
    "novelty@10": "Novelty",
    "popularity_lift@10": "Popularity lift",
}
HIGHEST = dict.fromkeys(["NDCG@10", "Recall@20", "MAP@100", "Coverage"], "highest")

TASKS = {
    "new tracks": "Tracks that the listener had not played before the test window. This is the purpose of Segue.",
    "new tracks, listeners with history": "The same, for listeners who had played something before.",
    "new tracks, cold listeners": f"The same, for listeners who had played fewer than {FEW} tracks, but some.",
    "new tracks, listeners without history": "The same, for listeners who had played nothing before. All models "
    "rank for them by popularity.",
    "cold tracks": f"Only tracks that fewer than {FEW} listeners had played. Here the audio of a track must help.",
    "repeats": "Tracks that the listener had played before: which will they play again? Segue mixes in the "
    "listener's own play counts.",
}

MEASURES = (
    "NDCG@10 is 1 if the first ten tracks are all that the listener played next, and 0 if none was played. "
    "The interval is where the mean would lie for 95 % of samples of such listeners. Coverage is the share of "
    "the candidates that are in anybody's first ten. Novelty is in bits. Popularity lift is how much more popular "
    "the list is than what the listener plays."
)

COMPONENTS = {
    "factors": "ALS: tastes that listeners share; the audio of a track with few listeners",
    "ease": "EASE: which tracks predict which others",
    "cosine": "item cosine: which tracks have the same listeners",
    "graph": "GF-CF: which tracks are near in the graph of listeners and tracks",
    "sound": "which tracks sound alike",
    "popularity": "what everybody plays",
}


@dataclass(frozen=True)
class Surroundings:
    """What the report shows beside the training itself.

    Parameters
    ----------
    earlier : sequence of Training
        Earlier full trainings, the oldest first.
    online : str, optional
        What the comparison of a challenger with the champion has come to.
    """

    earlier: Sequence[Training] = ()
    online: str | None = None


TITLE = "Recommender"

USES = (
    "The model ranks the tracks of one corpus for people who listen to it. Its lists are suggestions. Listeners "
    "can hate tracks that they do not want to see again.\n\n"
    "It is not for judging people or artists, or for paying them. It learns what was played, which is not always "
    "what was liked. What is popular is recommended more often: Coverage and Popularity lift say how much.\n\n"
    "The figures hold for listeners like those of the test window. A listener without history gets what is "
    "popular. What a model has learned from simulated listeners says nothing about people."
)


def page(
    outcome: Comparison,
    plays: Interactions,
    *,
    passed: bool,
    champion: str | None,
    around: Surroundings | None = None,
    promoted: bool = True,
) -> str:
    """Write the report of a training as HTML.

    Parameters
    ----------
    outcome : Comparison
    plays : Interactions
        All plays, those of the test window included.
    passed : bool
        Whether the training passed the gate.
    champion : str or None
        The version that served when the training began, such as ``recommender/3``.
    around : Surroundings, optional
    promoted : bool
        Whether a training that has passed becomes the champion. One for a past day does not.
    """
    around = around or Surroundings()
    tasks = [_task(outcome, task) for task in dict.fromkeys(row.task for row in outcome.rows)]
    sections = [
        *tasks,
        _gains(outcome),
        _over_time(outcome, plays, around.earlier, promoted=passed and promoted),
        _blend(outcome),
        _als(outcome),
        _choices(outcome),
        _will_listen(outcome),
        Section("Online evaluation", around.online) if around.online else None,
        Section("Intended use and limits", USES),
    ]
    said = f"{verdict(outcome, passed=passed, champion=champion)}{_simulated_sentence(plays)}"
    return render(TITLE, said, [each for each in sections if each], _facts(outcome, plays))


def verdict(outcome: Comparison, *, passed: bool, champion: str | None) -> str:
    """Return a sentence that says what was decided, and why."""
    if passed and outcome.gains["popularity"][1] > 0:
        decided = "Promoted: it ranks new tracks better than popularity."
    elif passed:
        decided = (
            "Promoted, although no difference from popularity is shown: the gate only stops a model that is worse."
        )
    else:
        kept = f"Kept: {champion} goes on serving" if champion else "Popularity serves for now"
        decided = f"{kept}. The trained model ranks new tracks worse than popularity, beyond what chance explains."
    said = f"{decided} Its NDCG@10 minus popularity's: {_gain(outcome.gains['popularity'])}"
    if outcome.rival != "popularity":
        gain = outcome.gains[outcome.rival]
        said += f"; minus that of {outcome.rival}, the best baseline: {_gain(gain)}: {in_words(gain)}"
        if passed and gain[0] < 0:
            said += (
                f". {outcome.rival} has the higher mean in this test window, but it does not serve: the weights "
                "of the blend are chosen in the validation window before it, and the gate compares with "
                "popularity. A choice by the test window would make its figures flatter"
            )
    return f"{said}.{_recipe_sentence(outcome)}"


def _recipe_sentence(outcome: Comparison) -> str:
    """Say which recipe is in use, if the champion's was fitted again and compared."""
    if incumbent.is_kept(outcome):
        return (
            " The recipe is the champion's, fitted again: the search's choice may be more than "
            f"{incumbent.MARGIN:.0%} worse. NDCG@10 minus that of the search's choice: "
            f"{_gain(outcome.gains[incumbent.CHOSEN])}."
        )
    if incumbent.REFITTED in outcome.gains:
        return (
            " The champion's recipe was fitted again to the same listens, and the search's choice replaces it. "
            f"NDCG@10 minus that of the champion's recipe: {_gain(outcome.gains[incumbent.REFITTED])}."
        )
    return ""


def simulated_share(plays: Interactions) -> float:
    """Return the share of the listens that come from simulated listeners, 0 to 1."""
    simulated = np.char.startswith(plays.users.astype(str), SIMULATED_NAMES)
    total = float(plays.plays.sum())
    return float(plays.plays[simulated[plays.user]].sum()) / total if total else 0.0


def _simulated_sentence(plays: Interactions) -> str:
    share = simulated_share(plays)
    return f" {100 * share:.0f}{SPACE}% of the listens are simulated." if share else ""


def _over_time(
    outcome: Comparison, plays: Interactions, earlier: Sequence[Training], *, promoted: bool
) -> Section | None:
    row = outcome.row("new tracks", SEGUE)
    if row is None:
        return None
    learned = round(float(plays.plays.sum()))
    ndcg, interval = row.metrics["ndcg@10"], (row.low, row.high)
    now = Training("", "this one", datetime.now(UTC), ndcg, interval, promoted, learned)
    return history.section([*earlier, now], "NDCG@10", "listens")


def _gain(gain: Gain) -> str:
    mean, low, high = gain
    return f"{_signed(mean)} (95{SPACE}% interval {_interval(low, high, sign=True)})"


def _interval(low: float, high: float, *, sign: bool = False) -> str:
    first, last = (_signed(bound) if sign else f"{bound:.3f}" for bound in (low, high))
    return f"{first}{SPACE}to{SPACE}{last}"


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _facts(outcome: Comparison, plays: Interactions) -> dict[str, Cell]:
    facts: dict[str, Cell] = {
        "Trained": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "Listens": round(float(plays.plays.sum())),
        "Listens, simulated": f"{100 * simulated_share(plays):.0f}{SPACE}%",
        "Listeners": len(plays.users),
        "Tracks": f"{len(plays.items):,}, {len(np.unique(plays.item)):,} of them played",
    }
    if plays.timestamp is not None:
        first, last = (datetime.fromtimestamp(at, UTC) for at in (plays.timestamp.min(), plays.timestamp.max()))
        facts["Time range"] = f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
    return facts | {"Divided by": outcome.how, "Best baseline": outcome.rival}


def _task(outcome: Comparison, task: str) -> Section:
    rows = sorted(
        (row for row in outcome.rows if row.task == task), key=lambda row: row.metrics["ndcg@10"], reverse=True
    )
    headings = ["Model", *COLUMNS.values()]
    headings.insert(2, "95 % interval")
    cells: list[list[Cell]] = []
    for row in rows:
        figures: list[Cell] = [row.metrics[name] for name in COLUMNS]
        cells.append([row.model, figures[0], _interval(row.low, row.high), *figures[1:]])
    text = f"{TASKS.get(task, '')} {rows[0].listeners:,} listeners; every candidate is ranked, none sampled."
    if task == outcome.rows[0].task:
        text += f"\n\n{MEASURES}"
    said = ", ".join(f"{row.model} {row.metrics['ndcg@10']:.3f} ({_interval(row.low, row.high)})" for row in rows)
    chart = _bars(
        [row.model for row in rows],
        [row.metrics["ndcg@10"] for row in rows],
        "NDCG@10, 95 % interval",
        [(row.low, row.high) for row in rows],
    )
    picture = Picture(chart, f"NDCG@10 of {task} with 95 % intervals: {said}.")
    return Section(task.capitalize(), text, Table(headings, cells, best=HIGHEST), [picture])


def _gains(outcome: Comparison) -> Section:
    gains = sorted(outcome.gains.items(), key=lambda item: item[1][0])
    rows = [
        [name, _signed(mean), _interval(low, high, sign=True), in_words((mean, low, high))]
        for name, (mean, low, high) in gains
    ]
    said = ", ".join(f"{name} {_gain(gain)}" for name, gain in gains)
    chart = _bars(
        [name for name, _ in gains],
        [mean for _, (mean, _, _) in gains],
        "NDCG@10 of Segue minus the baseline's, 95 % interval",
        [(low, high) for _, (_, low, high) in gains],
    )
    text = (
        "Both rank for the same listeners, so the difference is computed for each listener first. That makes this "
        "comparison sharper than the intervals above, which may overlap. The gate looks at the line of popularity."
    )
    if {incumbent.REFITTED, incumbent.CHOSEN} & outcome.gains.keys():
        text += (
            "\n\nThe line of another recipe is no baseline. It says whether the search has found anything better "
            "than the recipe of the champion."
        )
    table = Table(["Segue minus", "NDCG@10", "95 % interval", "Segue is"], rows)
    return Section("Segue and each baseline", text, table, [Picture(chart, f"Segue minus each baseline: {said}.")])


def _blend(outcome: Comparison) -> Section:
    weights = sorted(outcome.recipe.weights.items(), key=lambda item: item[1], reverse=True)
    rows: list[list[Cell]] = [[name, weight, COMPONENTS.get(name, "")] for name, weight in weights]
    said = ", ".join(f"{name} {weight:.2f}" for name, weight in weights)
    chart = _bars([name for name, _ in weights], [weight for _, weight in weights], "Weight in the blend")
    chosen = "These weights ranked the tracks of the validation window best."
    if incumbent.is_kept(outcome):
        chosen = "These weights are those of the champion, which an earlier training has chosen."
    text = f"The score of a track is a weighted sum. {chosen}"
    table = Table(["Component", "Weight", "What it uses"], rows, digits=2)
    return Section("What Segue is blended from", text, table, [Picture(chart, f"Weights of the blend: {said}.")])


def _als(outcome: Comparison) -> Section:
    chosen = outcome.recipe.als
    tried = sorted(outcome.tried.items(), key=lambda item: item[1], reverse=True)
    rows: list[list[Cell]] = [
        [
            als.rank,
            f"{als.regularization:g}",
            f"{als.alpha:g}",
            als.iterations,
            ndcg,
            "yes" if als == chosen else "",
        ]
        for als, ndcg in tried
    ]
    text = (
        f"NDCG@10 of ALS alone on the validation window. The simplest (at most {SIMPLEST.rank} factors, "
        f"{SIMPLEST.iterations} iterations) is chosen unless the best gains more than two standard errors, "
        "because the best of many is often just the luckiest."
    )
    if incumbent.is_kept(outcome):
        text += f"\n\nThe champion's parameters were kept instead: {chosen}."
    headings = ["Factors", "λ", "α", "Iterations", "NDCG@10", "Chosen"]
    return Section("ALS parameters tried", text, Table(headings, rows, best={"NDCG@10": "highest"}))


def _choices(outcome: Comparison) -> Section:
    recipe = outcome.recipe
    rows: list[list[Cell]] = [
        ["EASE: λ", f"{recipe.ease_regularization:.3g}"],
        ["EASE: relations kept of a track", recipe.ease_kept],
        ["Item cosine: exponent of the target track's norm", f"{recipe.cosine_balance:g}"],
        ["GF-CF: singular vectors", recipe.graph_rank or 0],
        ["Popularity: half-life", f"{days:.3g} days" if (days := recipe.popularity_half_life_days) else "none"],
        ["Transitions: weight in a session", f"{recipe.weights.get('transitions', 0):.2f}"],
        ["Audio: worth as much as this many listeners", f"{recipe.sound_prior:g}"],
        ["Repeats: weight of the listener's own play counts", f"{recipe.habit:.2f}"],
        ["“Will listen”: lowest score", f"{recipe.threshold:.3f}"],
    ]
    text = "Also made on the validation window."
    if incumbent.is_kept(outcome):
        text = "They are the champion's, too."
    return Section("Other choices", text, Table(["What was chosen", "Value"], rows))


def _will_listen(outcome: Comparison) -> Section:
    will, share = outcome.will_listen, outcome.will_listen["positive_share"]
    rows: list[list[Cell]] = [
        [name, will[key]]
        for name, key in {"Precision": "precision", "Recall": "recall", "F1": "f1", "Accuracy": "accuracy"}.items()
    ]
    text = (
        "With a threshold, the score is a classifier: will this listener play that track in the test window? "
        f"Of all pairs of a listener and a new track, {100 * share:.2f}{SPACE}% were played. A classifier that "
        f"always says no would have an accuracy of {1 - share:.4f} and find nothing."
    )
    return Section("Will they listen?", text, Table(["Measure", "Value"], rows, digits=4))


def _bars(
    names: Sequence[str],
    values: Sequence[float],
    label: str,
    intervals: Sequence[tuple[float, float]] = (),
) -> Figure:
    """Draw horizontal bars, the first on top, with their intervals. Segue's bar is highlighted."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(INCHES, 0.7 + 0.34 * len(names)))
    axes = figure.subplots()
    colours = [STRONG if name == SEGUE or SEGUE not in names else PALE for name in names]
    axes.barh(names, values, color=colours, height=0.68)
    for i, (low, high) in enumerate(intervals):
        axes.plot([low, high], [i, i], color=LINE, linewidth=1.4, solid_capstyle="butt")
    axes.axvline(0, color=LINE, linewidth=0.8)
    axes.invert_yaxis()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    axes.set_xlabel(label)
    return figure
