"""Leases in a real document server: one holder at a time, and a dead holder keeps nobody waiting for ever."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from segue.connections import leases
from segue.errors import ServiceUnavailableError
from segue.settings import Settings

pytestmark = pytest.mark.integration
NAME = "recommender"
HOLD = """
import sys, time
from segue.connections import leases, mongo
from segue.settings import get_settings
with mongo.client(get_settings().mongo) as client, leases.held(client[sys.argv[1]], "recommender", "train"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LASTS_S", 1.5)
    monkeypatch.setattr(leases, "RENEWED_S", 0.3)
    monkeypatch.setattr(leases, "POLL_S", 0.1)


@pytest.fixture
def database(mongo: Database[Any]) -> Iterator[Database[Any]]:
    yield mongo
    mongo[leases.COLLECTION].drop()


def test_a_second_job_is_refused_while_the_first_renews(database: Database[Any]) -> None:
    with (
        leases.held(database, NAME, "train-recommender"),
        pytest.raises(ServiceUnavailableError, match="train-recommender does so on") as refused,
        leases.held(database, NAME, "retrain-incrementally"),
    ):
        pass
    assert refused.value.retry_may_help
    with leases.held(database, NAME, "retrain-incrementally"):
        assert database[leases.COLLECTION].count_documents({"job": "retrain-incrementally"}) == 1
    assert not database[leases.COLLECTION].count_documents({})


def test_other_things_are_free(database: Database[Any]) -> None:
    with leases.held(database, NAME, "train"), leases.held(database, "genre", "train"):
        assert database[leases.COLLECTION].count_documents({}) == 2


def test_a_killed_holder_on_this_machine_is_succeeded_at_once(
    database: Database[Any], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LASTS_S", 600)  # so that only its death can free it
    command = [sys.executable, "-c", HOLD, database.name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert settings.mongo  # the process has it from the environment
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.kill()
        holder.wait()
        with leases.held(database, NAME, "next"):
            assert database[leases.COLLECTION].count_documents({"job": "next"}) == 1


def test_a_holder_elsewhere_that_does_not_renew_is_waited_for(database: Database[Any]) -> None:
    now = datetime.now(UTC)
    gone = {"host": f"not-{socket.gethostname()}", "pid": 1, "born": 0.0, "job": "train", "since": now}
    until = now + timedelta(seconds=1)
    database[leases.COLLECTION].insert_one({"_id": NAME, **gone, "until": until})
    with leases.held(database, NAME, "next"):
        assert datetime.now(UTC) >= until


def test_who_has_lost_the_lease_is_told_so(database: Database[Any]) -> None:
    def be_suspended() -> None:
        with leases.held(database, NAME, "train"):
            database[leases.COLLECTION].update_one({"_id": NAME}, {"$set": {"host": "another"}})
            [thread] = [each for each in threading.enumerate() if each.name == f"lease of {NAME}"]
            thread.join(10)

    with pytest.raises(ServiceUnavailableError, match="another job has changed recommender"):
        be_suspended()
    assert database[leases.COLLECTION].count_documents({"host": "another"}) == 1, "it is not the loser's to remove"


def test_only_a_lake_in_an_object_store_has_one(database: Database[Any], settings: Settings) -> None:
    local = settings.model_copy(update={"lake": "/somewhere"})
    with leases.of_lake(local, "corpus", "extract"):
        assert not database[leases.COLLECTION].count_documents({})
