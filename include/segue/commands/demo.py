"""``segue demo``: run the whole pipeline on real music."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segue.commands.config import corpus_name, remember
from segue.console import PlainConsole
from segue.settings import get_settings, settings_file


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
    outcome = run(settings, console, pieces=pieces, simulate=wanted)
    show(settings, outcome, console)
    if outcome.failures:
        raise typer.Exit(1)
