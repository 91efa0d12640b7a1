"""Send an export to Kafka in batches.

Each batch is noted as done after Kafka has acknowledged it, so an import that was interrupted can be resumed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from segue.listens.events import Listen, message, reason
from segue.listens.importers import Line
from segue.listens.matching import TrackIndex
from segue.listens.plays import event_of
from segue.listens.writer import EventWriter, Record

BATCH = 1_000


@dataclass
class Imported:
    """The progress of an import.

    Parameters
    ----------
    lines
        Lines done, of the whole file.
    listens, matched
        Listens sent, and how many of them are of a track of the corpus.
    skipped
        The first lines that are not plays: number and reason.
    wrong
        Number of lines that are not plays.
    """

    lines: int = 0
    listens: int = 0
    matched: int = 0
    skipped: list[tuple[int, str]] = field(default_factory=list)
    wrong: int = 0


class Progress:
    """A file that notes how far each import has come, by user and by the content of the export.

    Parameters
    ----------
    path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def done(self, key: str) -> int:
        """Read how many lines are done."""
        return int(self._read().get(key, 0))

    def note(self, key: str, lines: int) -> None:
        """Note how many lines are done."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps({**self._read(), key: lines}, indent=1))
        new.replace(self._path)

    def forget(self, user_name: str) -> None:
        """Forget the imports of a user."""
        if self._path.exists():
            kept = {key: lines for key, lines in self._read().items() if not key.startswith(f"{user_name}/")}
            self._path.write_text(json.dumps(kept, indent=1))

    def _read(self) -> Mapping[str, Any]:
        found: dict[str, Any] = json.loads(self._path.read_text()) if self._path.exists() else {}
        return found


def key_of(user_name: str, path: Path) -> str:
    """Name an import: the same content for the same user is the same import, whatever the file is called."""
    with path.open("rb") as stream:
        return f"{user_name}/{hashlib.file_digest(stream, 'blake2b').hexdigest()[:32]}"


def send(
    lines: Iterator[Line],
    user_name: str,
    index: TrackIndex,
    writer: EventWriter,
    topic: str,
    *,
    source: str,
    done: int,
    note: Callable[[Imported], None],
) -> Imported:
    """Send the plays of an export.

    Parameters
    ----------
    lines
        The lines of the whole export.
    user_name
        Whose plays they are.
    index
        The catalogue to match with.
    writer
        A writer that has been started.
    topic
        The topic to write to.
    source
        The `source` of the events.
    done
        Number of lines that an earlier run has sent; they are skipped.
    note
        Called after each batch that Kafka has acknowledged.

    Raises
    ------
    NotWritten
        If Kafka does not acknowledge. A later call with `done` as noted goes on from there.
    """
    state = Imported(lines=done)
    remaining = islice(lines, done, None)
    while batch := list(islice(remaining, BATCH)):
        made = [each for line in batch if (each := _made(line, user_name, index, source, state))]
        asyncio.run(writer.write(topic, [record for _, record in made]))
        state.lines += len(batch)
        state.listens += len(made)
        state.matched += sum(event.track_id is not None for event, _ in made)
        note(state)
    return state


def _made(
    line: Line, user_name: str, index: TrackIndex, source: str, state: Imported
) -> tuple[Listen, Record] | None:
    wrong = line.wrong
    if line.play is not None:
        try:
            event = event_of(user_name, line.play, index, source=source)
            return event, message(event)
        except ValidationError as error:
            wrong = reason(error)
        except ValueError as error:
            wrong = str(error)
    state.wrong += 1
    if len(state.skipped) < 5:
        state.skipped.append((line.number, wrong or ""))
    return None
