"""Kafka clients, with the brokers, security and time limits of the settings. No other module opens one.

If a client of kafka-python cannot reach a broker, it leaves a thread and sockets behind. This module closes such a
client before it raises the error.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import AuthorizationError, KafkaError, KafkaTimeoutError, RetriableError
from kafka.net.compat import KafkaNetClient
from kafka.net.selector import NetworkSelector

from segue.connections import kafka_faults, kafka_options
from segue.connections.kafka_faults import KafkaRefusalError, Manager
from segue.errors import ServiceUnavailableError
from segue.settings import Settings

BOOTSTRAP_TIMEOUT_MS = 10_000
"""Longest wait for a broker when a client is opened. A `Config` may set another limit."""

END_S = 1.0
"""How long :func:`end` waits for the thread of a producer. It usually ends within milliseconds."""

Config = Mapping[str, Any]
"""Keyword arguments of kafka-python's clients, at least ``bootstrap_servers``."""

# It warns at each connection without TLS that credentials are sent in the clear, which SCRAM does not do.
logging.getLogger("kafka.net.sasl.scram").setLevel(logging.ERROR)


def config(settings: Settings) -> dict[str, Any]:
    """Return the keyword arguments that every client of kafka-python starts from.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    dict

    Raises
    ------
    ConfigurationError
        If a file of a certificate or key cannot be used.
    """
    return kafka_options.for_python(kafka_options.options(settings))


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
    except KafkaRefusalError as error:
        raise ServiceUnavailableError(str(error)) from error
    except RetriableError as error:
        raise ServiceUnavailableError(
            f"No Kafka broker answers at {servers}: start it with `segue up`, "
            "or set SEGUE_KAFKA_BOOTSTRAP_SERVERS to where it is."
        ) from error
    except KafkaError as error:
        raise ServiceUnavailableError(f"The Kafka broker at {servers} refused: {error}") from error
    try:
        yield client
    except AuthorizationError as error:
        raise ServiceUnavailableError(kafka_faults.unauthorised(error, config)) from error
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
        If no broker answers, or a broker refuses the request. A :class:`KafkaRefusalError` says why.
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
        If no broker answers, or a broker refuses the request. A :class:`KafkaRefusalError` says why.
    """
    return _opened(
        KafkaConsumer, {"enable_auto_commit": False, "allow_auto_create_topics": False, **config, **more}
    )


def _opened(kind: Any, config: Config) -> Any:
    """Open a client. If that fails, close the network client that it has already opened, and say why."""
    made: list[KafkaNetClient] = []

    def network_client(**options: Any) -> KafkaNetClient:
        net = NetworkSelector(**options)
        made.append(KafkaNetClient(net=net, manager=Manager(net, **options), **options))
        return made[-1]

    try:
        return kind(**{"bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS, **config}, kafka_client=network_client)
    except BaseException as error:
        for client in made:
            client.close()
        reasons = (client._manager.refusal() for client in made if isinstance(error, KafkaTimeoutError))
        if refusal := next(reasons, None):
            raise refusal from error
        raise
