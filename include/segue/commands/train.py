"""``segue train``: train a model on the user's own table of features."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from segue.console import PlainConsole
from segue.errors import SegueError
from segue.stack.spark_session import spark_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from segue.genres.table import FeatureTable
    from segue.genres.training import Trained

app = typer.Typer(help="Train a model on your own table of features.", no_args_is_help=True)

Trials = Annotated[int, typer.Option(min=1, help="How many choices of classifier and parameters are tried.")]
Minutes = Annotated[float, typer.Option(min=0, help="After this time no new trial begins.")]
Report = Annotated[Path | None, typer.Option(help="Where to write the report, an HTML file.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the search, of trees and of first weights.")]

METRICS = {
    "accuracy": "Acc.",
    "macro_precision": "Prec.",
    "macro_recall": "Rec.",
    "macro_f1": "F1",
    "top_3_accuracy": "Top 3",
    "log_loss": "Loss",
}


@app.callback()
def group_() -> None:
    """Train a model on your own table of features."""


@app.command()
def genre(  # noqa: PLR0913 - the arguments of a command are its options
    features: Annotated[Path, typer.Option(help="Table, .csv, .tsv or .parquet: a row a track.")],
    label: Annotated[str, typer.Option(help="Column of what is to be learned, such as the genre.")],
    group: Annotated[
        str | None, typer.Option(help="Column of what must not be on both sides of the test, such as the artist.")
    ] = None,
    trials: Trials = 20,
    minutes: Minutes = 30,
    report: Report = None,
    model: Annotated[
        Path | None,
        typer.Option(help="Where to keep the model: a new folder, in Spark's format. Default: it is not kept."),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Tune, fit and judge a genre model on your own features, as the DAG `genre_model` does on the corpus.

    Every column of numbers that has a name is a feature. 60 % of the groups are for training, 20 % decide every
    choice, and 20 % judge.
    """
    from segue.genres import table

    _check_places(report, model)
    read = table.read(features, label, group)
    if group is None:
        typer.echo("Without --group an artist may be on both sides of the test, which flatters.", err=True)
    if read.left_out:
        typer.echo(f"Columns that are no features: {read.left_out_text}.", err=True)
    facts = {"Table": str(features), "Label": label, "Group": group, "No features": read.left_out_text or None}
    with spark_session() as spark:
        trained = train(spark, read, trials=trials, minutes=minutes, seed=seed)
        PlainConsole().print_whole(table_of(trained))
        typer.echo(trained.evaluation.confusion.table())
        if report:
            write_report(trained, report, facts, seed)
        if model:
            keep_model(trained, model, read.names)


def _check_places(report: Path | None, model: Path | None) -> None:
    """Refuse places that cannot be written, before the training and not after it."""
    if model and model.exists():
        raise SegueError(f"{model} exists. Name a folder that does not exist yet.")
    for place in filter(None, (report, model)):
        if not place.resolve().parent.is_dir():
            raise SegueError(f"There is no folder {place.resolve().parent}. Create it first.")


def keep_model(trained: Trained, folder: Path, names: Sequence[str]) -> None:
    """Write the model, and ``features.json`` with what a program needs to use it.

    Parameters
    ----------
    trained : Trained
    folder : Path
        New folder, which ``pyspark.ml.PipelineModel.load`` reads.
    names : sequence of str
        Names of the features, in the order of the model's input column ``features``.
    """
    trained.model.write().save(f"file:{folder.resolve()}")
    facts = {"features": list(names), "genres": list(trained.data.genres), "choice": dict(trained.choice)}
    (folder / "features.json").write_text(json.dumps(facts, indent=2, default=str), encoding="utf-8")
    typer.echo(f"The model is {folder}. Load it with pyspark.ml.PipelineModel.load.")


def train(spark: SparkSession, read: FeatureTable, *, trials: int, minutes: float, seed: int) -> Trained:
    """Train on a table, with progress on standard error."""
    from segue.genres import training
    from segue.genres.search import Budget

    def say(line: str) -> None:
        typer.echo(line, err=True)

    options = training.SearchOptions(None, "table", Budget(trials, minutes), wide=True, seed=seed)
    return training.train(read.to_spark(spark), options, families=read.families, say=say)


def table_of(trained: Trained) -> Table:
    """Format the results of the challenger and its baselines as a table."""
    title = f"{len(trained.evaluation.tracks):,} test tracks of {len(trained.data.genres)} classes"
    shown = Table(title=title, caption="Precision, recall and F1 are macro averages; loss is log loss.")
    shown.add_column("Model", no_wrap=True)
    for heading in METRICS.values():
        shown.add_column(heading, justify="right", no_wrap=True)
    for name, evaluation in {str(trained.choice["classifier"]): trained.evaluation, **trained.rivals}.items():
        figures = evaluation.metrics()
        shown.add_row(name, *(f"{figures[key]:.3f}" for key in METRICS))
    return shown


def write_report(trained: Trained, path: Path, facts: Mapping[str, str | None], seed: int) -> None:
    """Write the same report as the DAG does, and print its path."""
    from segue.genres import importance, report

    found = importance.by_family(trained.model, trained.data, seed=seed)
    verdict = f"Macro F1 {trained.evaluation.metrics()['macro_f1']:.3f} on tracks that the model has not seen."
    path.write_text(report.page(trained, verdict, found, facts), encoding="utf-8")
    typer.echo(f"The report is {path}.")
