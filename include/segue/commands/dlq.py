"""``segue dlq``: inspect and replay dead letters, messages that could not be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.table import Table

from segue.connections import kafka
from segue.console import PlainConsole
from segue.listens import dead_letters
from segue.listens.dead_letters import DeadLetter, DeadLetterError
from segue.listens.events import Listen, reason
from segue.settings import Settings, get_settings

app = typer.Typer(
    no_args_is_help=True,
    help="Inspect and replay dead letters: messages of the topic of listens that could not be read.",
)


@app.command("list")
def list_() -> None:
    """List the dead letters, each with its position, its error and the time of the failure."""
    table = Table("number", "message", "error", "bytes", "failed at")
    for dead in _letters(get_settings()):
        size, failed_at = len(dead.value or b""), datetime.fromtimestamp(dead.failed_at, UTC)
        table.add_row(str(dead.number), dead.name, dead.error, str(size), f"{failed_at:%Y-%m-%d %H:%M:%S}")
    PlainConsole().print(table if table.row_count else "There are no dead letters.")


@app.command()
def show(number: Annotated[int, typer.Argument(help="Number of the dead letter, see `segue dlq list`.")]) -> None:
    """Show a whole dead letter. Bytes that are not text are escaped."""
    dead = _one(get_settings(), number)
    document = {"message": dead.name, "error": dead.error, "key": _text(dead.key), "value": _text(dead.value)}
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


@app.command()
def replay(
    number: Annotated[
        int | None, typer.Argument(help="Replay only this dead letter, even if it cannot be read.")
    ] = None,
) -> None:
    """Send the dead letters that can be read now to their topic again.

    After an upgrade, Segue may know a newer schema. Replaying twice does no harm, because an event counts once.
    If nothing was replayed, the exit code is 1.
    """
    settings = get_settings()
    letters = [_one(settings, number)] if number is not None else list(_letters(settings))
    sent, left = 0, 0
    with kafka.producing(kafka.config(settings)) as producer:
        for dead in letters:
            wrong = None if number is not None else _wrong(dead)
            if wrong is None:
                dead_letters.replay(producer, dead)
                sent += 1
            else:
                typer.echo(f"{dead.name} still cannot be read: {wrong}")
                left += 1
    typer.echo(f"{sent} dead letters replayed, {left} left.")
    if not sent:
        raise typer.Exit(1)


def _letters(settings: Settings) -> Iterator[DeadLetter]:
    return dead_letters.read(kafka.config(settings), settings.dead_letters_topic)


def _one(settings: Settings, number: int) -> DeadLetter:
    for dead in _letters(settings):
        if dead.number == number:
            return dead
    raise DeadLetterError(f"There is no dead letter {number}. `segue dlq list` lists them.")


def _wrong(dead: DeadLetter) -> str | None:
    try:
        Listen.model_validate_json(dead.value or b"")
    except ValidationError as error:
        return reason(error)
    return None


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="backslashreplace")
