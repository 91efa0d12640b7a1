from __future__ import annotations

import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from segue.runs import progress
from segue.runs.progress import Movement, Step, Tally, parts, spark_tasks, step


def test_what_is_quick_prints_nothing(capsys):
    assert list(parts("abc", 3, "Reading")) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""


def test_a_long_step_says_that_it_goes_on_and_when_it_is_done(monkeypatch):
    monkeypatch.setattr(progress, "EVERY_S", 0.01)
    monkeypatch.setattr(Step, "done", lambda _: object())
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


def test_a_step_prints_only_what_has_moved(monkeypatch):
    monkeypatch.setattr(progress, "EVERY_S", 0.01)
    monkeypatch.setattr(progress, "cpu_s", lambda: 0.0)
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
    monkeypatch.setattr(Step, "done", lambda _: object())
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


def test_work_moves_when_more_is_done_or_the_job_computes(monkeypatch):
    done, cpu_s, now = [0], [0.0], [0.0]
    monkeypatch.setattr(progress, "cpu_s", lambda: cpu_s[0])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    movement = Movement(lambda: done[0])
    moved = []
    for more, seconds in ((1, 0.0), (0, 10.0), (0, 0.1), (0, 0.0)):
        done[0] += more
        cpu_s[0] += seconds
        now[0] += 15
        moved.append(movement.since_last_look())
    assert moved == [True, True, False, False]


def test_cpu_of_children_counts_as_the_jobs():
    before = progress.cpu_s()
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as child:
        try:
            while progress.cpu_s() < before + 0.5:  # the test's own share of it is small: it sleeps
                time.sleep(0.1)
        finally:
            child.kill()
    program = "import time; from segue.runs.progress import cpu_s; a = cpu_s(); time.sleep(1); print(cpu_s() - a)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert float(run.stdout) < progress.BUSY, "a job that waits"
