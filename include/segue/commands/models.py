"""``segue models``: list, promote, roll back and compare versions of the models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from segue.console import PlainConsole
from segue.settings import get_settings

if TYPE_CHECKING:
    from segue.connections.model_version import Version
    from segue.connections.registry import Registry

app = typer.Typer(no_args_is_help=True, help="List, promote, roll back and compare versions of the models.")

Name = Annotated[str, typer.Argument(help="Name of the model: genre or recommender.")]

SHOWN = ("test_macro_f1", "Segue/ndcg_at_10", "popularity/ndcg_at_10")


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with all metrics and tags.")] = False,
) -> None:
    """List all versions, newest first, and which of them were in use.

    The champion is in use. For each version that is or was the champion, the list names the one that it replaced.
    """
    registry = _registry()
    versions = registry.versions()
    if not versions and not as_json:
        typer.echo("No model has been trained yet. Run the DAGs `genre_model` and `recommender`.")
        return
    names = {version.name for version in versions}
    champions = {str(registry.champion(name)) for name in names}
    challengers = {str(registry.challenger(name)) for name in names}
    replaced = {name: registry.replacements(name) for name in names}
    rows = []
    for version in versions:
        before = replaced[version.name].get(version.number)
        was = version.number in {*replaced[version.name], *replaced[version.name].values()}
        role = "champion" if str(version) in champions else "was champion" if was else ""
        if str(version) in challengers:
            role = "challenger"
        rows.append((version, role, f"{version.name}/{before}" if before else ""))
    if as_json:
        typer.echo(json.dumps([_document(*row) for row in rows], indent=2))
        return
    table = Table("version", "", "replaced", "trained (UTC)", "metrics")
    for version, role, before_ in rows:
        measured = "\n".join(f"{name} {version.metrics[name]:.3f}" for name in SHOWN if name in version.metrics)
        table.add_row(str(version), role, before_, f"{version.made_at:%Y-%m-%d %H:%M}", measured)
    PlainConsole().print_whole(table)


def _document(version: Version, role: str, before: str) -> dict[str, Any]:
    return {
        "version": str(version),
        "role": role or None,
        "replaced": before or None,
        "trained_at": version.made_at.isoformat(),
        "metrics": dict(version.metrics),
        "tags": dict(version.tags),
    }


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


@app.command()
def challenge(
    name: Name,
    number: Annotated[int | None, typer.Argument(help="Number of the version. Leave it out with --end.")] = None,
    end: Annotated[bool, typer.Option("--end", help="End the comparison. The champion stays.")] = False,
) -> None:
    """Compare a version with the champion by what listeners play: see SEGUE_CHALLENGER_SHARE."""
    if name != "recommender":
        raise typer.BadParameter("Only versions of the recommender can be compared while they serve.")
    if end == (number is not None):
        raise typer.BadParameter("Give either the number of a version or --end.")
    registry = _registry()
    before = registry.challenger(name)
    if number is None:
        ended = before is not None and registry.end_challenge(before)
        typer.echo(f"{before} is compared no more." if ended else "No version was compared.")
        return
    from segue.recommender.model import Recommender

    version = registry.version(name, number)
    Recommender.fetch(version)  # a version that cannot be loaded would be served to nobody
    registry.challenge(version)
    share = get_settings().challenger_share
    served = f"{share:.0%} of the listeners get interleaved lists" if share else "nobody gets its tracks yet"
    how = "" if share else ": set SEGUE_CHALLENGER_SHARE in segue.toml or the environment, and run `segue up`"
    instead = f", in place of {before}" if before else ""
    typer.echo(f"{version} is compared with {registry.champion(name)}{instead}; {served}{how}.")


def _registry() -> Registry:
    from segue.connections.registry import Registry

    return Registry(get_settings())
