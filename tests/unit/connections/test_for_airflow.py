from __future__ import annotations

import json

import pytest
from pymongo.uri_parser import parse_uri

from segue.connections import for_airflow, mongo
from segue.settings import Settings

URIS = [
    "mongodb://me:p%40ss%2Fword@one:27017,two:27018/?replicaSet=rs0",
    "mongodb://me:secret@one:27017/accounts?tls=true&w=majority&journal=true",
    "mongodb://one:27017",
]


def test_where_connections_lead_is_shown_without_logins():
    shown = for_airflow.places(
        Settings(spark_master="local[2]", kafka_bootstrap_servers="a:9092,b:9092", mongo_uri=URIS[0])
    )
    assert shown == {
        "kafka_default": "a:9092,b:9092",
        "mongo_default": "one:27017,two:27018",
        "spark_default": "local[2]",
    }


def test_connections_are_derived_from_the_settings():
    settings = Settings(
        spark_master="spark://cluster:7077", kafka_bootstrap_servers="a:9092,b:9092", mongo_uri=URIS[0]
    )
    assert for_airflow.connections(settings) == {
        "kafka_default": {
            "conn_type": "kafka",
            "extra": {"bootstrap.servers": "a:9092,b:9092", "security.protocol": "PLAINTEXT"},
        },
        "mongo_default": {
            "conn_type": "mongo",
            "host": "one:27017,two:27018",
            "login": "me",
            "password": "p@ss/word",
            "extra": {"replicaSet": "rs0"},
        },
        "spark_default": {"conn_type": "spark", "host": "spark://cluster:7077"},
    }


@pytest.mark.parametrize("uri", [*URIS, Settings().mongo])
def test_a_connection_to_mongodb_leads_to_the_same_as_the_settings(uri):
    fields = for_airflow.connections(Settings(mongo_uri=uri))["mongo_default"]
    assert parse_uri(for_airflow.mongo_uri(fields)) == parse_uri(uri)


def test_a_seed_list_in_dns_is_handed_on():
    uri = "mongodb+srv://me:secret@cluster.example.org/?w=majority"
    fields = for_airflow.connections(Settings(mongo_uri=uri))["mongo_default"]
    assert fields["extra"] == {"w": "majority", "srv": "true"}
    assert for_airflow.mongo_uri(fields) == uri


def test_a_client_by_the_connection_has_the_limits_of_the_settings():
    fields = for_airflow.connections(Settings())["mongo_default"]
    with mongo.client(for_airflow.mongo_uri(fields)) as client:
        options = client.options.pool_options
        assert (options.socket_timeout, options.connect_timeout) == (300, 120)
        assert client.options.server_monitoring_mode == "poll"
        assert client.write_concern.document == {"w": "majority", "j": True}


def test_variables_are_a_line_of_json_each():
    variables = for_airflow.variables(Settings(spark_master="local[1]"))
    assert set(variables) == {f"AIRFLOW_CONN_{name}_DEFAULT" for name in ("KAFKA", "MONGO", "SPARK")}
    assert json.loads(variables["AIRFLOW_CONN_SPARK_DEFAULT"]) == {"conn_type": "spark", "host": "local[1]"}
    assert "\n" not in "".join(variables.values())


@pytest.mark.parametrize(
    ("other", "differing"),
    [
        ({"host": "one:27017", "extra": {"tls": True, "w": 1}}, []),
        ({"host": "one", "port": 27017, "login": "", "extra": {"tls": "true", "w": "1"}}, []),
        ({"host": "two:27017", "login": "me", "extra": {"w": 1}}, ["host", "login", "tls"]),
    ],
)
def test_what_differs_is_named_and_its_value_is_not(other, differing):
    derived = {"conn_type": "mongo", "host": "one:27017", "extra": {"tls": "true", "w": "1"}}
    assert for_airflow.differences(derived, other) == differing
