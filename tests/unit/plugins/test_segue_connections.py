from __future__ import annotations

import json

import pytest

from segue.connections import for_airflow
from segue.settings import Settings

ELSEWHERE = {
    "kafka_default": (
        {"extra": {"bootstrap.servers": "elsewhere:1", "sasl.password": "hush"}},
        "bootstrap.servers",
    ),
    "mongo_default": (
        {"host": "127.0.0.1:1", "login": "me", "password": "hush"},
        "host, journal, login, password",
    ),
    "spark_default": ({"host": "spark://elsewhere", "port": 7077}, "host"),
}


@pytest.fixture
def plugin():
    import segue_connections

    return segue_connections


@pytest.fixture
def fetch(plugin, monkeypatch):
    """Return a function that defines a connection in Airflow and fetches it as a task does."""

    def run(name, fields):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(fields))
        return plugin.BaseHook.get_connection(name)

    return run


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_connection_that_differs_from_the_settings_is_named_without_its_secrets(plugin, fetch, caplog, name):
    derived = for_airflow.connections(Settings())[name]
    plugin.checked(fetch(name, derived), name)
    assert caplog.text == ""
    changed, fields = ELSEWHERE[name]
    plugin.checked(fetch(name, {"conn_type": derived["conn_type"]} | changed), name)
    assert f"Connection '{name}' differs from the SEGUE_ settings in" in caplog.text
    for field in fields.split(", "):
        assert field in caplog.text
    assert "hush" not in caplog.text


def test_tasks_open_mongodb_where_the_connection_says(plugin, fetch):
    fetch("mongo_default", {"conn_type": "mongo", "host": "127.0.0.1", "port": 1})
    with plugin.mongo_database() as database:
        assert database.name == "segue"
        assert set(database.client.topology_description.server_descriptions()) == {("127.0.0.1", 1)}
