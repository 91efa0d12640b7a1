from __future__ import annotations

import pytest
from kafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaTimeoutError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
)

from segue.connections import kafka_faults

CONFIG = {
    "bootstrap_servers": "broker:9093",
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "SCRAM-SHA-512",
    "sasl_plain_username": "me",
    "sasl_plain_password": "hush",
}
FAILED = "Handshake failed: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {} (_ssl.c:1006)"


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (SaslAuthenticationFailedError("invalid credentials"), "refuses the login of the user me"),
        (IllegalSaslStateError(), "expects no login on this port"),
        (TopicAuthorizationFailedError("listens"), "does not authorise the user me for this topic"),
        (KafkaConnectionError(FAILED.format("self-signed certificate")), "not trusted (self-signed certificate)"),
        (
            KafkaConnectionError(FAILED.format("IP address mismatch.")),
            "IP address mismatch",
        ),
        (KafkaConnectionError("[SSL: WRONG_VERSION_NUMBER] wrong version number"), "does not speak TLS"),
        (
            KafkaConnectionError("TLSV13_ALERT_CERTIFICATE_REQUIRED"),
            "client certificate",
        ),
        (KafkaConnectionError("Invalid frame length: 352518912"), "speaks TLS on this port"),
    ],
)
def test_a_failure_becomes_a_sentence_with_a_remedy_and_without_the_password(failure, told):
    sentence = kafka_faults.sentence(failure, CONFIG)
    assert told in sentence
    assert "SEGUE_KAFKA_" in sentence or "Grant" in sentence
    assert "hush" not in sentence


@pytest.mark.parametrize("failure", [KafkaTimeoutError("too late"), KafkaConnectionError("socket disconnected")])
def test_a_failure_that_says_nothing_of_security_is_left_to_others(failure):
    assert kafka_faults.sentence(failure, CONFIG) is None


def test_a_refusal_is_its_sentence_alone():
    assert str(kafka_faults.KafkaRefusalError("Kafka refuses.")) == "Kafka refuses."
