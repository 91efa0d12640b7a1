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

from segue import private
from segue.listens.events import Listen, message, reason
from segue.listens.exports.lines import ImportFileError, Line
from segue.listens.matching import TrackIndex
from segue.listens.plays import event_of
from segue.listens.writer import Record

BATCH = 1_000

READERS = 3
"""Version of the readers in `segue.listens.exports`. Raise it when a reader accepts lines that it refused before.
A file that is imported again is then read from its first line."""

MOST_REASONS, LONGEST_REASON = 5, 200


@dataclass
class Imported:
    """The progress and result of an import.

    Parameters
    ----------
    lines
        Number of lines of the file that are done.
    listens, matched, skipped
        Number of listens sent, of those that match a track of the corpus, and of those that are skips.
    wrong
        Number of lines that are not plays.
    reasons
        Reasons why lines are not plays, up to `MOST_REASONS`. Each maps to the number of the first such line and
        the count of such lines.
    """

    lines: int = 0
    listens: int = 0
    matched: int = 0
    skipped: int = 0
    wrong: int = 0
    reasons: dict[str, tuple[int, int]] = field(default_factory=dict)


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
        self._write({**self._read(), key: lines})

    def forget(self, user_name: str) -> None:
        """Delete the progress of all imports of a user."""
        if self._path.exists():
            kept = {key: lines for key, lines in self._read().items() if not key.startswith(f"{user_name}/")}
            self._write(kept)

    def _write(self, done: Mapping[str, Any]) -> None:
        private.write(self._path, json.dumps(done, indent=1))

    def _read(self) -> Mapping[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._path.read_bytes()) if self._path.exists() else {}
        except ValueError:
            raise ImportFileError(
                f"{self._path} is damaged. Delete it: imports then start from their first line, and listens that "
                "were sent before count once."
            ) from None
        return found


def key_of(user_name: str, path: Path, how: str) -> str:
    """Return the key of an import.

    Parameters
    ----------
    user_name
        The user whose history it is.
    path
        The file. The key depends on its content, not on its name.
    how
        Kind of the export, and the options with which it is read. If an option is corrected, the file is read
        again.
    """
    digest = hashlib.blake2b(f"{READERS} {how}".encode(), digest_size=16)
    with path.open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return f"{user_name}/{digest.hexdigest()}"


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
        Called with the progress after each batch, from the first batch on in which a listen was sent. If no listen
        of a file could be sent, no progress is recorded, and the next import reads the file again.

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
        state.skipped += sum(bool(event.skipped) for event, _ in events)
        if state.listens:
            note(state)
    return state


def _event(
    line: Line, user_name: str, index: TrackIndex, source: str, state: Imported
) -> tuple[Listen, Record] | None:
    """Create the event and the record of a line. If the line is not a play, count it as wrong and return None."""
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
    reason_shown = (wrong or "")[:LONGEST_REASON]
    if reason_shown in state.reasons or len(state.reasons) < MOST_REASONS:
        first, count = state.reasons.get(reason_shown, (line.number, 0))
        state.reasons[reason_shown] = (first, count + 1)
    return None
