"""Follow a DAG run in the terminal: one live line per task, with the newest line of its log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from segue.demo.airflow_api import FINISHED, AirflowApi, TaskState
from segue.errors import StackError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

POLL_S = 1.5
PARSED_WITHIN_S = 120
ENDED_WITHIN_S = 3_600
SHOWN_LOG_LINES = 8


class _TaskLines:
    """The lines of one run: a terminal sees them move, a log file gets one line per finished task."""

    def __init__(self, dag_id: str, console: Console) -> None:
        self._dag_id = dag_id
        self._console = console
        self._lines: dict[str, TaskID] = {}
        self._done: set[str] = set()
        self.progress = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            TextColumn("{task.fields[state]:<10}"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[log]}"),
            console=console,
            disable=not console.is_terminal,
        )

    def show(self, task: TaskState, log: str) -> None:
        """Bring the line of ``task`` up to date."""
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
                self._console.print(f"{self._dag_id}.{task.task_id}: {task.state} {seconds}", highlight=False)


def wait_for_dags(api: AirflowApi, dag_ids: set[str]) -> None:
    """Wait until Airflow has parsed all of `dag_ids`.

    Raises
    ------
    StackError
        If a DAG file cannot be imported (the message has the reason), or one is not parsed in time.
    """
    give_up = time.monotonic() + PARSED_WITHIN_S
    while missing := dag_ids - api.dag_ids():
        if errors := api.import_errors():
            raise StackError("Airflow cannot import a DAG file:\n" + "\n".join(errors))
        if time.monotonic() > give_up:
            raise StackError(
                f"Airflow has not parsed {', '.join(sorted(missing))} within {PARSED_WITHIN_S} s. "
                "Look at `segue logs dag-processor`."
            )
        time.sleep(POLL_S)


def wait_until_deferred(api: AirflowApi, dag_id: str) -> str:
    """Wait until a running run of `dag_id` waits in its deferrable sensor.

    Returns
    -------
    str
        The run's id.

    Raises
    ------
    StackError
        If there is no such run in time.
    """
    give_up = time.monotonic() + ENDED_WITHIN_S
    while time.monotonic() < give_up:
        for run_id in api.runs(dag_id, "running"):
            if any(task.state == "deferred" for task in api.tasks(dag_id, run_id)):
                return run_id
        time.sleep(POLL_S)
    raise StackError(f"No run of {dag_id} waits for events. Look at it in the Airflow UI.")


def follow(api: AirflowApi, dag_id: str, run_id: str, console: Console) -> None:
    """Show a run until it ends.

    Parameters
    ----------
    api : AirflowApi
        Where the run is.
    dag_id, run_id : str
        Which run.
    console : rich.console.Console
        Where to show it.

    Raises
    ------
    StackError
        If the run fails (the message has the end of the failed task's log) or does not end in time.
    """
    lines = _TaskLines(dag_id, console)
    give_up = time.monotonic() + ENDED_WITHIN_S
    with lines.progress:
        while True:
            state = api.run_state(dag_id, run_id)
            tasks = api.tasks(dag_id, run_id)
            for task in tasks:
                lines.show(task, _newest_log_line(api, dag_id, run_id, task))
            if state in FINISHED:
                break
            if time.monotonic() > give_up:
                raise StackError(
                    f"{dag_id} has not ended after {ENDED_WITHIN_S} s. It goes on: look at it in the Airflow UI."
                )
            time.sleep(POLL_S)
    if state == "failed":
        raise StackError(_why_it_failed(api, dag_id, run_id, tasks))


def _newest_log_line(api: AirflowApi, dag_id: str, run_id: str, task: TaskState) -> str:
    if task.state != "running":
        return ""
    lines = _text_lines(api, dag_id, run_id, task)
    return lines[-1][:60] if lines else ""


def _why_it_failed(api: AirflowApi, dag_id: str, run_id: str, tasks: list[TaskState]) -> str:
    failed = [task for task in tasks if task.state == "failed"]
    if not failed:
        return f"{dag_id} failed without a failed task: look at the run in the Airflow UI."
    lines = _text_lines(api, dag_id, run_id, failed[0])
    end = "\n".join(f"    {line}" for line in lines[-SHOWN_LOG_LINES:])
    return f"{dag_id}.{failed[0].task_id} failed. The end of its log:\n{end}"


def _text_lines(api: AirflowApi, dag_id: str, run_id: str, task: TaskState) -> list[str]:
    """Return the lines of a log without empty ones and without Airflow's fold marks."""
    lines = (line.strip() for line in api.log_lines(dag_id, run_id, task))
    return [line for line in lines if line and not line.startswith("::")]
