from __future__ import annotations

import itertools
import time

import pytest

from segue.corpus import progress as progress_lines
from segue.corpus.progress import Counters, Progress, pause_s
from segue.runs import progress as runs_progress


class Counter:
    """As an accumulator is seen on the driver."""

    def __init__(self, value):
        self.value = value


def progress(tracks, rejected, size_bytes, seconds):
    counters = Counters(Counter(tracks), Counter(rejected), Counter(size_bytes), Counter(0), Counter(0))
    return Progress(counters, tracks=100, size_bytes=200_000_000, started=time.monotonic() - seconds)


def test_tells_rates_and_the_time_left_by_bytes():
    line = progress(tracks=50, rejected=2, size_bytes=50_000_000, seconds=20).line()
    assert line == "progress: 50/100 tracks (50%), 2.5 tracks/s, 2.5 MB/s, 2 rejected, time left 0:01:00"


def test_tasks_that_ran_twice_do_not_exceed_the_whole():
    line = progress(tracks=120, rejected=0, size_bytes=240_000_000, seconds=10).line()
    assert line.startswith("progress: 100/100 tracks (100%)")
    assert line.endswith("time left 0:00:00")


def test_says_that_nothing_is_done_yet():
    assert progress(0, 0, 0, seconds=3).line() == "progress: 0/100 tracks, workers are starting"


def test_the_last_line_is_printed_when_the_work_ends(capsys):
    with progress(tracks=100, rejected=0, size_bytes=200_000_000, seconds=10).shown():
        pass
    assert capsys.readouterr().out.count("progress: 100/100") == 1


@pytest.mark.parametrize(("elapsed_s", "expected"), [(0, 5), (75, 5), (150, 10), (900, 15), (86_400, 15)])
def test_a_line_comes_every_few_seconds_however_long_the_work_takes(elapsed_s, expected):
    assert pause_s(elapsed_s) == expected


def test_a_job_that_hangs_prints_no_new_line(monkeypatch, capsys):
    monkeypatch.setattr(progress_lines, "pause_s", lambda _: 0.01)
    monkeypatch.setattr(runs_progress, "cpu_s", lambda: 0.0)
    lines = itertools.count()
    with progress_lines.shown(lambda: f"line {next(lines)}", lambda: 0, time.monotonic()):
        time.sleep(0.3)
    assert capsys.readouterr().out == "line 0\n"
