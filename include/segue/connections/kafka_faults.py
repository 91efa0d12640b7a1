"""Why a client cannot get into a Kafka cluster, in one sentence with the remedy.

kafka-python only logs why a connection failed, and tries again. When its time is over, all that it says is that it
had no success. So :class:`Manager` keeps the reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from kafka.errors import (
    AuthorizationError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.connection import KafkaConnection
from kafka.net.manager import KafkaConnectionManager

from segue.connections import tls_faults


class KafkaRefusalError(KafkaError):  # type: ignore[misc] # it has no types
    """A broker answers, but does not let this client in. The message is a sentence with the remedy."""

    def __str__(self) -> str:
        """Return the sentence, without the name of the class, which kafka-python adds."""
        return str(self.args[0])


CLIENT_CERTIFICATE: Final = ("CERTIFICATE_REQUIRED", "BAD_CERTIFICATE", "CERTIFICATE_UNKNOWN", "UNKNOWN_CA")
"""What a broker answers to a client whose certificate is missing or unknown."""


class Manager(KafkaConnectionManager):  # type: ignore[misc] # it has no types
    """Kafka-python's connections, with the reason of the first failure that says something."""

    def __init__(self, net: Any, **options: Any) -> None:
        self.reason: str | None = None
        self.closed_by_broker = False
        super().__init__(net, **options)

    def get_connection(self, node_id: Any, **options: Any) -> KafkaConnection:
        """Return a connection, and note why it is lost."""
        is_new = node_id not in self._conns
        connection = super().get_connection(node_id, **options)
        if is_new:
            connection.close_future.add_errback(self._note)
        return connection

    def _note(self, failure: BaseException) -> None:
        self.reason = self.reason or sentence(failure, self.config)
        self.closed_by_broker |= "socket disconnected" in str(failure)

    def refusal(self) -> KafkaRefusalError | None:
        """Return why no connection could be used, or None if no broker answered at all."""
        if self.reason:
            return KafkaRefusalError(self.reason)
        return KafkaRefusalError(_closes(self.config)) if self.closed_by_broker else None


def sentence(failure: BaseException, config: Mapping[str, Any]) -> str | None:
    """Explain a failure.

    Parameters
    ----------
    failure : BaseException
        What kafka-python raised.
    config : mapping
        Arguments of the client.

    Returns
    -------
    str or None
        What is wrong, and the remedy. It has no password. None if `failure` says nothing about certificates,
        login or rights.
    """
    broker = f"Kafka at {_servers(config)}"
    if isinstance(failure, KafkaRefusalError):
        return str(failure)
    if isinstance(failure, SaslAuthenticationFailedError):
        return (
            f"{broker} refuses the login of the user {config['sasl_plain_username']}. If the stack that runs is "
            "that of another corpus, start this one's with `segue up`. Otherwise correct "
            "SEGUE_KAFKA_SASL_USERNAME, SEGUE_KAFKA_SASL_PASSWORD or SEGUE_KAFKA_SASL_MECHANISM."
        )
    if isinstance(failure, UnsupportedSaslMechanismError):
        return f"{broker} does not know the mechanism {config['sasl_mechanism']}: set SEGUE_KAFKA_SASL_MECHANISM."
    if isinstance(failure, IllegalSaslStateError):
        return f"{broker} expects no login on this port: set SEGUE_KAFKA_SECURITY_PROTOCOL to PLAINTEXT or SSL."
    if isinstance(failure, AuthorizationError):
        return unauthorised(failure, config)
    return _of_tls(str(failure), broker)


def unauthorised(failure: BaseException, config: Mapping[str, Any]) -> str:
    """Explain that the user may not do what it asked for."""
    user = config.get("sasl_plain_username") or "of this client's certificate"
    kind = re.sub(r"AuthorizationFailedError|Error", "", type(failure).__name__).lower()
    return (
        f"Kafka at {_servers(config)} does not authorise the user {user} for this {kind}. Grant it the operations "
        "that docs/brokers.md lists."
    )


def _of_tls(said: str, broker: str) -> str | None:
    if why := tls_faults.distrust(said):
        if "match" in why:
            return (
                f"{broker}: {why}. Name the brokers in SEGUE_KAFKA_BOOTSTRAP_SERVERS as in their "
                "certificates, or give them certificates with this name."
            )
        return (
            f"{broker} has a certificate that is not trusted ({why}). Set SEGUE_KAFKA_SSL_CAFILE to the PEM "
            "file of the CA that has signed it."
        )
    plain = tls_faults.codes(said)
    if any(alert in plain for alert in CLIENT_CERTIFICATE):
        return (
            f"{broker} wants a client certificate that it knows. Set SEGUE_KAFKA_SSL_CERTFILE and "
            "SEGUE_KAFKA_SSL_KEYFILE to one that its CA has signed."
        )
    if tls_faults.speaks_no_tls(said):
        return (
            f"{broker} does not speak TLS on this port. Correct the port, or SEGUE_KAFKA_SECURITY_PROTOCOL "
            "(PLAINTEXT or SASL_PLAINTEXT are without TLS)."
        )
    if "INVALID_FRAME_LENGTH" in plain:
        return f"{broker} speaks TLS on this port. Set SEGUE_KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL."
    return None


def _closes(config: Mapping[str, Any]) -> str:
    login = ""
    if config["security_protocol"].startswith("SASL"):
        login = f", {config['sasl_mechanism']} and the password of the user {config['sasl_plain_username']}"
    protocol = config["security_protocol"]
    return (
        f"The Kafka broker at {_servers(config)} closes each connection. Either it is stopping, or it expects "
        f"something else than SEGUE_KAFKA_SECURITY_PROTOCOL={protocol}{login}. Correct the variables that begin "
        "with SEGUE_KAFKA_S."
    )


def _servers(config: Mapping[str, Any]) -> str:
    servers = config["bootstrap_servers"]
    return servers if isinstance(servers, str) else ", ".join(servers)
