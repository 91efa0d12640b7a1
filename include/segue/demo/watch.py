"""Follow a DAG run in the terminal: one live line per task, with the newest line of its log.

No wait has a fixed limit, because a large corpus takes hours. A wait ends if there is no progress for `STILL_S`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn

from segue.console import PlainColumn
from segue.demo.airflow_api import FINISHED, AirflowApi, TaskState
from segue.errors import StackError
from segue.patience import Pace, Patience

if TYPE_CHECKING:
    from rich.progress import TaskID

    from segue.console import PlainConsole

POLL_S = 1.5
STILL_S = 15 * 60
SHOWN_LOG_LINES = 8
SHOWN_CHARACTERS = 60
LINE_EVERY_S = 10.0
"""Where no terminal shows the lines live, the running tasks print one so often."""


class _TaskLines:
    """The lines of one run. A terminal shows them live; a log file gets one line per finished task."""

    def __init__(self, dag_id: str, console: PlainConsole) -> None:
        self._dag_id = dag_id
        self._console = console
        self._lines: dict[str, TaskID] = {}
        self._done: set[str] = set()
        self._pace = Pace(LINE_EVERY_S)
        self.progress = Progress(
            SpinnerColumn(finished_text="✓"),
            PlainColumn("{task.description}"),
            PlainColumn("{task.fields[state]:<10}"),
            TimeElapsedColumn(),
            PlainColumn("{task.fields[log]}", style="dim"),
            console=console,
            disable=not console.is_terminal,
        )

    def show(self, task: TaskState, log: str) -> None:
        """Update the line of ``task``."""
        if task.task_id not in self._lines:
            if task.state == "waiting":
                return
            name = f"{self._dag_id}.{task.task_id}"
            self._lines[task.task_id] = self.progress.add_task(f"{name:<44}", total=1, state="", log="")
        line = self._lines[task.task_id]
        self.progress.update(line, state=task.state, completed=task.state == "success")
        if log:
            self.progress.update(line, log=log)
        if task.state in FINISHED and task.task_id not in self._done:
            self._done.add(task.task_id)
            self.progress.stop_task(line)
            if not self._console.is_terminal:
                seconds = f"{task.duration_s:.0f} s" if task.duration_s is not None else ""
                self._console.print(f"{self._dag_id}.{task.task_id}: {task.state} {seconds}")

    def show_running(self, tasks: Sequence[TaskState], logs: Mapping[str, str]) -> None:
        """Print the newest log line of each running task, if there is no terminal and a line is due."""
        if self._console.is_terminal or not self._pace.is_due():
            return
        for task in tasks:
            if task.state == "running":
                line = logs[task.task_id] or "no line in its log yet"
                self._console.print(f"{self._dag_id}.{task.task_id}: {line}", soft_wrap=True)


def wait_for_dags(api: AirflowApi, dag_ids: set[str]) -> None:
    """Wait until Airflow has parsed all of `dag_ids`.

    Raises
    ------
    StackError
        If a DAG file cannot be imported (the message has the reason), or no DAG was added for `STILL_S`.
    """
    patience = Patience(STILL_S)
    while missing := dag_ids - (parsed := api.dag_ids()):
        if errors := api.import_errors():
            raise StackError("Airflow cannot import a DAG file:\n" + "\n".join(errors))
        if patience.is_over(parsed):
            raise StackError(
                f"Airflow has parsed no new DAG for {minutes(patience)}; missing: {', '.join(sorted(missing))}. "
                "Look at `segue logs dag-processor`."
            )
        time.sleep(POLL_S)


def wait_until_deferred(api: AirflowApi, dag_id: str) -> str:
    """Wait until a run of `dag_id` is deferred in its sensor.

    Returns
    -------
    str
        Id of the run.

    Raises
    ------
    StackError
        If there is no progress for `STILL_S`.
    """
    patience = Patience(STILL_S)
    while True:
        runs = {run_id: api.tasks(dag_id, run_id) for run_id in api.runs(dag_id, "running")}
        for run_id, tasks in runs.items():
            if any(task.state == "deferred" for task in tasks):
                return run_id
        if patience.is_over((runs, _work(api))):
            raise StackError(
                f"No run of {dag_id} waits for events, and nothing has moved for {minutes(patience)}. "
                "Look at it in the Airflow UI."
            )
        time.sleep(POLL_S)


def follow(api: AirflowApi, dag_id: str, run_id: str, console: PlainConsole) -> None:
    """Show the tasks of a run until it ends.

    Parameters
    ----------
    api : AirflowApi
        API of the Airflow with the run.
    dag_id, run_id : str
        The run.
    console : segue.console.PlainConsole
        Console to print to.

    Raises
    ------
    StackError
        If the run fails; the message has the end of the failed task's log. Also if, for `STILL_S`, no task has
        changed its state and no log has a new line. While the run waits for its turn, new log lines of any running
        task count as progress.
    """
    lines, patience = _TaskLines(dag_id, console), Patience(STILL_S)
    with lines.progress:
        while True:
            state = api.run_state(dag_id, run_id)
            tasks = api.tasks(dag_id, run_id)
            logs = {task.task_id: _newest_log_line(api, dag_id, run_id, task) for task in tasks}
            for task in tasks:
                lines.show(task, logs[task.task_id][:SHOWN_CHARACTERS])
            lines.show_running(tasks, logs)
            if state in FINISHED:
                break
            if patience.is_over((state, tasks, logs if any(logs.values()) else _work(api))):
                raise StackError(
                    f"Nothing has moved in {dag_id} for {minutes(patience)}: no task has changed its state, and "
                    "no log has a new line. The run continues: look at it in the Airflow UI."
                )
            time.sleep(POLL_S)
    if state == "failed":
        raise StackError(_why_it_failed(api, dag_id, run_id, tasks))


def minutes(patience: Patience) -> str:
    """Return the time after which a wait ends, as text."""
    return f"{patience.still_s / 60:.0f} minutes"


def _work(api: AirflowApi) -> list[tuple[str, str, str]]:
    """Return the newest log line of every running task of every DAG."""
    return [
        (dag_id, run_id, _newest_log_line(api, dag_id, run_id, task)) for dag_id, run_id, task in api.running()
    ]


def _newest_log_line(api: AirflowApi, dag_id: str, run_id: str, task: TaskState) -> str:
    if task.state != "running":
        return ""
    lines = _text_lines(api, dag_id, run_id, task)
    return lines[-1] if lines else ""


def _why_it_failed(api: AirflowApi, dag_id: str, run_id: str, tasks: list[TaskState]) -> str:
    failed = [task for task in tasks if task.state == "failed"]
    if not failed:
        return f"{dag_id} failed without a failed task: look at the run in the Airflow UI."
    lines = _text_lines(api, dag_id, run_id, failed[0])
    end = "\n".join(f"    {line}" for line in lines[-SHOWN_LOG_LINES:])
    return f"{dag_id}.{failed[0].task_id} failed. The end of its log:\n{end}"


def _text_lines(api: AirflowApi, dag_id: str, run_id: str, task: TaskState) -> list[str]:
    """Return the lines of a log, without empty lines and Airflow's fold marks."""
    lines = (line.strip() for line in api.log_lines(dag_id, run_id, task))
    return [line for line in lines if line and not line.startswith("::")]
