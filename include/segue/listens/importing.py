"""Send a listening history to Kafka in batches, so that an interrupted import can be resumed.

A batch is recorded as done only after Kafka has acknowledged it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from segue.listens.events import Listen, message, reason
from segue.listens.importers import ImportFileError, Line
from segue.listens.matching import TrackIndex
from segue.listens.plays import event_of
from segue.listens.writer import Record

BATCH = 1_000


@dataclass
class Imported:
    """The progress and result of an import.

    Parameters
    ----------
    lines
        Number of lines of the file that are done.
    listens, matched
        Number of listens sent, and of those that match a track of the corpus.
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
    """A JSON file with the progress of each import.

    Parameters
    ----------
    path
        The file. It is created when needed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def done(self, key: str) -> int:
        """Return how many lines of an import are done."""
        return int(self._read().get(key, 0))

    def note(self, key: str, lines: int) -> None:
        """Record how many lines of an import are done."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._write({**self._read(), key: lines})

    def forget(self, user_name: str) -> None:
        """Delete the progress of all imports of a user."""
        if self._path.exists():
            kept = {key: lines for key, lines in self._read().items() if not key.startswith(f"{user_name}/")}
            self._write(kept)

    def _write(self, done: Mapping[str, Any]) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(done, indent=1))
        new.replace(self._path)

    def _read(self) -> Mapping[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._path.read_bytes()) if self._path.exists() else {}
        except ValueError:
            raise ImportFileError(
                f"{self._path} is damaged. Delete it: imports then start from their first line, and listens that "
                "were sent before count once."
            ) from None
        return found


def key_of(user_name: str, path: Path) -> str:
    """Return the key of an import. It depends on the user and the content of the file, not on its name."""
    with path.open("rb") as stream:
        return f"{user_name}/{hashlib.file_digest(stream, 'blake2b').hexdigest()[:32]}"


def send(
    lines: Iterator[Line],
    user_name: str,
    index: TrackIndex,
    write: Callable[[Sequence[Record]], Coroutine[Any, Any, None]],
    *,
    source: str,
    done: int,
    note: Callable[[Imported], None],
) -> Imported:
    """Send the plays of a listening history to Kafka.

    Parameters
    ----------
    lines
        All lines of the history.
    user_name
        The user whose history it is.
    index
        The catalogue.
    write
        Writes records to the topic of listens, and returns when Kafka has acknowledged them.
    source
        Source of the events, such as ``lastfm``.
    done
        Number of lines that an earlier run has done. They are skipped.
    note
        Called with the progress after each batch.

    Returns
    -------
    Imported

    Raises
    ------
    NotWritten
        If Kafka does not acknowledge a batch. The import can be resumed after the last progress.
    """
    state = Imported(lines=done)
    remaining = islice(lines, done, None)
    while batch := list(islice(remaining, BATCH)):
        events = [each for line in batch if (each := _event(line, user_name, index, source, state))]
        asyncio.run(write([record for _, record in events]))
        state.lines += len(batch)
        state.listens += len(events)
        state.matched += sum(event.track_id is not None for event, _ in events)
        note(state)
    return state


def _event(
    line: Line, user_name: str, index: TrackIndex, source: str, state: Imported
) -> tuple[Listen, Record] | None:
    """Create the event and the record of a line; return None, and count the line as wrong, if it is not a play."""
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
