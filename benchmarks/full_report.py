"""Report the cost of the whole chain, as Markdown for docs/scaling.md."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import psutil
from chain import Progress, Size
from clips import Recipe
from sampling import Use, Used

from segue.settings import Settings

MB, GB = 1e6, 1e9


def markdown(command: str, settings: Settings, size: Size, recipe: Recipe, progress: Progress, used: Used) -> str:
    """Write the report.

    Parameters
    ----------
    command : str
        Arguments of the benchmark.
    settings, size, recipe
        Those of the run.
    progress : Progress
        DAG runs and their durations.
    used : Used
        Resources that they used.

    Returns
    -------
    str
        A line on the run, a table of tasks, one of services, one of steps, and the rejected files.
    """
    memory = psutil.virtual_memory().total / GB
    cpu_s = sum(use.cpu_s for use in (*used.tasks.values(), *used.services.values()))
    lines = [
        f"`.venv/bin/python benchmarks/full.py {command}`, {datetime.now(UTC):%Y-%m-%d}: {size.tracks:,} files of "
        f"{recipe.seconds:g} s, {progress.sent:,} listens of {len(progress.listeners):,} listeners, "
        f"{os.cpu_count()} cores, {memory:.0f} GB of memory, `{settings.spark_master}`.",
        "",
        "| step, task | wall s | CPU s | peak PSS MB | of it JVM | Python | read MB | written MB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        *_task_rows(progress.runs, used),
        "",
        "| service | PSS MB, idle | PSS MB, peak | largest process | CPU s |",
        "|---|---:|---:|---:|---:|",
        *(_service_row(name, use) for name, use in sorted(used.services.items())),
        _service_row("the stack together, tasks included", used.together, cpu_s),
        "",
        "| step | wall s |",
        "|---|---:|",
        *(f"| {step} | {seconds:,.0f} |" for step, seconds in progress.done.items()),
        "",
        f"Damaged files by the reason of their rejection: {progress.rejected}.",
    ]
    return "\n".join(lines) + "\n"


def _task_rows(runs: list[dict[str, Any]], used: Used) -> list[str]:
    rows = []
    for run in runs:
        for task_id, task in run["tasks"].items():
            use = used.tasks.get(f"{run['dag_id']}/{run['run_id']}/{task_id}")
            name = f"{run['step']}: {run['dag_id']}.{task_id}" + (
                f" ({task['state']})" * (task["state"] != "success")
            )
            seconds = "" if task["seconds"] is None else f"{task['seconds']:,.0f}"
            figures = [""] * 6 if use is None else _figures(use)
            rows.append(f"| {name} | {seconds} | {' | '.join(figures)} |")
    return rows


def _figures(use: Use) -> list[str]:
    sizes = (use.pss, use.java_pss, use.python_pss, use.read, use.written)
    return [f"{use.cpu_s:,.0f}", *(f"{each / MB:,.0f}" for each in sizes)]


def _service_row(name: str, use: Use, cpu_s: float | None = None) -> str:
    idle = "" if use.idle_pss is None else f"{use.idle_pss / MB:,.0f}"
    cpu = use.cpu_s if cpu_s is None else cpu_s
    return f"| {name} | {idle} | {use.pss / MB:,.0f} | {use.one_process_pss / MB:,.0f} | {cpu:,.0f} |"
