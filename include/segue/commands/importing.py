"""``segue import``: import the listening history of a user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from segue.console import PlainColumn, PlainConsole
from segue.errors import SegueError
from segue.listens import importers
from segue.listens.scrobbler_log import scrobbler_log
from segue.settings import get_settings

app = typer.Typer(no_args_is_help=True, help="Import a listening history from ListenBrainz, Last.fm or Rockbox.")

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The exported file.")]
User = Annotated[str, typer.Option("--user", help="The user whose history it is, see `segue users`.")]


@app.command()
def listenbrainz(file: File, user: User) -> None:
    """Import an export of ListenBrainz: the zip file, or a .jsonl file from it.

    It can be interrupted and run again. A file that is imported twice counts once.
    """
    _import("listenbrainz", file, user, importers.listenbrainz)


@app.command()
def lastfm(file: File, user: User) -> None:
    """Import a Last.fm history as CSV, with the columns artist,album,track,date or a header that names them.

    It can be interrupted and run again. A file that is imported twice counts once.
    """
    _import("lastfm", file, user, importers.lastfm)


@app.command()
def rockbox(
    file: File,
    user: User,
    time_zone: Annotated[
        str | None,
        typer.Option(help="Time zone of the player's clock, such as Europe/Berlin. Default: this computer's."),
    ] = None,
) -> None:
    """Import the .scrobbler.log of a portable player, such as one with Rockbox.

    It can be interrupted and run again. A file that is imported twice counts once.
    """
    try:
        zone = ZoneInfo(time_zone) if time_zone else None
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SegueError(f"There is no time zone {time_zone!r}. Write it as Europe/Berlin or UTC.") from error
    _import("rockbox", file, user, partial(scrobbler_log, zone=zone))


def _import(kind: str, path: Path, user_name: str, read: Callable[[Path], Iterator[importers.Line]]) -> None:
    from segue.api.accounts import Accounts
    from segue.connections import kafka
    from segue.connections.mongo import database
    from segue.connections.topics import create_topics
    from segue.listens import catalogue, importing
    from segue.listens.matching import TrackIndex
    from segue.listens.writer import EventWriter

    settings, console = get_settings(), PlainConsole()
    with database() as opened:
        if not Accounts(opened).exists(user_name):
            raise SegueError(f"There is no user {user_name!r}. Create it with `segue users add {user_name}`.")
        index = TrackIndex(catalogue.entries(opened))
    create_topics(settings)
    key = importing.key_of(user_name, path)
    memory = importing.Progress(settings.state_dir / "imports.json")
    done, total = memory.done(key), sum(1 for _ in read(path))
    writer = EventWriter(kafka.config(settings))
    writer.start()
    columns = (PlainColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(path.name, total=total, completed=done)

            def note(state: importing.Imported) -> None:
                memory.note(key, state.lines)
                bar.update(task, completed=state.lines)

            lines = read(path)
            write = partial(writer.write, settings.listens_topic)
            state = importing.send(lines, user_name, index, write, source=kind, done=done, note=note)
    finally:
        writer.close()
    console.print(f"{state.listens:,} listens sent, of which {state.matched:,} match a track of the corpus.")
    if done:
        console.print(f"{done:,} lines were skipped, because an earlier import has sent them.")
    if state.wrong:
        console.print(f"{state.wrong:,} lines are not plays:")
        for number, wrong in state.skipped:
            console.print(f"  line {number:,}: {wrong}")
