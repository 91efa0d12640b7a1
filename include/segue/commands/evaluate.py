"""``segue evaluate``: measure how good the models are, also on the user's own data."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from segue.console import PlainConsole
from segue.stack.spark_session import spark_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from segue.recommender.comparison import Comparison
    from segue.recommender.interactions import Interactions

SEEDS = 3

app = typer.Typer(help="Evaluate a model, on your own data too.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Evaluate a model, on your own data too."""


@app.command()
def recommender(
    interactions: Annotated[
        Path,
        typer.Option(help="Table of plays, .csv, .tsv or .parquet: user,item[,plays][,timestamp]."),
    ],
    min_interactions: Annotated[
        int,
        typer.Option(
            min=1,
            help="Keep listeners with at least K tracks and tracks with at least K listeners (K-core), counted in "
            "what the models learn from.",
        ),
    ] = 1,
    wide: Annotated[
        bool, typer.Option("--wide/--no-wide", help="Show all metrics; the table has 130 columns.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: all metrics, unrounded.")] = False,
) -> None:
    """Rank your own listeners' music and compare with popularity, item cosine, EASE and plain ALS.

    With timestamps, the last tenth of all plays is the test and the fifth before decides every choice. Without, a
    fifth of each listener's tracks is held out at random, and three seeds are averaged.
    """
    from segue.recommender.interactions import read_interactions

    console, progress = PlainConsole(), PlainConsole(stderr=True)
    data = read_interactions(interactions)
    (progress if as_json else console).print(
        f"{interactions.name}: {data.matrix().nnz:,} pairs of {len(data.users):,} listeners "
        f"and {len(data.items):,} tracks, {data.plays.sum():,.0f} plays"
    )
    with progress.status("Starting Spark…") as status, spark_session() as spark:
        outcome = _compare(spark, data, min_interactions, lambda line: status.update(Text(line)))
    if as_json:
        typer.echo(json.dumps(document_of(outcome), indent=2))
        return
    console.print(f"Divided by {outcome.how}. Every track is ranked; no metric is sampled.")
    console.print_whole(table_of(outcome, COLUMNS if wide else NARROW))
    console.print(conclusion_of(outcome))


@app.command()
def fma(
    metadata: Annotated[Path, typer.Option(help="FMA's folder fma_metadata, with features.csv and tracks.csv.")],
    subset: Annotated[str, typer.Option(help="small, medium or large.")] = "medium",
    trials: Annotated[int, typer.Option(min=1, help="Trials of Segue's own search.")] = 20,
    minutes: Annotated[float, typer.Option(min=0, help="After this time no new trial begins.")] = 30,
) -> None:
    """Reproduce FMA's table of genre classifiers from its published features, and set Segue's model beside it.

    FMA's own split: all are fitted on its training part (Segue's on validation too, after the search) and scored
    on its test part.
    """
    from segue.commands import train
    from segue.genres import fma as published

    if subset not in published.SUBSETS:
        raise typer.BadParameter(f"{subset!r} is none of {', '.join(published.SUBSETS)}.", param_hint="--subset")
    table, console = published.read(metadata, subset), PlainConsole()
    progress = PlainConsole(stderr=True)
    with spark_session() as spark:
        segue = train.train(spark, table, trials=trials, minutes=minutes, seed=0)
        own = segue.evaluation.metrics()
    shown = Table("Features", title=f"FMA {subset}: accuracy on the test part, %")
    for name in published.classifiers(0):
        shown.add_column(name, justify="right")
    with progress.status("Fitting scikit-learn's classifiers…"):
        for name, found in published.accuracies(table):
            shown.add_row(name, *(f"{100 * accuracy:.1f}" for accuracy in found.values()))
    console.print_whole(shown)
    console.print(
        f"Segue ({segue.choice}): accuracy {100 * own['accuracy']:.1f} %, macro F1 {own['macro_f1']:.3f}."
    )


@app.command()
def online() -> None:
    """Say how the challenger compares with the champion, by what listeners have played. Nothing is changed."""
    from segue.connections.mongo import database
    from segue.connections.registry import Registry
    from segue.recommender.model import NAME
    from segue.recommender.online import comparison
    from segue.recommender.online.assignment import name_of
    from segue.settings import get_settings

    challenger = Registry(get_settings()).challenger(NAME)
    if challenger is None:
        typer.echo("No challenger is compared. `segue models challenge recommender NUMBER` names one.")
        return
    with database() as documents:
        found = comparison.read(documents, name_of(challenger))
    typer.echo(f"The challenger {challenger}: {found.in_words()}.")


def _compare(
    spark: SparkSession, data: Interactions, min_interactions: int, say: Callable[[str], None]
) -> Comparison:
    from functools import partial

    from segue.recommender import comparison
    from segue.recommender.components import als
    from segue.recommender.evaluation import windows

    if data.timestamp is not None:
        return comparison.compare(partial(als.fit, spark), windows.by_time(data, min_interactions), None, say=say)
    outcomes = []
    for seed in range(SEEDS):
        split = windows.at_random(data.matrix(), seed, min_interactions)
        fit = partial(als.fit, spark, seed=seed)
        outcomes.append(comparison.compare(fit, split, None, say=partial(_say_seed, say, seed)))
    return comparison.average(outcomes)


def _say_seed(say: Callable[[str], None], seed: int, line: str) -> None:
    say(f"Seed {seed + 1} of {SEEDS}: {line}")


COLUMNS = {
    "ndcg@10": "NDCG@10",
    "ndcg@100": "@100",
    "recall@20": "Recall@20",
    "recall@50": "@50",
    "map@100": "MAP@100",
    "precision@10": "Prec@10",
    "coverage@10": "Coverage",
    "novelty@10": "Novelty",
    "popularity_lift@10": "Pop. lift",
}


NARROW = {name: COLUMNS[name] for name in ("ndcg@10", "recall@20", "coverage@10")}
"""Columns that fit a terminal of 80 columns."""


def document_of(outcome: Comparison) -> dict[str, Any]:
    """Return the results of all models and tasks as a JSON document."""
    return {
        "divided_by": outcome.how,
        "rows": [asdict(row) for row in outcome.rows],
        "best_baseline": outcome.rival,
        "gains": {
            name: dict(zip(("ndcg@10", "low", "high"), gain, strict=True)) for name, gain in outcome.gains.items()
        },
        "will_listen": outcome.will_listen,
        "weights": dict(outcome.recipe.weights),
        "als": asdict(outcome.recipe.als),
    }


def table_of(outcome: Comparison, columns: Mapping[str, str]) -> Table:
    """Format the results of all models and tasks as one table.

    Parameters
    ----------
    outcome : Comparison
    columns : mapping of str to str
        Heading of each metric that is shown; `COLUMNS` or `NARROW`.

    Returns
    -------
    Table
    """
    table = Table(pad_edge=False)
    table.add_column("Model", no_wrap=True)
    for name, heading in columns.items():
        table.add_column(heading, justify="right", no_wrap=True)
        if name == "ndcg@10":
            table.add_column("95 % interval", justify="center", no_wrap=True)
    for task in dict.fromkeys(row.task for row in outcome.rows):
        rows = [row for row in outcome.rows if row.task == task]
        table.add_section()
        table.add_row(Text.assemble((task, "bold"), f" ({rows[0].listeners:,} listeners)"))
        highest = max(row.metrics["ndcg@10"] for row in rows)
        for row in rows:
            figures = [f"{row.metrics[name]:.4f}" for name in columns]
            figures.insert(1, f"{row.low:.4f}-{row.high:.4f}")
            style = "bold green" if row.metrics["ndcg@10"] == highest else None
            table.add_row(f"  {row.model}", *figures, style=style)
    return table


def conclusion_of(outcome: Comparison) -> str:
    """Return the conclusion from the table as text."""
    from segue.recommender import comparison

    mean, low, high = outcome.gains[outcome.rival]
    will = outcome.will_listen
    weights = ", ".join(f"{name} {weight:.2f}" for name, weight in outcome.recipe.weights.items() if weight)
    return (
        f"Segue minus {outcome.rival}, the best baseline: {mean:+.4f} NDCG@10 ({low:+.4f} to {high:+.4f}): "
        f"{comparison.in_words((mean, low, high))}.\n"
        f"Learned on the validation window: {weights}; {outcome.recipe.als}.\n"
        f"“Will listen”, over all pairs ({will['positive_share']:.2%} are): accuracy {will['accuracy']:.4f}, "
        f"precision {will['precision']:.4f}, recall {will['recall']:.4f}, F1 {will['f1']:.4f}."
    )
