"""Another user of the machine, who knows no password, reads and changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from typing import Any

import pytest
from pymongo.database import Database

from segue.connections import mongo as connections
from segue.connections import offsets, topics
from segue.connections.kafka import Config
from segue.errors import ServiceUnavailableError
from segue.settings import PROJECT_DIR, Settings
from segue.stack import processes, secrets

pytestmark = [pytest.mark.integration, pytest.mark.embedded_documents]


def test_another_user_reads_no_account_takes_over_none_and_forges_no_listen(
    settings: Settings, kafka: Config, mongo: Database[dict[str, Any]]
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    topics.create_listens_topic(kafka, "nobody")
    state, pids = settings.state_dir, [process.pid for process in processes.of(settings.state_dir)]
    request = {
        "topic": "nobody",
        "kafka_port": settings.kafka_port,
        "mongo_port": settings.mongo_port,
        "mongo": settings.mongo,
        "kafka": dict(kafka),
        "folders": [str(state / each) for each in ("", "airflow", "kafka", "mongo", "spark/conf", "logs", "run")],
        "pids": pids,
    }
    answer = subprocess.run(
        [sys.executable, "-m", "tests.support.nobody"],
        cwd=PROJECT_DIR,
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(answer.stdout.splitlines()[-1])
    assert told["possible"] == ["read", "write", "create a user", "forge"], "the attempts themselves are wrong"
    assert told["done"] == []
    assert told["read"] == []
    assert offsets.whole_topic(kafka, "nobody").size == 1  # the one with the login
    assert len(told["shown"]) == len(pids) >= 2
    passwords = asdict(secrets.load(settings)).values()
    assert not [shown for shown in told["shown"] if any(password in shown for password in passwords)]
    mongo.client.drop_database("nobody")


def test_a_client_without_the_password_is_told_so_in_one_sentence(
    settings: Settings,
    mongo: Database[dict[str, Any]],  # noqa: ARG001 - which is to run
) -> None:
    open_to_all = f"mongodb://127.0.0.1:{settings.mongo_port}/?directConnection=true"
    with (
        pytest.raises(ServiceUnavailableError, match=rf"127\.0\.0\.1:{settings.mongo_port} refuses the login"),
        connections.database(open_to_all) as database,
    ):
        database["tracks"].find_one()
