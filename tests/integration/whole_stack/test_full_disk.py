"""The disk with Airflow's database and logs is full: it is said, and Airflow recovers when there is space."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from tests.support.api_server import eventually

from segue.settings import Settings
from segue.stack import airflow, lifecycle, supervisor
from segue.stack.service import State

pytestmark = pytest.mark.integration


def test_airflow_works_again_when_its_full_disk_has_space(
    settings: Settings, stack: airflow.Login, airflow_disk: Callable[[int | None], None] | None
) -> None:
    if airflow_disk is None:
        pytest.skip("needs root, to mount a small file system")
    services = [*airflow.services(settings), supervisor.service(settings)]
    others = [each for each in airflow.services(settings) if each.name != airflow.API_SERVER]
    said = f"Disk full: {settings.state_dir / 'airflow'} has 0 MB left."
    with httpx.Client(base_url=stack.url, timeout=60) as client:
        login = {"username": stack.username, "password": stack.password}
        token = client.post("/auth/token", json=login).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"

        def trigger() -> httpx.Response:
            return client.post("/api/v2/dags/genre_model/dagRuns", json={"logical_date": None})

        airflow_disk(0)
        try:
            # Which of them end by themselves depends on what Airflow has to write in these minutes.
            for ended in [each.process() for each in others]:
                assert ended
                ended.kill()
            eventually(lambda: said in supervisor.service(settings).log.read_text())
            refused = trigger()
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "60")
            assert refused.json()["detail"].startswith(said)
            assert client.get("/api/v2/dags").is_success
        finally:
            airflow_disk(None)
        eventually(lambda: {each.state() for each in services} == {State.HEALTHY}, timeout_s=600)
        run = trigger()  # the DAG is paused, so nothing is trained
        assert run.is_success
        path = f"/api/v2/dags/genre_model/dagRuns/{run.json()['dag_run_id']}"
        assert client.delete(path).is_success
    assert {each.state() for each in lifecycle.services(settings)} == {State.HEALTHY}
