"""The whole stack, with Airflow."""

from __future__ import annotations

import ipaddress

import httpx
import psutil
import pytest

from segue.stack import lifecycle, processes
from segue.stack.airflow import COMMANDS
from segue.stack.service import State

pytestmark = pytest.mark.integration


@pytest.fixture
def services(settings, stack):  # noqa: ARG001 - which is to run
    yield {service.name: service for service in lifecycle.services(settings)}
    lifecycle.up(settings)


@pytest.fixture
def airflow(stack):
    with httpx.Client(base_url=stack.url, timeout=30) as client:
        answer = client.post("/auth/token", json={"username": stack.username, "password": stack.password})
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


def test_everything_is_healthy(services):
    assert {service.state() for service in services.values()} == {State.HEALTHY}


def test_nothing_listens_beyond_loopback(settings, services):
    listening = {
        connection.laddr
        for process in processes.of(settings.state_dir)
        for connection in process.net_connections()
        if connection.status == "LISTEN"
    }
    ports = {port for service in services.values() for port in service.ports.values()}
    assert ports <= {address.port for address in listening}
    for address in listening:
        ip = ipaddress.ip_address(address.ip)
        assert (getattr(ip, "ipv4_mapped", None) or ip).is_loopback, address


def test_no_login_no_answer(stack):
    assert httpx.get(f"{stack.url}/api/v2/dags").status_code == 401


def test_the_pool_lets_one_spark_application_run(airflow):
    assert airflow.get("/api/v2/pools/spark").json()["slots"] == 1


def test_the_dags_of_the_project_are_read_without_an_error_and_no_examples(airflow):
    assert airflow.get("/api/v2/importErrors").json()["import_errors"] == []
    dags = airflow.get("/api/v2/dags").json()["dags"]
    assert not [dag["dag_id"] for dag in dags if dag["dag_id"].startswith("example_")]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_component_is_started_again_and_the_others_are_left_alone(settings, services, name):
    others = {service.name: service.process() for service in services.values() if service.name != name}
    killed = services[name].process()
    killed.kill()
    killed.wait()
    assert services[name].state() is State.DEAD
    lifecycle.up(settings)
    assert {service.state() for service in services.values()} == {State.HEALTHY}
    assert {other: services[other].process() for other in others} == others


def test_the_stack_comes_back_when_every_process_was_killed_at_once(settings, services, airflow):
    family = processes.of(settings.state_dir)
    for process in family:
        process.kill()
    psutil.wait_procs(family)
    lifecycle.up(settings)
    assert {service.state() for service in services.values()} == {State.HEALTHY}
    assert airflow.get("/api/v2/pools/spark").status_code == 200
