"""``segue backup`` and ``segue restore``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segue.console import PlainConsole
from segue.settings import get_settings

Folder = Annotated[Path, typer.Argument(help="Folder of the backup.", show_default=False)]


def backup(folder: Folder) -> None:
    """Write everything that Segue knows of the corpus into a new folder. The stack works on meanwhile.

    The backup has every listen that was acknowledged before the command began. It also holds secrets, so keep it
    where nobody else can read it. Audio files are not part of it.
    """
    from segue.backup.making import make
    from segue.connections.mongo import database
    from segue.stack import lifecycle

    settings, console = lifecycle.running(get_settings()), PlainConsole()
    with console.status("Making the backup…"), database() as opened:
        made = make(settings, opened, folder, say=console.print)
    for sentence in made.left_out:
        console.print(sentence, style="yellow", soft_wrap=True)
    console.print(f"The backup is in {folder}. Restore it with `segue restore {folder}`.", soft_wrap=True)


def restore(folder: Folder) -> None:
    """Restore a backup into a corpus without a state. It restores Airflow's runs and the listens in Kafka, too.

    If the command is interrupted, run it again. Then start everything with `segue up`.
    """
    from segue.backup.restoring import restore as into

    settings, console = get_settings(), PlainConsole()
    with console.status("Restoring…"):
        made = into(settings, folder, say=console.print)
    console.print(
        f"Restored the backup of the corpus {made.corpus} of {made.made_at:%Y-%m-%d %H:%M} UTC. "
        "Start everything with `segue up`.",
        soft_wrap=True,
    )
