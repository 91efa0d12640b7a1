"""``segue models``: list, promote and roll back versions of the models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from segue.console import PlainConsole
from segue.settings import get_settings

if TYPE_CHECKING:
    from segue.connections.registry import Registry

app = typer.Typer(no_args_is_help=True, help="List, promote and roll back versions of the models.")

Name = Annotated[str, typer.Argument(help="Name of the model: genre or recommender.")]

SHOWN = ("test_macro_f1", "Segue/ndcg_at_10", "popularity/ndcg_at_10")


@app.command("list")
def list_() -> None:
    """List all versions, newest first. The champion is the version that is in use."""
    registry = _registry()
    versions = registry.versions()
    if not versions:
        typer.echo("No model has been trained yet. Run the DAGs `genre_model` and `recommender`.")
        return
    champions = {str(registry.champion(name)) for name in {version.name for version in versions}}
    table = Table("version", "", "trained (UTC)", "metrics")
    for version in versions:
        measured = ", ".join(f"{name} {version.metrics[name]:.3f}" for name in SHOWN if name in version.metrics)
        role = "champion" if str(version) in champions else ""
        table.add_row(str(version), role, f"{version.made_at:%Y-%m-%d %H:%M}", measured)
    PlainConsole().print(table)


@app.command()
def promote(name: Name, number: Annotated[int, typer.Argument(help="Number of the version.")]) -> None:
    """Make a version the champion. Running services switch to it within seconds."""
    registry = _registry()
    version = registry.version(name, number)
    registry.promote(version)
    typer.echo(f"{version} is the champion.")


@app.command()
def rollback(name: Name) -> None:
    """Make the previous champion the champion again. Repeat it to go back further."""
    registry = _registry()
    champion = registry.champion(name)
    typer.echo(f"{registry.rollback(name)} is the champion, in place of {champion}.")


def _registry() -> Registry:
    from segue.connections.registry import Registry

    return Registry(get_settings())
