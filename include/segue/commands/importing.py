"""``segue import``: import the listening history of a user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from segue.console import PlainColumn, PlainConsole
from segue.errors import SegueError
from segue.listens.exports import files, self_hosted
from segue.listens.exports.lastfm import lastfm as lastfm_lines
from segue.listens.exports.lines import Line
from segue.listens.exports.listenbrainz import listenbrainz as listenbrainz_lines
from segue.listens.exports.rockbox import rockbox as rockbox_lines
from segue.listens.exports.spotify import spotify as spotify_lines
from segue.settings import get_settings

if TYPE_CHECKING:
    from segue.listens import importing

app = typer.Typer(
    no_args_is_help=True,
    help="Import a listening history.\n\nAn import can be interrupted and run again. A play that is imported "
    "twice counts once. If no play could be sent, the exit code is 1.",
)

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The exported file.")]
User = Annotated[str, typer.Option("--user", help="The user whose history it is, see `segue users`.")]


@app.command()
def listenbrainz(file: File, user: User) -> None:
    """Import an export of ListenBrainz: the zip file, a .jsonl file from it, or an older .json file."""
    _import("listenbrainz", file, user, listenbrainz_lines)


@app.command()
def lastfm(
    file: File,
    user: User,
    encoding: Annotated[
        str | None, typer.Option(help="Encoding of the file, such as cp1251. Default: what it looks like.")
    ] = None,
) -> None:
    """Import a Last.fm history as CSV, with the columns artist,album,track,date or a header that names them.

    Comma, semicolon, tab or bar separate the columns. Numbers in the column of times are seconds, milliseconds or
    microseconds since 1970.
    """
    try:
        "".encode(encoding or "utf-8")
    except LookupError as error:
        raise SegueError(f"There is no encoding {encoding!r}. Write it as utf-8 or cp1251.") from error
    read_as = encoding or files.encoding_of(file)
    if not read_as.startswith("utf") and not encoding:
        print(f"{file} is not UTF-8 and was read as {read_as}. If names look wrong, name its --encoding.")
    _import("lastfm", file, user, partial(lastfm_lines, encoding=read_as), read_as)


@app.command()
def spotify(file: File, user: User) -> None:
    """Import Spotify's streaming history: a Streaming_History_Audio_….json file, or the zip file that has them.

    Songs that were skipped within 30 seconds are sent as skips. Podcasts, audiobooks, and songs of which nothing
    was played are counted and left out.
    """
    _import("spotify", file, user, spotify_lines)


@app.command()
def maloja(file: File, user: User) -> None:
    """Import an export of Maloja, maloja_export_….json."""
    _import("maloja", file, user, self_hosted.maloja)


@app.command()
def koito(file: File, user: User) -> None:
    """Import an export of Koito, koito_export_….json."""
    _import("koito", file, user, self_hosted.koito)


@app.command()
def rockbox(
    file: File,
    user: User,
    time_zone: Annotated[
        str | None,
        typer.Option(help="Time zone of the player's clock, such as Europe/Berlin. Default: this computer's."),
    ] = None,
) -> None:
    """Import the .scrobbler.log of a portable player, such as one with Rockbox."""
    try:
        zone = ZoneInfo(time_zone) if time_zone else None
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SegueError(f"There is no time zone {time_zone!r}. Write it as Europe/Berlin or UTC.") from error
    _import("rockbox", file, user, partial(rockbox_lines, zone=zone), time_zone or "")


def _import(
    kind: str, path: Path, user_name: str, read: Callable[[Path], Iterator[Line]], options: str = ""
) -> None:
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
    key = importing.key_of(user_name, path, f"{kind} {options}")
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
    _report(state, done, console)


def _report(state: importing.Imported, done: int, console: PlainConsole) -> None:
    console.print(f"{state.listens:,} listens sent, of which {state.matched:,} match a track of the corpus.")
    if state.skipped:
        console.print(f"{state.skipped:,} of them are skips. They are stored, and do not count as plays.")
    if done:
        console.print(f"{done:,} lines were skipped, because an earlier import has sent them.")
    if state.wrong:
        console.print(f"{state.wrong:,} lines are not plays:")
        for reason, (first, count) in state.reasons.items():
            more = f" ({count:,} such lines)" if count > 1 else ""
            console.print(f"  line {first:,}: {reason}{more}")
    if not state.listens and not done:
        raise SegueError("Nothing was sent, because no line of the file is a play.")
