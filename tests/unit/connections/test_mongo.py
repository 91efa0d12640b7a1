from __future__ import annotations

from pathlib import Path

import pytest
from pymongo.errors import NetworkTimeout
from pymongo.uri_parser import parse_uri

from segue.connections import mongo
from segue.errors import ConfigurationError, ServiceUnavailableError
from segue.settings import Settings


def limits(uri: str, **chosen: int) -> tuple[float, float, float, str]:
    with mongo.client(uri, **chosen) as client:
        options = client.options
        return (
            options.server_selection_timeout,
            options.pool_options.connect_timeout,
            options.pool_options.socket_timeout,
            options.server_monitoring_mode,
        )


def test_a_busy_embedded_server_keeps_the_connections_that_the_settings_give_it() -> None:
    # A heartbeat that takes longer than the second of these ends all operations that are on their way.
    assert limits(Settings().mongo) == (10, 120, 300, "poll")
    assert limits(Settings().mongo, selection_timeout_ms=3_000) == (3, 120, 300, "poll")


def test_whoever_must_answer_soon_waits_less() -> None:
    assert limits(Settings().mongo, socket_timeout_ms=20_000) == (10, 120, 20, "poll")


@pytest.mark.parametrize(("options", "socket_s"), [("", 300), ("socketTimeoutMS=7000", 7)])
def test_a_connection_string_without_limits_gets_one(options: str, socket_s: float) -> None:
    assert limits(f"mongodb://user:p%40ss@host/?{options}")[2] == socket_s


def test_a_connection_string_states_how_long_a_server_is_waited_for() -> None:
    assert limits("mongodb://host/?serverSelectionTimeoutMS=100")[0] == 0.1
    assert limits("mongodb://host")[0] == 10


@pytest.mark.parametrize(
    ("uri", "added"),
    [
        ("mongodb://a", "/?serverSelectionTimeoutMS=10000&socketTimeoutMS=300000"),
        ("mongodb://u:p%40ss@a,b:1/db", "?serverSelectionTimeoutMS=10000&socketTimeoutMS=300000"),
        ("mongodb+srv://a/?w=1", "&serverSelectionTimeoutMS=10000&socketTimeoutMS=300000"),
        ("mongodb://a/?sockettimeoutms=7", "&serverSelectionTimeoutMS=10000"),
        ("mongodb://a/?serverSelectionTimeoutMS=1&socketTimeoutMS=7", ""),
    ],
)
def test_a_connection_string_for_sparks_connector_states_every_limit(uri: str, added: str) -> None:
    assert mongo.for_java(uri) == uri + added


def test_a_connection_that_breaks_is_a_service_that_is_away(free_ports):
    [port] = free_ports(1)
    told = f"MongoDB does not answer at 127.0.0.1:{port}"
    with (
        pytest.raises(ServiceUnavailableError, match=told),
        mongo.database(f"mongodb://127.0.0.1:{port}/?directConnection=true"),
    ):
        raise NetworkTimeout("timed out")


def test_python_gets_the_ca_in_the_connection_string_and_java_does_not(tmp_path):
    authority = tmp_path / "an authority.pem"
    authority.touch()
    settings = Settings(mongo_uri="mongodb://u:p%40ss@host/?w=1", mongo_ca_file=authority)
    assert parse_uri(settings.mongo)["options"] == {"w": 1, "tls": True, "tlsCAFile": str(authority)}
    assert mongo.ca_file(settings) == authority
    java = mongo.for_java(settings.mongo)
    assert java == "mongodb://u:p%40ss@host/?w=1&tls=true&serverSelectionTimeoutMS=10000&socketTimeoutMS=300000"
    assert Settings(mongo_ca_file=authority).mongo == Settings().mongo, "the embedded server has no TLS"
    stated = Settings(mongo_uri="mongodb://host/?tlscafile=/own.pem&tls=true", mongo_ca_file=authority)
    assert mongo.ca_file(stated) == Path("/own.pem")
    assert "own" not in mongo.for_java(stated.mongo)
    assert mongo.ca_file(Settings(mongo_uri="mongodb://host")) is None


@pytest.mark.parametrize("uri", ["mongodb://host/?tls=true&tlsCAFile=/missing.pem", "http://host", "mongodb://"])
def test_what_no_client_can_be_made_of_is_one_sentence(uri):
    with pytest.raises(ConfigurationError, match="SEGUE_MONGO_URI or SEGUE_MONGO_CA_FILE"):
        mongo.client(uri)
