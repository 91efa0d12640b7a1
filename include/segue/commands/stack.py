"""``segue up | down | status | logs | airflow | jars | clean``: manage the embedded stack."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from segue.console import PlainConsole
from segue.errors import StackError
from segue.settings import get_settings

if TYPE_CHECKING:
    from segue.settings import Settings
    from segue.stack.memory import Usage
    from segue.stack.service import Service, State

COLOURS = {"healthy": "green", "unhealthy": "yellow", "suspended": "yellow", "dead": "red", "stopped": "dim"}
NO_LOGS = "There are no logs yet. Start the stack with `segue up`."


def up() -> None:
    """Start Kafka, the document server and Airflow, and wait until they work.

    Services that are running are left alone, and dead ones are restarted. Only this machine can connect to them.
    Until `segue down`, a supervisor starts each service again that dies.
    """
    from segue.backup.restoring import require_whole
    from segue.demo.airflow_api import AirflowApi
    from segue.demo.watch import wait_for_dags
    from segue.overview.dags import DAGS
    from segue.stack import airflow, documents, lifecycle

    settings, console = get_settings(), PlainConsole()
    require_whole(settings)
    with console.status("Starting the stack…"):
        lifecycle.up(settings, say=console.print)
    for remark in documents.remarks(settings):
        console.print(remark, soft_wrap=True)
    login = airflow.login(settings)
    with console.status("Airflow reads the DAGs…"), AirflowApi(login.url, login.username, login.password) as api:
        wait_for_dags(api, set(DAGS))
        paused = api.paused()
    console.print(_paused(paused), soft_wrap=True)
    console.print(_airflow(settings), soft_wrap=True)
    console.print("Stop it with `segue down`.")


def unpause(
    dags: Annotated[
        list[str] | None, typer.Argument(help="Ids of DAGs, such as corpus. Default: all that are paused.")
    ] = None,
) -> None:
    """Start the schedules of paused DAGs. To pause one, use its switch in Airflow's UI."""
    from segue.demo.airflow_api import AirflowApi
    from segue.stack import airflow, lifecycle

    login = airflow.login(lifecycle.running(get_settings()))
    with AirflowApi(login.url, login.username, login.password) as api:
        paused = api.paused()
        if unknown := set(dags or ()) - api.dag_ids():
            raise StackError(f"There is no DAG {', '.join(sorted(unknown))}.")
        started = [dag_id for dag_id in paused if not dags or dag_id in dags]
        for dag_id in started:
            api.set_paused(dag_id, paused=False)
    if not started:
        raise StackError("None of these DAGs is paused.")
    typer.echo(f"Started: {', '.join(started)}.")


def down() -> None:
    """Stop all processes of the stack. Its data stay."""
    from segue.stack import lifecycle

    console = PlainConsole()
    with console.status("Stopping the stack…"):
        lifecycle.down(get_settings(), say=console.print)


def status() -> None:
    """Show process, port, health, memory and log file of each service, and what a store has lost.

    A service is healthy if it works: Kafka and the document server must keep and return a record.
    """
    from segue import disk
    from segue.connections import kafka, offsets
    from segue.demo.airflow_api import AirflowApi
    from segue.stack import airflow, documents, lifecycle, restarts, suspensions

    settings = lifecycle.running(get_settings())
    console = PlainConsole()
    if not settings.state_dir.exists():
        console.print("Nothing is running. Start it with `segue up`.")
        return
    services = lifecycle.services(settings)
    used = [service.usage() for service in services]
    states = [service.state() for service in services]
    console.print(_table(settings, zip(services, states, used, strict=True)))
    total = sum(usage.held_bytes for usage in used)
    console.print(f"Total memory: {total / 1e6:,.0f} MB (PSS: shared pages counted once)")
    excesses = (usage.excess for usage in used)
    troubles = [*filter(None, (disk.fullness_of_stack(settings.state_dir), *excesses))]
    for trouble in [*troubles, *restarts.remarks(settings.state_dir)]:
        console.print(trouble, style="yellow", soft_wrap=True)
    for suspension in suspensions.recent(settings.state_dir, time.time()):
        console.print(str(suspension), soft_wrap=True)
    healthy = {service.name for service, state in zip(services, states, strict=True) if state == "healthy"}
    if "mongo" in healthy:
        _print_losses(settings, console)
    if "kafka" in healthy:
        waiting = offsets.backlog(kafka.config(settings), settings.listens_topic, settings.live_group).size
        console.print(f"{waiting:,} listens wait for the live recommendations.")
    for remark in documents.remarks(settings):
        console.print(remark, soft_wrap=True)
    if any(service.process() for service in services):
        login = airflow.login(settings)
        if "api-server" in healthy:
            with AirflowApi(login.url, login.username, login.password) as api:
                console.print(_paused(api.paused()), soft_wrap=True)
        console.print(_airflow(settings), soft_wrap=True)
    else:
        console.print("Nothing is running. Start it with `segue up`.")


def replicate() -> None:
    """Give each topic in Kafka as many replicas as its brokers allow, up to three.

    Topics get their replicas when they are created. Use this command after brokers were added. It may run while
    listens arrive, and may be repeated.
    """
    from segue.connections import durability

    console = PlainConsole()
    with console.status("Kafka copies the topics…"):
        said = durability.replicate(get_settings())
    console.print(said, soft_wrap=True)


def logs(
    service: Annotated[
        str | None, typer.Argument(help="A service, such as kafka or scheduler. Default: all services.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", "-f", help="Print new lines as they arrive, until Ctrl-C.")
    ] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Number of lines of each log.")] = 20,
) -> None:
    """Print the last lines of the services' logs.

    The logs of tasks are in Airflow's UI: click a task, then Logs.
    """
    from segue.stack import lifecycle

    settings = lifecycle.running(get_settings())
    if not settings.state_dir.exists():
        raise StackError(NO_LOGS)
    found = {each.name: each.log for each in lifecycle.services(settings)}
    if service is not None and service not in found:
        raise typer.BadParameter(f"there is no service {service!r}. The services are: {', '.join(found)}")
    files = [log for name, log in found.items() if service in {None, name} and log.exists()]
    if not files:
        raise StackError(NO_LOGS)
    command = ["tail", "-n", str(lines), *(["-F"] if follow else []), *map(str, files)]
    raise typer.Exit(subprocess.run(command, check=False).returncode)


def airflow(
    arguments: Annotated[
        list[str],
        typer.Argument(
            help="Arguments of the command `airflow`, such as `backfill create --help` or `dags list`."
        ),
    ],
) -> None:
    """Run Airflow's command line in this corpus' Airflow, for example for backfills."""
    from segue.stack import airflow, lifecycle
    from segue.stack.airflow_environment import environment

    settings = lifecycle.running(get_settings())
    if not settings.state_dir.exists():
        raise StackError("There is no Airflow yet. Start the stack with `segue up`.")
    command = [airflow.program(), *arguments]
    raise typer.Exit(subprocess.run(command, env=os.environ | environment(settings), check=False).returncode)


def jars(
    class_archive: Annotated[
        bool, typer.Option(help="Also make an archive of Spark's classes: short jobs take less CPU time.")
    ] = True,
) -> None:
    """Download the missing JVM jars of Kafka and Spark. `segue up` does this too."""
    from segue.stack import archiving, jars

    settings, console = get_settings(), PlainConsole()
    with console.status("Downloading the JVM jars…"):
        for folder in jars.fetch(settings):
            console.print(f"Downloaded the jars of {folder} to {settings.jars_dir / folder}.")
    if class_archive:
        try:
            archiving.make(settings, console.print)
        except StackError as error:
            console.print(f"{error}\nJobs work without the archive, and start more slowly.")


def clean(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Stop the stack, and delete all its data for this corpus: databases, lake, models, logs."""
    from segue.stack import lifecycle

    settings = get_settings()
    if not yes:
        typer.confirm(f"Delete {settings.state_dir} with everything in it?", abort=True)
    lifecycle.clean(settings, say=typer.echo)


def _paused(dags: Sequence[str]) -> str:
    """Say which DAGs are paused and how to start them."""
    if not dags:
        return "All DAGs are on."
    return (
        f"Paused DAGs: {', '.join(dags)}. They run only when they are triggered. `segue unpause` starts them all, "
        "`segue unpause DAG` starts one."
    )


def _print_losses(settings: Settings, console: PlainConsole) -> None:
    from segue.connections import mongo
    from segue.listens import losses

    with mongo.client(settings.mongo) as client:
        for loss in losses.find(client[settings.mongo_database], settings):
            console.print(loss.sentence, style="red", soft_wrap=True)


def _airflow(settings: Settings) -> str:
    from segue.stack import airflow

    admin, viewer = airflow.login(settings), airflow.viewer(settings)
    return (
        f"Airflow: {admin.url}  user {admin.username}, password {admin.password}\n"
        f"To look only: user {viewer.username}, password {viewer.password}"
    )


def _table(settings: Settings, rows: Iterable[tuple[Service, State, Usage]]) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title=f"Corpus {settings.corpus} in {settings.state_dir}",
        title_justify="left",
    )
    table.add_column("Service", no_wrap=True)
    table.add_column("State", no_wrap=True, min_width=max(map(len, COLOURS)))
    for heading in ("PID", "Port"):
        table.add_column(heading, no_wrap=True)
    table.add_column("Memory", justify="right", no_wrap=True)
    table.add_column("Log", no_wrap=True)
    for service, state, usage in rows:
        table.add_row(*_row(service, state, usage))
    return table


def _row(service: Service, state: State, usage: Usage) -> list[str | Text]:
    process = service.process()
    return [
        service.name,
        Text(state, style=COLOURS[state]),
        str(process.pid) if process else "",
        " ".join(map(str, service.ports.values())),
        f"{usage.held_bytes / 1e6:,.0f} MB" if process else "",
        str(service.log.relative_to(service.state_dir)),
    ]
