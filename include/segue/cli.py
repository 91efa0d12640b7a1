"""The ``segue`` command."""

from __future__ import annotations

import logging
import os
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from segue import private
from segue.commands import alerts, config, dlq, evaluate, importing, models, rebuild, service, stack, train, users
from segue.commands.backup import backup, restore
from segue.commands.demo import demo
from segue.commands.doctor import doctor
from segue.commands.export import export
from segue.commands.extract import extract
from segue.commands.live import live
from segue.commands.recommend import recommend
from segue.commands.rejects import rejects
from segue.commands.serve import serve
from segue.commands.simulate import simulate
from segue.errors import SegueError, StackError
from segue.settings import get_settings, source
from segue.stack import processes

HELP = """Turn a music corpus into recommendations.

Start with `segue demo`. It sets everything up, runs the whole pipeline on real music, and leaves Airflow's UI
open. All its files are in one folder (.segue in the project). All its services listen on this machine only, and
`segue down` stops them.

Settings are remembered in segue.toml, which `segue init` writes. An environment variable, such as
SEGUE_AIRFLOW_PORT=8080, wins over it. `segue config` shows all settings.
"""

OF_A_CORPUS = frozenset(
    {
        "backup",
        "dlq",
        "export",
        "import",
        "live",
        "models",
        "rebuild",
        "recommend",
        "serve",
        "simulate",
        "unpause",
        "users",
    }
)
"""Commands that work on a corpus that exists. They refuse a name without data, instead of making its folder."""


class Group(TyperGroup):
    """A group of commands that prints expected errors as one message, without a traceback."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command. Check that its corpus exists, unless only its help is asked for."""
        name, command, rest = super().resolve_command(ctx, args)
        asks_for_help = "--help" in rest or (name in GROUP_NAMES and not rest)
        if name in OF_A_CORPUS and not asks_for_help:
            _require_corpus()
        return name, command, rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Print a SegueError and exit with 1."""
        try:
            return super().invoke(ctx)
        except SegueError as error:
            typer.secho("Error: ", fg=typer.colors.RED, bold=True, nl=False, err=True)
            typer.echo(error, err=True)
            raise typer.Exit(1) from None


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("segue"))
        raise typer.Exit


app = typer.Typer(
    cls=Group,
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def main(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Parse the options of all commands. Let nobody else read the files that they write."""
    os.umask(private.UMASK)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # Segue says each error once, in its own words


def _require_corpus() -> None:
    """Refuse to work on a corpus that does not exist.

    Raises
    ------
    StackError
        If nothing was written for this corpus yet. With a MongoDB server of its own, the state is elsewhere.
    """
    settings, origin = get_settings(), source("corpus").rpartition("/")[2]
    if settings.mongo_uri is None and not settings.state_dir.exists():
        raise StackError(
            f"There is no corpus {settings.corpus!r} in {settings.home} (the name comes from: {origin}). "
            "`segue up` creates it. `segue config` shows which settings apply."
        )
    for other in processes.state_dirs(settings.home) - {settings.state_dir}:
        typer.echo(
            f"The stack that runs is that of the corpus {other.name!r}, but this command means "
            f"{settings.corpus!r} (from: {origin}).",
            err=True,
        )


PANELS: dict[str, tuple[Any, ...]] = {
    "Start": (demo, config.init, config.config),
    "Stack": (
        stack.up,
        stack.down,
        stack.status,
        stack.logs,
        stack.unpause,
        stack.clean,
        stack.jars,
        stack.replicate,
        doctor,
        backup,
        restore,
    ),
    "Corpus": (rejects, export),
    "Listens and recommendations": (recommend, simulate, serve, live),
    "Without a stack": (extract,),
}
GROUPS: dict[str, dict[str, typer.Typer]] = {
    "Listens and recommendations": {
        "models": models.app,
        "users": users.app,
        "import": importing.app,
        "dlq": dlq.app,
    },
    "Stack": {"rebuild": rebuild.app, "alerts": alerts.app, "service": service.app},
    "Without a stack": {"train": train.app, "evaluate": evaluate.app},
}
GROUP_NAMES = frozenset(name for groups in GROUPS.values() for name in groups)
for panel, commands in PANELS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.command(
    rich_help_panel="Stack", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)(stack.airflow)
for panel, groups in GROUPS.items():
    for name, group in groups.items():
        app.add_typer(group, name=name, rich_help_panel=panel)
