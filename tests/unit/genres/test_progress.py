from __future__ import annotations

import threading

import pytest

from segue.genres.progress import doing


def test_a_long_step_says_that_it_goes_on_until_it_ends() -> None:
    lines: list[str] = []
    twice = threading.Event()

    def say(line: str) -> None:
        lines.append(line)
        if len(lines) >= 2:
            twice.set()

    with doing(lambda: f"{len(lines)} lines", say, every_s=0.01):
        assert twice.wait(60)
    told = len(lines)
    assert lines[0] == "0 lines: 0 s so far."
    assert lines[1].startswith("1 lines: ")
    assert not [thread for thread in threading.enumerate() if thread.name == "segue-progress"]
    assert len(lines) == told


def test_a_short_step_says_nothing_and_an_error_passes() -> None:
    lines: list[str] = []
    with pytest.raises(ValueError, match="no"), doing("Resting", lines.append):
        raise ValueError("no")
    assert lines == []
