from __future__ import annotations

import gc
import logging
import socket
import threading
from pathlib import Path

import psutil
import pytest
from kafka.errors import KafkaError

from segue import secrets
from segue.connections import kafka
from segue.errors import ConfigurationError, ServiceUnavailableError
from segue.settings import Settings, get_settings

SECURED = {
    "kafka_bootstrap_servers": "broker:9093",
    "kafka_security_protocol": "SASL_SSL",
    "kafka_sasl_mechanism": "SCRAM-SHA-256",
    "kafka_sasl_username": "segue",
    "kafka_sasl_password": 'a"b\\c',
    "kafka_ssl_cafile": Path("/etc/ssl/brokers.pem"),
}


def test_python_clients_get_brokers_and_security_from_the_settings():
    assert kafka.config(Settings(**SECURED)) == {
        "bootstrap_servers": "broker:9093",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "segue",
        "sasl_plain_password": 'a"b\\c',
        "ssl_cafile": "/etc/ssl/brokers.pem",
    }


def test_spark_gets_the_same_in_java_s_terms():
    assert kafka.spark_options(Settings(**SECURED)) == {
        "kafka.bootstrap.servers": "broker:9093",
        "kafka.security.protocol": "SASL_SSL",
        "kafka.sasl.mechanism": "SCRAM-SHA-256",
        "kafka.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required "
        'username="segue" password="a\\"b\\\\c";',
        "kafka.ssl.truststore.type": "PEM",
        "kafka.ssl.truststore.location": "/etc/ssl/brokers.pem",
    }


def test_airflow_s_connection_has_them_under_librdkafka_s_names_and_they_come_back_the_same():
    options = kafka.options(Settings(**SECURED))
    assert options["ssl.ca.location"] == "/etc/ssl/brokers.pem"
    given_back = kafka.config_of(options)
    assert given_back == kafka.config(Settings(**SECURED))


def test_without_security_only_the_brokers_and_the_protocol_are_named():
    assert kafka.options(Settings(kafka_bootstrap_servers="broker:9092")) == {
        "bootstrap.servers": "broker:9092",
        "security.protocol": "PLAINTEXT",
    }


def test_the_embedded_broker_has_the_login_of_its_stack_whatever_is_set_for_other_brokers(tmp_path):
    embedded = Settings(**SECURED | {"kafka_bootstrap_servers": None}, home=tmp_path, kafka_port=9)
    assert kafka.options(embedded) == {"bootstrap.servers": "127.0.0.1:9", "security.protocol": "PLAINTEXT"}
    assert not tmp_path.joinpath("sample").exists(), "to ask creates nothing"
    made = secrets.load(embedded.state_dir)
    assert kafka.options(embedded) == {
        "bootstrap.servers": "127.0.0.1:9",
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.username": "segue",
        "sasl.password": made.kafka_password,
    }
    elsewhere = embedded.model_copy(update={"kafka_bootstrap_servers": "broker:9093"})
    assert kafka.options(elsewhere)["sasl.password"] == SECURED["kafka_sasl_password"]


def test_a_child_process_gets_the_password_and_nobody_sees_it_printed():
    settings = Settings(**SECURED)
    assert settings.environment["SEGUE_KAFKA_SASL_PASSWORD"] == 'a"b\\c'  # noqa: S105 - made up
    assert 'a"b' not in repr(settings)


def test_a_sasl_protocol_without_password_is_refused(monkeypatch):
    monkeypatch.setenv("SEGUE_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("SEGUE_KAFKA_SASL_USERNAME", "segue")
    get_settings.cache_clear()
    try:
        with pytest.raises(ConfigurationError, match="SEGUE_KAFKA_SASL_MECHANISM and SEGUE_KAFKA_SASL_PASSWORD"):
            get_settings()
    finally:
        get_settings.cache_clear()


@pytest.fixture
def nobody():
    """Return the configuration of a broker that is not there, with a short patience."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield {"bootstrap_servers": f"127.0.0.1:{probe.getsockname()[1]}", "bootstrap_timeout_ms": 20}


@pytest.mark.parametrize("kind", ["admin", "producer", "consumer"])
def test_a_client_that_finds_no_broker_leaves_no_thread_and_no_handle_behind(nobody, kind, caplog):
    caplog.set_level(logging.CRITICAL, "kafka")  # records that pytest keeps would keep their connections

    def fail():
        if kind == "admin":
            with pytest.raises(ServiceUnavailableError, match="No Kafka broker answers"), kafka.admin(nobody):
                pass
        else:
            with pytest.raises(KafkaError):
                getattr(kafka, kind)(nobody)

    def left() -> tuple[int, int]:
        gc.collect()  # kafka-python's clients hold themselves in circles
        return threading.active_count(), psutil.Process().num_fds()

    fail()
    before = left()
    for _ in range(100):
        fail()
    grown = [now - then for now, then in zip(left(), before, strict=True)]
    assert max(grown) < 20, "others in this process may come and go; a leak would be 100 and more"


def test_an_option_that_kafka_does_not_know_is_one_sentence(nobody):
    with pytest.raises(ServiceUnavailableError, match="refused"), kafka.admin({**nobody, "no_such_option": 1}):
        pass
