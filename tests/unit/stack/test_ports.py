from __future__ import annotations

import socket

from segue.settings import Settings
from segue.stack import ports


def test_a_second_stack_gets_a_different_free_port_for_each_setting():
    found = ports.for_a_stack()
    settings = Settings(**found)  # which refuses a port that is given twice
    assert settings.kafka_port == found["kafka_port"]
    for port in found.values():
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_port_in_use_is_not_found(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        used = server.getsockname()[1]
        [other] = ports.find_free(1)
        drawn = iter([used, other, other, other + 1])
        monkeypatch.setattr(ports.random, "randrange", lambda *_: next(drawn))
        assert ports.find_free(2)[0] == other
