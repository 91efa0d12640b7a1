"""Kafka clients, with the brokers, security and time limits of the settings. No other module opens one.

If a client of kafka-python cannot reach a broker, it leaves a thread and sockets behind. This module closes such a
client before it raises the error.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, RetriableError
from kafka.net.compat import KafkaNetClient

from segue import secrets
from segue.errors import ServiceUnavailableError
from segue.settings import Settings

BOOTSTRAP_TIMEOUT_MS = 10_000
"""Longest wait for a broker when a client is opened. A `Config` may set another limit."""

END_S = 1.0
"""How long :func:`end` waits for the thread of a producer. It usually ends within milliseconds."""

Config = Mapping[str, Any]
"""Keyword arguments of kafka-python's clients, at least ``bootstrap_servers``."""

OTHER_NAMES = {
    "sasl.username": "sasl_plain_username",
    "sasl.password": "sasl_plain_password",
    "ssl.ca.location": "ssl_cafile",
}
"""kafka-python's name for each option that has another name in librdkafka and in Airflow's Kafka connection."""

LOGIN_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}


EMBEDDED_MECHANISM: Final = "SCRAM-SHA-256"
"""How clients log in to the embedded broker. The password never leaves the client.

So a program of another user, which listens on the broker's port while the broker is down, does not learn it.
"""

# It warns at each connection without TLS that credentials are sent in the clear, which SCRAM does not do.
logging.getLogger("kafka.net.sasl.scram").setLevel(logging.ERROR)


def options(settings: Settings) -> dict[str, str]:
    """Return brokers and security under librdkafka's names, which Airflow's Kafka connection uses.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    dict of str to str
        ``bootstrap.servers``; ``security.protocol``, ``sasl.*`` and ``ssl.ca.location`` if they are set.
    """
    if settings.kafka_bootstrap_servers is None:
        return {"bootstrap.servers": settings.kafka_bootstrap, **_login(settings)}
    password = settings.kafka_sasl_password
    named = {
        "bootstrap.servers": settings.kafka_bootstrap,
        "security.protocol": settings.kafka_security_protocol,
        "sasl.mechanism": settings.kafka_sasl_mechanism,
        "sasl.username": settings.kafka_sasl_username,
        "sasl.password": password and password.get_secret_value(),
        "ssl.ca.location": settings.kafka_ssl_cafile and str(settings.kafka_ssl_cafile),
    }
    return {name: value for name, value in named.items() if value}


def _login(settings: Settings) -> dict[str, str]:
    """Return the security of the embedded broker. Before the first `segue up` there is no password."""
    stored = secrets.read(settings.state_dir)
    if stored is None or not stored.kafka_password:
        return {"security.protocol": "PLAINTEXT"}
    return {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": EMBEDDED_MECHANISM,
        "sasl.username": secrets.USER,
        "sasl.password": stored.kafka_password,
    }


def config_of(named: Mapping[str, Any]) -> dict[str, Any]:
    """Translate options under librdkafka's names into keyword arguments of kafka-python's clients."""
    return {OTHER_NAMES.get(name, name.replace(".", "_")): value for name, value in named.items()}


def config(settings: Settings) -> dict[str, Any]:
    """Return the keyword arguments that every client of kafka-python starts from.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    dict
    """
    return config_of(options(settings))


def spark_options(settings: Settings) -> dict[str, str]:
    """Return the options of Spark's Kafka source and sink.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    dict of str to str
        Their names are ``kafka.*``. ``kafka.sasl.jaas.config`` contains user and password.
    """
    named = options(settings)
    user, password = named.pop("sasl.username", ""), named.pop("sasl.password", "")
    if authority := named.pop("ssl.ca.location", None):
        named |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": authority}
    if mechanism := named.get("sasl.mechanism"):
        module = LOGIN_MODULES[mechanism]
        named["sasl.jaas.config"] = f'{module} required username="{_quoted(user)}" password="{_quoted(password)}";'
    return {f"kafka.{name}": value for name, value in named.items()}


@contextmanager
def admin(config: Config) -> Iterator[KafkaAdminClient]:
    """Open an admin client, and close it afterwards.

    Parameters
    ----------
    config : Config

    Yields
    ------
    kafka.KafkaAdminClient

    Raises
    ------
    ServiceUnavailableError
        If no broker answers, or a broker refuses a request of the body.
    """
    servers = config["bootstrap_servers"]
    try:
        client = _opened(KafkaAdminClient, config)
    except RetriableError as error:
        raise ServiceUnavailableError(
            f"No Kafka broker answers at {servers}: start it with `segue up`, "
            "or set SEGUE_KAFKA_BOOTSTRAP_SERVERS to where it is."
        ) from error
    except KafkaError as error:
        raise ServiceUnavailableError(f"The Kafka broker at {servers} refused: {error}") from error
    try:
        yield client
    except KafkaError as error:
        raise ServiceUnavailableError(f"The Kafka broker at {servers} refused: {error}") from error
    finally:
        client.close()


@contextmanager
def producing(config: Config, **more: Any) -> Iterator[KafkaProducer]:
    """Open a producer as :func:`producer` does, and end it after the body.

    The body must wait until its records are acknowledged. The end of the producer does not wait for records: that
    wait would never finish if the producer hangs.
    """
    opened = producer(config, **more)
    try:
        yield opened
    finally:
        end(opened)


def end(producer: KafkaProducer) -> None:
    """Close a producer at once. Records that are not acknowledged yet fail."""
    producer._sender.force_close()
    producer._sender.join(END_S)
    with suppress(KafkaTimeoutError):  # the thread is still ending, but it waits for no records
        producer.close(timeout=0)


def producer(config: Config, **more: Any) -> KafkaProducer:
    """Open a producer that waits for the acknowledgement of all replicas.

    Parameters
    ----------
    config : Config
    **more
        Further arguments of the producer.

    Raises
    ------
    kafka.errors.KafkaError
        If no broker answers, or a broker refuses the request.
    """
    return _opened(KafkaProducer, {"acks": "all", "allow_auto_create_topics": False, **config, **more})


def consumer(config: Config, **more: Any) -> KafkaConsumer:
    """Open a consumer that commits only on request.

    Parameters
    ----------
    config : Config
    **more
        Further arguments of the consumer.

    Raises
    ------
    kafka.errors.KafkaError
        If no broker answers, or a broker refuses the request.
    """
    return _opened(
        KafkaConsumer, {"enable_auto_commit": False, "allow_auto_create_topics": False, **config, **more}
    )


def _opened(kind: Any, config: Config) -> Any:
    """Open a client. If that fails, close the network client that it has already opened."""
    made: list[KafkaNetClient] = []

    def network_client(**options: Any) -> KafkaNetClient:
        made.append(KafkaNetClient(**options))
        return made[-1]

    try:
        return kind(**{"bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS, **config}, kafka_client=network_client)
    except BaseException:
        for client in made:
            client.close()
        raise


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
