"""The ``segue`` command."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from segue import private
from segue.commands import dlq, evaluate, importing, models, rebuild, stack, train, users
from segue.commands.demo import demo
from segue.commands.doctor import doctor
from segue.commands.extract import extract
from segue.commands.live import live
from segue.commands.recommend import recommend
from segue.commands.serve import serve
from segue.commands.simulate import simulate
from segue.errors import SegueError

HELP = """Turn a music corpus into recommendations.

Start with `segue demo`. It sets everything up, runs the whole pipeline on real music, and leaves Airflow's UI
open. All its files are in one folder (.segue in the project). All its services listen on this machine only, and
`segue down` stops them.

Settings are environment variables, such as SEGUE_AIRFLOW_PORT=8080. include/segue/settings.py lists them.
"""


class Group(TyperGroup):
    """A group of commands that prints expected errors as one message, without a traceback."""

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


for command in (
    demo,
    doctor,
    extract,
    live,
    recommend,
    serve,
    simulate,
    stack.up,
    stack.down,
    stack.status,
    stack.logs,
    stack.jars,
    stack.clean,
):
    app.command()(command)
app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})(stack.airflow)
app.add_typer(train.app, name="train")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(models.app, name="models")
app.add_typer(users.app, name="users")
app.add_typer(importing.app, name="import")
app.add_typer(dlq.app, name="dlq")
app.add_typer(rebuild.app, name="rebuild")
