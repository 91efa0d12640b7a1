from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from segue.listens.exports.lines import Line
from segue.listens.importing import Imported, Progress, key_of, send
from segue.listens.matching import TrackIndex
from segue.listens.plays import Play
from segue.listens.writer import Record


def test_progress_is_by_user_and_content(tmp_path: Path) -> None:
    export, copy = tmp_path / "a.csv", tmp_path / "b.csv"
    export.write_text("same")
    copy.write_text("same")
    progress = Progress(tmp_path / "state" / "imports.json")
    progress.note(key_of("u", export, "lastfm"), 5)
    assert progress.done(key_of("u", copy, "lastfm")) == 5
    assert progress.done(key_of("v", export, "lastfm")) == 0
    assert progress.done(key_of("u", export, "lastfm cp1251")) == 0
    progress.forget("u")
    assert progress.done(key_of("u", export, "lastfm")) == 0


def sent(lines: Sequence[Line]) -> tuple[Imported, list[int]]:
    noted: list[int] = []

    async def write(_: Sequence[Record]) -> None:
        await asyncio.sleep(0)

    state = send(
        iter(lines),
        "u",
        TrackIndex([]),
        write,
        source="lastfm",
        done=0,
        note=lambda state: noted.append(state.lines),
    )
    return state, noted


def test_reasons_are_counted_and_the_first_line_of_each_is_shown() -> None:
    wrong = [Line(number, None, "skipped" if number % 2 else f"odd {number}") for number in range(1, 21)]
    state, noted = sent([*wrong, Line(21, Play(1_700_000_000, "Björk", "Jóga"))])
    assert (state.listens, state.wrong, noted) == (1, 20, [21])
    assert state.reasons["skipped"] == (1, 10)
    assert state.skipped == 0
    assert state.reasons["odd 2"] == (2, 1)
    assert len(state.reasons) == 5


def test_skips_are_sent_and_counted() -> None:
    plays = [Play(1_700_000_000 + at, "Björk", "Jóga", None, {"ms_played": at}) for at in (1_000, 40_000)]
    state, _ = sent([Line(number, play) for number, play in enumerate(plays, 1)])
    assert (state.listens, state.skipped, state.wrong) == (2, 1, 0)


def test_a_file_of_which_nothing_was_sent_is_read_again_next_time() -> None:
    state, noted = sent([Line(1, None, "no play")] * 3)
    assert (state.listens, state.wrong, noted) == (0, 3, [])
