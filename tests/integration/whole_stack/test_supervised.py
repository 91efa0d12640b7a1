"""Whatever service of the stack is killed, it works again without anybody's help."""

from __future__ import annotations

import pytest
from tests.support.api_server import eventually

from segue.settings import Settings
from segue.stack import airflow, lifecycle, restarts, supervisor
from segue.stack.service import State

pytestmark = pytest.mark.integration


def test_each_service_is_started_again_and_becomes_healthy(settings: Settings, stack: airflow.Login) -> None:
    assert stack.url
    services = {each.name: each for each in lifecycle.services(settings)}
    watched = {name: each for name, each in services.items() if name != supervisor.NAME}
    assert len(watched) == 8
    before = {name: each.process() for name, each in watched.items()}
    for process in before.values():
        assert process
        process.kill()
    eventually(lambda: all(each.process() not in (before[name], None) for name, each in watched.items()))
    eventually(lambda: {each.state() for each in services.values()} == {State.HEALTHY}, timeout_s=300)
    assert {remark.split()[0] for remark in restarts.remarks(settings.state_dir)} >= set(watched)
