from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sampling import Sampler, read

from segue.stack import processes

TASK = "corpus/manual/extract"


def process(pid: int, **changes: Any) -> dict[str, Any]:
    still = {"task": None, "java": False, "cpu_s": 0.0, "children_cpu_s": 0.0, "pss": 0, "read": 0, "written": 0}
    return {"pid": pid, "service": "scheduler", **still, **changes}


def written(path: Path, *samples: tuple[str, list[dict[str, Any]]]) -> Path:
    lines = (json.dumps({"at": 0, "step": step, "processes": found}) for step, found in samples)
    path.write_text("\n".join(lines) + '\n{"at": 1, "st')  # the last line of a run that was killed
    return path


def test_work_of_a_child_that_has_ended_counts_once(tmp_path: Path) -> None:
    java = {"task": TASK, "java": True}
    file = written(
        tmp_path / "samples.jsonl",
        ("corpus", [process(1, **java, cpu_s=10, read=100), process(2, task=TASK, cpu_s=5, read=50)]),
        ("corpus", [process(1, **java, cpu_s=11, children_cpu_s=6, read=160)]),
    )
    use = read(file).tasks[TASK]
    assert (use.cpu_s, use.read) == (17, 160)


def test_memory_is_the_peak_of_all_processes_and_of_each_kind(tmp_path: Path) -> None:
    file = written(
        tmp_path / "samples.jsonl",
        ("corpus", [process(1, task=TASK, java=True, pss=300), process(2, task=TASK, pss=10)]),
        ("corpus", [process(1, task=TASK, java=True, pss=200), process(2, task=TASK, pss=50)]),
    )
    use = read(file).tasks[TASK]
    assert (use.pss, use.java_pss, use.python_pss, use.one_process_pss) == (310, 300, 50, 300)


def test_a_service_is_counted_without_the_tasks_that_it_starts(tmp_path: Path) -> None:
    file = written(
        tmp_path / "samples.jsonl",
        ("idle", [process(1, pss=100, cpu_s=1)]),
        ("corpus", [process(1, pss=120, cpu_s=3), process(2, task=TASK, pss=900, cpu_s=50)]),
        ("corpus", [process(1, pss=110, cpu_s=4), process(3, pss=30, cpu_s=2)]),
    )
    used = read(file)
    scheduler = used.services["scheduler"]
    assert (scheduler.idle_pss, scheduler.pss, scheduler.cpu_s) == (100, 140, 6)
    assert used.together.pss == 1020


def test_the_processes_of_a_stack_are_seen_with_their_tasks(tmp_path: Path) -> None:
    task = {"AIRFLOW_CTX_DAG_ID": "corpus", "AIRFLOW_CTX_DAG_RUN_ID": "manual", "AIRFLOW_CTX_TASK_ID": "extract"}
    busy = "while True: pass"
    children = [
        subprocess.Popen([sys.executable, "-c", busy], env=os.environ | processes.marks(tmp_path, name) | more)
        for name, more in {"kafka": {}, "scheduler": task}.items()
    ]
    file = tmp_path / "samples.jsonl"
    try:
        with Sampler(tmp_path, file, 0.2).running() as sampler:
            sampler.step = "corpus"
            while not file.exists() or file.read_text().count("\n") < 5:
                time.sleep(0.1)
    finally:
        for child in children:
            child.kill()
            child.wait()
    used = read(file)
    assert used.tasks[TASK].cpu_s > 0
    assert used.services["kafka"].pss > 1_000_000
    assert set(used.services) == {"kafka"}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_waiting_for_samples_ends_when_sampling_has_failed(tmp_path: Path) -> None:
    sampler = Sampler(tmp_path, tmp_path / "no such folder" / "samples.jsonl", 0.1)
    with pytest.raises(RuntimeError, match="has ended with an error"), sampler.running():
        sampler.wait_for(1)
