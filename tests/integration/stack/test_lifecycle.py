"""Up and down of the light services, in homes of their own."""

from __future__ import annotations

import socket
import threading

import pytest

from segue.errors import StackError
from segue.settings import Settings
from segue.stack import kafka, lifecycle, processes
from segue.stack.service import State

pytestmark = pytest.mark.integration

PARTS = ["kafka", "mongo", "supervisor"]


@pytest.fixture
def own(tmp_path, settings, free_ports):
    """Give each test a home and ports of its own, and leave nothing running in it."""
    kafka_port, controller_port, mongo_port = free_ports(3)
    made = Settings(
        home=tmp_path,
        corpus="first",
        jars=settings.jars_dir,
        kafka_port=kafka_port,
        kafka_controller_port=controller_port,
        mongo_port=mongo_port,
    )
    yield made
    lifecycle.down(made)


def states(settings: Settings) -> set[State]:
    return {service.state() for service in lifecycle.services(settings, PARTS)}


def test_down_leaves_no_process_and_up_starts_again(own):
    lifecycle.up(own, PARTS)
    assert states(own) == {State.HEALTHY}
    lifecycle.down(own)
    assert processes.of(own.state_dir) == []
    assert states(own) == {State.STOPPED}
    lifecycle.up(own, PARTS)
    assert states(own) == {State.HEALTHY}


def test_another_corpus_of_the_same_home_takes_over(own):
    said: list[str] = []
    lifecycle.up(own, PARTS)
    second = own.model_copy(update={"corpus": "second"})
    lifecycle.up(second, PARTS, said.append)
    assert "Stopping the stack of the corpus first: only one runs at a time." in said
    assert states(second) == {State.HEALTHY}
    assert processes.of(own.state_dir) == []
    assert lifecycle.running(own).corpus == "second"


def test_status_asks_where_the_stack_runs_though_the_settings_have_changed(own):
    lifecycle.up(own, PARTS)
    changed = own.model_copy(update={"corpus": "other", "mongo_port": own.airflow_port})
    assert lifecycle.running(changed) == own


def test_up_after_an_upgrade_restarts_only_what_has_changed(own, monkeypatch):
    def running() -> dict[str, int]:
        return {service.name: service.process().pid for service in lifecycle.services(own, PARTS)}

    lifecycle.up(own, PARTS)
    before, said = running(), []
    monkeypatch.setattr(kafka, "LOG4J2", kafka.LOG4J2 + "# of the next version\n")
    lifecycle.up(own, PARTS, said.append)
    after = running()
    assert after["mongo"] == before["mongo"]
    assert after["kafka"] != before["kafka"]
    assert said[0] == "kafka runs with older code or other settings, and is restarted."
    assert states(own) == {State.HEALTHY}


def test_a_taken_port_starts_nothing(own):
    with (
        socket.create_server(("127.0.0.1", own.mongo_port)),
        pytest.raises(StackError, match=f"Port {own.mongo_port}.*SEGUE_MONGO_PORT"),
    ):
        lifecycle.up(own, PARTS)
    assert processes.of(own.state_dir) == []


def test_a_service_that_cannot_start_takes_down_what_was_started_with_it(own):
    (own.state_dir / "mongo" / "data" / "WiredTiger").mkdir(parents=True)  # a folder where the server has a file
    with pytest.raises(StackError, match="mongo ended while starting"):
        lifecycle.up(own, PARTS)
    assert processes.of(own.state_dir) == []


def test_a_second_up_at_the_same_time_is_refused(own):
    in_the_middle, go_on = threading.Event(), threading.Event()

    def say(_: str) -> None:
        in_the_middle.set()
        go_on.wait(60)

    first = threading.Thread(target=lifecycle.up, args=(own, ["mongo"], say))
    first.start()
    try:
        assert in_the_middle.wait(60)
        with pytest.raises(StackError, match=r"Another `segue up`.*Wait until it has finished"):
            lifecycle.up(own, ["mongo"])
    finally:
        go_on.set()
        first.join()
    assert states(own) == {State.HEALTHY, State.STOPPED}


def test_clean_removes_the_state_of_this_corpus_only(own):
    (own.home / "another").mkdir()
    lifecycle.up(own, ["mongo"])
    lifecycle.clean(own)
    assert not own.state_dir.exists()
    assert (own.home / "another").exists()
    assert processes.of(own.state_dir) == []
