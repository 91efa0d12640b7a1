from __future__ import annotations

import gc
import logging
import socket
import threading

import psutil
import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from kafka.errors import KafkaError
from pydantic import ValidationError

from segue import secrets
from segue.connections import kafka, kafka_options
from segue.errors import ConfigurationError, ServiceUnavailableError
from segue.settings import Settings, get_settings

SECURED = {
    "kafka_bootstrap_servers": "broker:9093",
    "kafka_security_protocol": "SASL_SSL",
    "kafka_sasl_mechanism": "SCRAM-SHA-256",
    "kafka_sasl_username": "segue",
    "kafka_sasl_password": 'a"b\\c',
}
HUSH = {"kafka_ssl_key_password": "hush"}


@pytest.fixture
def files(tmp_path):
    """Return the certificates of an authority, of a client, and the client's key with a password."""
    authority = trustme.CA()
    client = authority.issue_cert("client")
    paths = {
        name: tmp_path / f"{name}.pem" for name in ("kafka_ssl_cafile", "kafka_ssl_certfile", "kafka_ssl_keyfile")
    }
    paths["kafka_ssl_cafile"].write_bytes(b"An authority\n" + authority.cert_pem.bytes())
    paths["kafka_ssl_certfile"].write_bytes(b"".join(blob.bytes() for blob in client.cert_chain_pems))
    key = serialization.load_pem_private_key(client.private_key_pem.bytes(), None)
    hidden = serialization.BestAvailableEncryption(b"hush")
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, hidden)
    paths["kafka_ssl_keyfile"].write_bytes(key.private_bytes(*form))
    return paths


def test_python_clients_get_brokers_and_security_from_the_settings(files):
    assert kafka.config(Settings(**SECURED, **files, **HUSH)) == {
        "bootstrap_servers": "broker:9093",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "segue",
        "sasl_plain_password": 'a"b\\c',
        "ssl_cafile": str(files["kafka_ssl_cafile"]),
        "ssl_certfile": str(files["kafka_ssl_certfile"]),
        "ssl_keyfile": str(files["kafka_ssl_keyfile"]),
        "ssl_password": HUSH["kafka_ssl_key_password"],
    }


def test_spark_gets_the_same_in_javas_terms_and_needs_no_file_on_its_executors(files):
    made = kafka_options.for_spark(Settings(**SECURED, **files, **HUSH))
    key, chain, authority = (
        made.pop(f"kafka.ssl.{name}")
        for name in ("keystore.key", "keystore.certificate.chain", "truststore.certificates")
    )
    assert made == {
        "kafka.bootstrap.servers": "broker:9093",
        "kafka.security.protocol": "SASL_SSL",
        "kafka.sasl.mechanism": "SCRAM-SHA-256",
        "kafka.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required "
        'username="segue" password="a\\"b\\\\c";',
        "kafka.ssl.truststore.type": "PEM",
        "kafka.ssl.keystore.type": "PEM",
    }
    assert key.startswith("-----BEGIN PRIVATE KEY-----"), "Java reads PKCS#8 only"
    assert chain.strip() in files["kafka_ssl_certfile"].read_text()
    assert authority.startswith("-----BEGIN CERTIFICATE-----")
    assert authority in files["kafka_ssl_cafile"].read_text()


def test_airflows_connection_has_them_under_librdkafkas_names_and_they_come_back_the_same(files):
    settings = Settings(**SECURED, **files, **HUSH)
    options = kafka_options.options(settings)
    assert options["ssl.ca.location"] == str(files["kafka_ssl_cafile"])
    assert options["ssl.key.password"] == "hush"
    assert kafka_options.for_python(options) == kafka.config(settings)


def test_options_of_airflows_form_get_the_types_that_kafka_python_wants():
    assert kafka_options.for_python(
        {
            "bootstrap.servers": "broker:9093",
            "security.protocol": "sasl_plaintext",
            "sasl.mechanisms": "SCRAM-SHA-512",
            "request.timeout.ms": "7000",
            "ssl.endpoint.identification.algorithm": "none",
            "group.id": "of a consumer of another task",
            "socket.timeout.ms": "1",
        }
    ) == {
        "bootstrap_servers": "broker:9093",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "request_timeout_ms": 7000,
        "ssl_check_hostname": False,
    }


@pytest.mark.parametrize(
    "name", ["ssl.keystore.location", "sasl.oauthbearer.config", "enable.ssl.certificate.verification"]
)
def test_an_unknown_option_of_encryption_or_login_is_refused_and_not_left_out(name):
    with pytest.raises(ConfigurationError, match=f"do not know the option {name}"):
        kafka_options.for_python({"bootstrap.servers": "broker:9093", name: "x"})


def test_files_that_cannot_be_used_are_named_with_their_setting(files, tmp_path):
    def told(**changes):
        with pytest.raises(ConfigurationError) as refused:
            kafka.config(Settings(**SECURED, **{**files, **HUSH, **changes}))
        assert "hush" not in str(refused.value)
        return str(refused.value)

    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    missing = tmp_path / "missing.pem"
    assert (
        told(kafka_ssl_cafile=missing)
        == f"SEGUE_KAFKA_SSL_CAFILE: {missing} cannot be read: No such file or directory."
    )
    assert "empty.pem has no certificate in PEM form" in told(kafka_ssl_cafile=empty)
    assert "SEGUE_KAFKA_SSL_KEY_PASSWORD" in told(**HUSH | {"kafka_ssl_key_password": "wrong"})
    assert "SEGUE_KAFKA_SSL_KEY_PASSWORD" in told(kafka_ssl_key_password=None)
    with pytest.raises(ValidationError, match="set SEGUE_KAFKA_SSL_CERTFILE too"):
        Settings(kafka_ssl_keyfile=empty)


def test_without_security_only_the_brokers_and_the_protocol_are_named():
    assert kafka_options.options(Settings(kafka_bootstrap_servers="broker:9092")) == {
        "bootstrap.servers": "broker:9092",
        "security.protocol": "PLAINTEXT",
    }


def test_the_embedded_broker_has_the_login_of_its_stack_whatever_is_set_for_other_brokers(tmp_path):
    embedded = Settings(**SECURED | {"kafka_bootstrap_servers": None}, home=tmp_path, kafka_port=9)
    assert kafka_options.options(embedded) == {
        "bootstrap.servers": "127.0.0.1:9",
        "security.protocol": "PLAINTEXT",
    }
    assert not tmp_path.joinpath("sample").exists(), "to ask creates nothing"
    made = secrets.load(embedded.state_dir)
    assert kafka_options.options(embedded) == {
        "bootstrap.servers": "127.0.0.1:9",
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.username": "segue",
        "sasl.password": made.kafka_password,
    }
    elsewhere = embedded.model_copy(update={"kafka_bootstrap_servers": "broker:9093"})
    assert kafka_options.options(elsewhere)["sasl.password"] == SECURED["kafka_sasl_password"]


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
