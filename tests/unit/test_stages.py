from __future__ import annotations

import threading

import pytest

from segue.runs import stages
from segue.runs.stages import Tally, spark_tasks, stage


def test_a_stage_says_when_it_begins_what_has_moved_and_how_long_it_took(capsys, monkeypatch):
    monkeypatch.setattr(stages, "EVERY_S", 0.01)
    looked, done = threading.Event(), ["0 files", "0 files", "0 files", "9 files"]

    def progress():
        if len(done) == 1:
            looked.set()
        return done.pop(0) if len(done) > 1 else done[0]

    with stage("list the music", progress):
        assert looked.wait(60)
    first, moved, last = capsys.readouterr().out.splitlines()
    assert first == "list the music: begins"
    assert moved == "list the music: 0 s, 9 files"
    assert last.startswith("list the music: done in ")


def test_a_stage_that_fails_does_not_say_that_it_is_done(capsys):
    with pytest.raises(ValueError, match="broken"), stage("write", lambda: ""):
        raise ValueError("broken")
    assert capsys.readouterr().out == "write: begins\n"


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
