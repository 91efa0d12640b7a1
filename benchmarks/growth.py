"""Measure how fast the stores of the running stack grow: by listen, and by run of a DAG."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import httpx
import typer

from segue.api.accounts import Accounts
from segue.connections import mongo
from segue.demo.airflow_api import FINISHED, AirflowApi
from segue.settings import Settings, get_settings
from segue.stack import airflow

BATCH = 500


def sizes(settings: Settings) -> dict[str, int]:
    """Measure the space on the disk, in bytes.

    Returns
    -------
    dict of str to int
        By store.
    """
    state, kafka = settings.state_dir, settings.state_dir / "kafka" / "data"
    return {
        "Kafka, topic listens": sum(map(on_disk, kafka.glob(f"{settings.listens_topic}-*"))),
        "MongoDB": on_disk(state / "mongo" / "data"),
        "lake": on_disk(Path(settings.lake_uri)),
        # Without its write-ahead log, which takes up to 4 MB however many runs there are.
        "Airflow's database": on_disk(state / "airflow" / "airflow.db"),
        "logs of tasks": on_disk(state / "airflow" / "logs"),
        "logs of services": on_disk(state / "logs"),
    }


def on_disk(path: Path) -> int:
    """Return the space that a file, or all files of a folder, take."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_blocks * 512 for file in files if file.is_file())


def measure(title: str, parts: int, settings: Settings, work: Callable[[], None]) -> None:
    """Do some work, and print by how much each store has grown for each of its parts."""
    before = sizes(settings)
    work()
    time.sleep(10)  # the followers of Kafka write after the answer
    after = sizes(settings)
    print(f"\n{title}")
    for name, size in after.items():
        print(f"  {name:22} {(size - before[name]) / parts:12,.0f} bytes, now {size / 1e6:,.1f} MB", flush=True)


def plays(count: int, end: int) -> Iterator[dict[str, object]]:
    """Yield plays with names of usual length, one every 200 seconds, up to the time `end`."""
    for number in range(count):
        names = {
            "artist_name": f"Artist number {number * 7 % 997}",
            "track_name": f"A title of usual length {number * 13 % 4999}",
            "release_name": f"An album {number % 499}",
        }
        info = {
            "media_player": "Navidrome",
            "submission_client": "navidrome",
            "duration_ms": 200_000 + number % 997,
        }
        yield {"listened_at": end - 200 * (count - number), "track_metadata": names | {"additional_info": info}}


def submit(settings: Settings, token: str, count: int) -> None:
    """Send plays to the listens API."""
    items = list(plays(count, int(time.time())))
    address = {"base_url": f"http://127.0.0.1:{settings.api_port}", "headers": {"Authorization": f"Token {token}"}}
    with httpx.Client(**address, timeout=60, trust_env=False) as client:  # type: ignore[arg-type]
        while items:
            body = {"listen_type": "import", "payload": items[-BATCH:]}
            answer = client.post("/1/submit-listens", json=body)
            if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
                time.sleep(1)
                continue
            answer.raise_for_status()
            del items[-BATCH:]


def main(
    listens: Annotated[int, typer.Option(help="How many listens to send.")] = 50_000,
    runs: Annotated[int, typer.Option(help="How many runs of each DAG to start.")] = 5,
) -> None:
    """Send listens to the running stack and run DAGs, and print by how much each store grows."""
    settings = get_settings()
    with mongo.client(settings.mongo) as client:
        token = Accounts(client[settings.mongo_database]).add(f"growth-{uuid4().hex[:8]}")
    measure("for each listen", listens, settings, lambda: submit(settings, token, listens))
    who = airflow.login(settings)
    with AirflowApi(who.url, who.username, who.password) as api:

        def run(dag: str) -> None:
            started = api.trigger(dag, {})
            while (state := api.run_state(dag, started)) not in FINISHED:
                time.sleep(1)
            if state != "success":
                raise typer.Exit(1)

        api.set_paused("listens", paused=False)
        measure("lake, for each listen", listens, settings, lambda: run("listens"))
        for dag in ("listens", "maintenance"):
            measure(f"for each run of {dag}", runs, settings, lambda dag=dag: [run(dag) for _ in range(runs)])


if __name__ == "__main__":
    typer.run(main)
