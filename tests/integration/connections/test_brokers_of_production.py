"""Real brokers as they run in production: TLS with a CA of their own, SCRAM-SHA-512, client certificates."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType
from pymongo import MongoClient
from tests.support.api_server import eventually, free_port, serving
from tests.support.brokers import PASSWORD, USER, Brokers, Certificates, running

from segue.api.accounts import Accounts
from segue.connections import for_airflow, kafka, offsets, probes, topics
from segue.errors import ServiceUnavailableError
from segue.listens import ingestion
from segue.settings import PROJECT_DIR, Settings
from segue.stack import services_check

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.integration
BY = ("with a password", "with a certificate")
STRANGER = "stranger"
USERS = {USER: PASSWORD, STRANGER: PASSWORD}
FAR = 4_000_000_000.0
"""A deadline that never comes."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module", params=BY)
def secured(
    request: pytest.FixtureRequest,
    certificates: Certificates,
    tmp_path_factory: pytest.TempPathFactory,
    settings: Settings,
) -> Iterator[Settings]:
    """The settings for a broker that has TLS, and lets in who has the password or the certificate."""
    chosen: dict[str, Any] = {"kafka_ssl_cafile": certificates.ca}
    if request.param == BY[0]:
        protocol = "SASL_SSL"
        chosen |= {"kafka_sasl_mechanism": "SCRAM-SHA-512"}
        chosen |= {"kafka_sasl_username": USER, "kafka_sasl_password": PASSWORD}
    else:
        protocol = "SSL"
        chosen["kafka_ssl_certfile"], chosen["kafka_ssl_keyfile"] = certificates.issue("segue.example.org")
    more = {
        "offsets.retention.minutes": 10 * 365 * 24 * 60,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:ANONYMOUS;User:{USER}",
        "allow.everyone.if.no.acl.found": "true",
    }
    folder = tmp_path_factory.mktemp("broker")
    with running(
        Brokers(folder, settings, protocol=protocol, certificates=certificates, more=more, users=USERS)
    ) as brokers:
        chosen |= {"kafka_bootstrap_servers": brokers.bootstrap, "kafka_security_protocol": protocol}
        yield Settings(**{**settings.model_dump(), **chosen, "mongo_database": "secured", "api_port": free_port()})


@pytest.mark.usefixtures("mongo")
def test_listens_come_in_through_the_api_and_out_through_spark_the_follower_and_the_trigger(
    secured: Settings, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_KAFKA_DEFAULT", for_airflow.variables(secured)["AIRFLOW_CONN_KAFKA_DEFAULT"])
    monkeypatch.syspath_prepend(str(PROJECT_DIR / "plugins"))
    import segue_kafka

    topics.create_topics(secured)
    with MongoClient[dict[str, Any]](secured.mongo, tz_aware=True) as client:
        database = client[secured.mongo_database]
        client.drop_database(database.name)
        database["tracks"].insert_one({"_id": "t1", "artist": "A", "title": "T", "partition_date": "2026-01-01"})
        with serving(secured) as url:
            token = Accounts(database).add("someone")
            listens = [
                {"listened_at": 1_700_000_000 + n, "track_metadata": {"artist_name": "A", "track_name": "T"}}
                for n in range(3)
            ]
            answer = httpx.post(
                f"{url}/1/submit-listens",
                json={"listen_type": "import", "payload": listens},
                headers={"Authorization": f"Token {token}"},
                timeout=60,
            )
            assert answer.status_code == 200, answer.text
            eventually(lambda: database["listens"].count_documents({}) == 3)  # the follower has stored them
            health = httpx.get(f"{url}/health", timeout=60).json()
            assert health["parts"]["kafka"]["ok"], health
        client.drop_database(database.name)

    trigger = segue_kafka.KafkaBacklogTrigger(
        topic=secured.listens_topic,
        group=secured.retraining_group,
        min_events=3,
        deadline=FAR,
        poll_interval_s=0.1,
        kafka_conn_id="kafka_default",
        hold_s=0,
    )

    async def first() -> Any:
        return await anext(aiter(trigger.run()))

    window = offsets.OffsetWindow.from_json(asyncio.run(asyncio.wait_for(first(), 60)).payload)
    assert window.size == 3
    read = ingestion.read(spark, secured, window)
    assert sorted(row.listened_at for row in read.collect()) == [1_700_000_000 + n for n in range(3)]
    commit = segue_kafka.KafkaCommitOperator(
        task_id="commit", window=window.to_json(), group=secured.retraining_group
    )
    commit.execute({})
    assert offsets.backlog(kafka.config(secured), secured.listens_topic, secured.retraining_group).size == 0
    probes.check_kafka(secured, kafka.config(secured), timeout_s=30)


def refusals(secured: Settings, other: Certificates) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield changes of the settings with which the broker lets nobody in, and what is said then."""
    yield {"kafka_ssl_cafile": None}, "not trusted.*Set SEGUE_KAFKA_SSL_CAFILE"
    yield {"kafka_ssl_cafile": other.ca}, "not trusted.*Set SEGUE_KAFKA_SSL_CAFILE"
    by_name = secured.kafka_bootstrap.replace("127.0.0.1", "localhost")
    yield {"kafka_bootstrap_servers": by_name}, "not valid for 'localhost'.*SEGUE_KAFKA_BOOTSTRAP_SERVERS"
    yield {"kafka_security_protocol": "PLAINTEXT"}, "SEGUE_KAFKA_SECURITY_PROTOCOL"
    yield {"kafka_bootstrap_servers": f"127.0.0.1:{free_port()}"}, "No Kafka broker answers"
    if secured.kafka_security_protocol == "SASL_SSL":
        # The broker's answer may come too late to be read before it closes the connection.
        yield {"kafka_sasl_password": "not-it"}, f"(refuses the login|the password) of the user {USER}"
    else:
        certificate, key = other.issue("stranger.example.org")
        stranger = {"kafka_ssl_certfile": certificate, "kafka_ssl_keyfile": key}
        yield stranger, "wants a client certificate that it knows"
        yield dict.fromkeys(stranger), "wants a client certificate that it knows"


def test_who_is_not_let_in_is_told_why_and_what_to_do(
    secured: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "kafka")
    other = Certificates(tmp_path)
    for changes, told in refusals(secured, other):
        stranger = Settings(**{**secured.model_dump(), **changes})
        config = kafka.config(stranger) | {"bootstrap_timeout_ms": 2_500}
        with pytest.raises(ServiceUnavailableError, match=told) as refused, kafka.admin(config):
            pass
        assert "not-it" not in str(refused.value)
        assert PASSWORD not in str(refused.value)


def test_the_doctor_finds_nothing_and_names_a_right_that_is_missing(secured: Settings) -> None:
    assert list(services_check.examine(secured)) == []
    if secured.kafka_security_protocol == "SSL":
        return
    with kafka.admin(kafka.config(secured)) as admin:
        topic = ResourcePattern(ResourceType.TOPIC, secured.health_topic)
        rule = ACL(f"User:{USER}", "*", ACLOperation.ALL, ACLPermissionType.ALLOW, topic)
        assert not admin.create_acls([rule])["failed"]
    stranger = Settings(**{**secured.model_dump(), "kafka_sasl_username": STRANGER})
    [finding] = services_check.examine(stranger)
    assert f"does not authorise the user {STRANGER}" in finding.sentence
