"""``segue demo``: run the whole pipeline on real music."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segue.commands.config import corpus_name, remember
from segue.console import PlainConsole
from segue.errors import ConfigurationError
from segue.settings import Settings, get_settings, settings_file

if TYPE_CHECKING:
    from segue.stack.airflow import Login

USERNAME, PASSWORD = "AIRFLOW_USERNAME", "AIRFLOW_PASSWORD"


def demo(
    music: Annotated[
        Path | None,
        typer.Option(help="Folder of your own music (MP3, FLAC, OGG, Opus, M4A, WAV). Default: a sample corpus."),
    ] = None,
    pieces: Annotated[
        int, typer.Option(min=24, help="Size of the sample corpus: number of pieces of half a minute.")
    ] = 240,
    simulate: Annotated[
        bool | None,
        typer.Option(
            "--simulate/--no-simulate",
            help="Simulate listeners, from whom the recommender learns. Default: only for the sample corpus.",
        ),
    ] = None,
    airflow: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Address of an Airflow that runs already, as in containers or on a cluster. No stack is started. "
            f"The login is read from the variables {USERNAME} and {PASSWORD}.",
        ),
    ] = None,
) -> None:
    """Run the whole pipeline on real music, and leave the stack running.

    The demo renders a sample corpus from the scores of old tunes and chorales, or uses your own folder. It starts
    the stack, runs the four DAGs in Airflow, and prints a table of the results. A second run is quick, because it
    uses existing results again. Your own folder is written to segue.toml: from then on, every command means its
    corpus. `segue init --sample` returns to the sample corpus.

    Nobody is simulated in your own corpus unless you ask for it. The recommender would learn from them, too.
    `segue users forget --simulated` deletes simulated listeners.
    """
    from segue.demo.report import show
    from segue.demo.run import run

    console = PlainConsole()
    if music is not None:
        remember({"corpus": corpus_name(str(music)), "music": str(music)})
        console.print(f"Every command means this corpus from now on: {settings_file()}", soft_wrap=True)
    settings = get_settings()
    wanted = settings.music is None if simulate is None else simulate
    elsewhere = _login(airflow, settings) if airflow else None
    outcome = run(settings, console, pieces=pieces, simulate=wanted, elsewhere=elsewhere)
    show(settings, outcome, console)
    if outcome.failures:
        raise typer.Exit(1)


def _login(url: str, settings: Settings) -> Login:
    """Return the login of an Airflow that runs already.

    Raises
    ------
    ConfigurationError
        If a variable of the login is missing, or no music is named: the sample is rendered on this machine only.
    """
    from segue.stack.airflow import Login

    missing = [name for name in (USERNAME, PASSWORD) if not os.environ.get(name)]
    if missing:
        raise ConfigurationError(f"Set {' and '.join(missing)}: the login of the Airflow at {url}.")
    if settings.music is None:
        raise ConfigurationError(
            f"SEGUE_MUSIC names no music. An Airflow that runs already, as at {url}, needs a place that its "
            "machines see."
        )
    return Login(url, os.environ[USERNAME], os.environ[PASSWORD])
