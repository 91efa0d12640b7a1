from __future__ import annotations

import threading
import time

import pytest

from segue.runs import progress
from segue.runs.progress import Step, Tally, parts, spark_tasks, step


def test_what_is_quick_prints_nothing(capsys):
    assert list(parts("abc", 3, "Reading")) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""


def test_a_long_step_says_that_it_goes_on_and_when_it_is_done(monkeypatch):
    monkeypatch.setattr(progress, "EVERY_S", 0.01)
    monkeypatch.setattr(Step, "mark", lambda _: object())
    lines, twice = [], threading.Event()

    def say(line):
        lines.append(line)
        if len(lines) >= 2:
            twice.set()

    with step("Fitting", say=say):
        assert twice.wait(60)
    assert lines[0] == "Fitting: running for 0:00:00"
    assert lines[-1].startswith("Fitting: done in 0:00:0")
    told = len(lines)
    assert not [thread for thread in threading.enumerate() if thread.name == "progress"]
    assert len(lines) == told


def test_a_step_whose_detail_is_known_prints_only_what_has_moved(monkeypatch):
    monkeypatch.setattr(progress, "EVERY_S", 0.01)
    looked, done, lines = threading.Event(), ["0 files", "0 files", "0 files", "9 files"], []

    def detail():
        if len(done) == 1:
            looked.set()
        return done.pop(0) if len(done) > 1 else done[0]

    with step("Listing the music", detail, lines.append):
        assert looked.wait(60)
        time.sleep(0.1)
    assert lines == ["Listing the music: 9 files, 0:00:00 so far", "Listing the music: done in 0:00:00"]


def test_a_step_that_fails_does_not_say_that_it_is_done(monkeypatch):
    monkeypatch.setattr(progress, "EVERY_S", 0.01)
    monkeypatch.setattr(Step, "mark", lambda _: object())
    lines, said = [], threading.Event()

    def say(line):
        lines.append(line)
        said.set()

    def fail():
        with step("Writing", say=say):
            assert said.wait(60)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert "done" not in " ".join(lines)


def test_where_the_share_is_known_the_time_left_is_too(monkeypatch):
    monkeypatch.setattr(time, "monotonic", iter([100.0, 160.0]).__next__)
    running = Step("Judging")
    running.share = 0.25
    assert running.line() == "Judging: 25% after 0:01:00, about 0:03:00 left"


def test_a_tally_counts_while_things_pass():
    tally = Tally("files")
    things = tally.through(range(1_500))
    next(things)
    assert tally() == "1 files"
    assert len(list(things)) == 1_499
    assert tally() == "1,500 files"


def test_tasks_of_spark_are_counted(spark):
    seen = []
    tasks = spark_tasks(spark)

    def look():
        while "of 4 Spark tasks" not in (now := tasks()):
            pass
        seen.append(now)

    thread = threading.Thread(target=look)
    thread.start()
    while thread.is_alive():
        spark.sparkContext.parallelize(range(4), 4).count()
    assert len(seen) == 1
