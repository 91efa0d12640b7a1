"""``segue demo``: run the whole pipeline on real music."""

from __future__ import annotations

import os
import re
from hashlib import blake2b
from pathlib import Path
from typing import Annotated

import typer

from segue.console import PlainConsole
from segue.settings import get_settings


def demo(
    music: Annotated[
        Path | None,
        typer.Option(help="Folder of your own music (MP3, FLAC, OGG, Opus, M4A, WAV). Default: a sample corpus."),
    ] = None,
    pieces: Annotated[
        int, typer.Option(min=24, help="Size of the sample corpus: number of pieces of half a minute.")
    ] = 240,
) -> None:
    """Run the whole pipeline on real music, and leave the stack running.

    The demo renders a sample corpus from the scores of old tunes and chorales, or uses your own folder. It starts
    the stack, runs the four DAGs in Airflow, and prints a table of the results. A second run is quick, because it
    uses existing results again.
    """
    if music is not None:
        folder = music.expanduser().resolve()
        os.environ["SEGUE_MUSIC"] = str(folder)
        os.environ["SEGUE_CORPUS"] = corpus_name(folder)

    from segue.demo.report import show
    from segue.demo.run import run

    console = PlainConsole()
    settings = get_settings()
    outcome = run(settings, console, pieces=pieces)
    show(settings, outcome, console)
    if outcome.failures:
        raise typer.Exit(1)


def corpus_name(folder: Path) -> str:
    """Return a readable corpus name that is unique for a folder.

    Examples
    --------
    >>> corpus_name(Path("/home/me/My Müsic"))
    'my-m-sic-37b8e5'
    """
    words = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")[:40]
    digest = blake2b(os.fsencode(folder), digest_size=3).hexdigest()
    return f"{words}-{digest}" if words else digest
