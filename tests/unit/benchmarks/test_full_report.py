from __future__ import annotations

from pathlib import Path

from chain import Progress, Size
from clips import Recipe
from full_report import markdown
from sampling import Use, Used

from segue.settings import Settings

MB = 1_000_000


def test_each_task_and_each_service_has_a_row() -> None:
    run = {
        "step": "corpus",
        "dag_id": "corpus",
        "run_id": "manual",
        "tasks": {
            "extract": {"state": "success", "seconds": 3103.4},
            "publish": {"state": "failed", "seconds": 12.0},
            "summary": {"state": "waiting", "seconds": None},
        },
    }
    progress = Progress(done={"corpus": 3615.0}, runs=[run], sent=10, listeners=["ann"], rejected={"EMPTY": 2})
    extract = Use(cpu_s=5600.4, pss=2200 * MB, java_pss=1500 * MB, python_pss=700 * MB, read=25e9, written=3e9)
    mongo = Use(cpu_s=40, pss=500 * MB, one_process_pss=500 * MB, idle_pss=61 * MB)
    used = Used(
        {"corpus/manual/extract": extract}, {"mongo": mongo}, Use(pss=2700 * MB, one_process_pss=1500 * MB)
    )
    size = Size(200, 10, 1, {}, {})
    table = markdown(
        "--tracks 200", Settings(), size, Recipe(Path("pieces"), 200, 30), progress, used
    ).splitlines()
    assert "| corpus: corpus.extract | 3,103 | 5,600 | 2,200 | 1,500 | 700 | 25,000 | 3,000 |" in table
    assert "| corpus: corpus.publish (failed) | 12 |  |  |  |  |  |  |" in table
    assert "| mongo | 61 | 500 | 500 | 40 |" in table
    assert "| the stack together, tasks included |  | 2,700 | 1,500 | 5,640 |" in table
    assert "| corpus | 3,615 |" in table
