from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from segue.connections.spark import REFUSED, TRY_AGAIN
from segue.corpus.lake import Lake
from segue.corpus.plan import Mode
from segue.settings import PROJECT_DIR
from segue.stack import spark_conf

pytestmark = pytest.mark.integration


@pytest.fixture
def submit(settings, pipeline):
    """Return a function that starts a job by spark-submit, as its task does, on the pipeline's folder and lake."""
    environment = os.environ | spark_conf.environment(settings)
    environment |= {"SEGUE_MUSIC": str(pipeline.music), "SEGUE_LAKE": pipeline.lake.uri, "PYTHONUNBUFFERED": "1"}
    program = Path(sys.executable).with_name("spark-submit")

    def start(job, *arguments, **variables):
        command = [program, PROJECT_DIR / "spark_jobs" / f"{job}.py", "--run-id", "corpus/test", *arguments]
        return subprocess.Popen(
            command, env=environment | variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    return start


def kill(process):
    """End a driver and everything that it started as a loss of power would."""
    family = [process, *psutil.Process(process.pid).children(recursive=True)]
    for each in family:
        os.kill(each.pid, signal.SIGKILL)
    process.communicate()
    psutil.wait_procs([each for each in family if isinstance(each, psutil.Process)])


def wait_for(process, text):
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"{text!r} was not printed")


def test_a_driver_that_is_killed_while_it_extracts_leaves_nothing_that_the_next_run_trips_over(integrated, submit):
    expected = {table: integrated.rows(table) for table in ("features", "rejects")}
    process = submit("extract", "--mode", "force")
    wait_for(process, "progress: 11/11")
    kill(process)
    extracted = integrated.extract().outcomes
    assert extracted.features + extracted.rejects == extracted.files == 11
    assert {table: integrated.rows(table) for table in expected} == expected


def test_a_driver_that_is_killed_in_a_first_load_leaves_the_same_rows_after_the_next_run(
    listed, first_run, submit
):
    expected = Lake(listed.lake.spark, str(first_run.lakes / "extract"))
    process = submit("extract")
    wait_for(process, "progress: 11/11")
    time.sleep(random.uniform(0, 3))  # the two commits that follow take some seconds
    kill(process)
    listed.extract()
    for table in ("features", "rejects"):
        names = ["path", "content_hash", "track_id", "features" if table == "features" else "reason"]
        rows, there = (lake.read(table).select(names).collect() for lake in (listed.lake, expected))
        assert sorted(rows) == sorted(there)


def python_workers(driver):
    """The processes that Spark's Python daemon has forked for tasks."""
    with suppress(psutil.NoSuchProcess):
        python = [each for each in psutil.Process(driver.pid).children(recursive=True) if "python" in each.name()]
        daemons = {each.pid for each in python if "pyspark.daemon" in each.cmdline()}
        return [each for each in python if each.ppid() in daemons]
    return []


@pytest.mark.parametrize("victim", ["driver", "worker"])
def test_a_kill_at_a_random_moment_leaves_the_same_rows_after_the_next_run(extracted, submit, victim, request):
    kills = request.config.getoption("kills")
    if not kills:
        pytest.skip("a series of several minutes: run it with --kills 5")
    expected = {table: extracted.rows(table) for table in ("features", "rejects")}
    process = submit("extract", "--mode", "force")
    wait_for(process, "plan: ")
    began = time.monotonic()
    wait_for(process, "progress: 11/11" if victim == "worker" else "== extract ==")
    undisturbed_s = time.monotonic() - began
    process.communicate()
    hits = 0
    while hits < kills:
        process = submit("extract", "--mode", "force")
        wait_for(process, "plan: ")
        delay_s = random.uniform(0, undisturbed_s)
        time.sleep(delay_s)
        if victim == "driver":
            kill(process)
        else:
            while process.poll() is None and not (workers := python_workers(process)):
                time.sleep(0.01)
            if process.poll() is None:
                with suppress(psutil.NoSuchProcess):
                    random.choice(workers).kill()
            process.communicate()
        hits += process.returncode != 0  # a job that was quicker than its kill does not count
        print(f"kill {hits} of the {victim}, {delay_s:.1f} s of {undisturbed_s:.1f} s, exit {process.returncode}")
        extracted.extract()
        assert {table: extracted.rows(table) for table in expected} == expected


def test_bad_input_ends_a_job_with_one_sentence_and_the_code_of_a_refusal(pipeline, submit):
    for path in pipeline.music.rglob("*.*"):
        path.unlink()
    process = submit("inventory")
    output, _ = process.communicate()
    last = output.strip().splitlines()[-1]
    assert process.returncode == REFUSED
    assert last.startswith("The folder ")
    assert "holds no audio file. Put files of these types into it" in last
    assert "Traceback" not in output


def test_mongodb_that_is_away_is_named_and_the_job_completes_when_it_is_back(integrated, submit, free_ports):
    [port] = free_ports(1)
    process = submit("publish", SEGUE_MONGO_URI=f"mongodb://127.0.0.1:{port}/?directConnection=true")
    output, _ = process.communicate()
    last = output.strip().splitlines()[-1]
    assert process.returncode == TRY_AGAIN
    assert last.startswith(f"MongoDB does not answer at 127.0.0.1:{port}. Start it")
    assert "Traceback" not in output
    assert integrated.publish().tracks == 8


@pytest.mark.usefixtures("kafka")  # which publish announces to
@pytest.mark.parametrize(("job", "full"), [("extract", "lake"), ("integrate", "lake"), ("publish", "scratch")])
def test_a_full_disk_ends_a_job_with_one_sentence_and_the_rerun_completes(
    integrated, submit, small_disk, job, full, request
):
    if job == "integrate" and not request.config.getoption("kills"):
        pytest.skip("as `extract` on a full lake, three minutes: run it with --kills 1")
    disk = {"lake": "SEGUE_LAKE", "scratch": "SPARK_LOCAL_DIRS"}
    if full == "lake":
        shutil.copytree(integrated.lake.uri, small_disk / "lake")
    filler = small_disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(small_disk).free))
    arguments = ["--mode", "force"] if job == "extract" else []
    process = submit(job, *arguments, **{disk[full]: str(small_disk / full)})
    output, _ = process.communicate()
    last = output.strip().splitlines()[-1]
    assert process.returncode == TRY_AGAIN, output
    assert re.match(rf"Disk full: {small_disk}/{full} has \d MB left\. Free some space", last), output
    assert "Traceback" not in output

    filler.unlink()
    before = {table: integrated.rows(table) for table in ("features", "rejects", "tracks")}
    if full == "lake":
        integrated.lake = Lake(integrated.lake.spark, str(small_disk / "lake"))
    getattr(integrated, job)(**({"mode": Mode.FORCE} if job == "extract" else {}))
    assert {table: integrated.rows(table) for table in before} == before
    if job == "publish":
        assert integrated.database.tracks.count_documents({}) == 8
