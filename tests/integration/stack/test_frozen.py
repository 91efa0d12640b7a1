"""A document server that is frozen, as by SIGSTOP, fails its clients. They do not wait for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from py4j.protocol import Py4JJavaError
from pymongo.database import Database

from segue.connections import mongo as connection
from segue.settings import Settings
from segue.stack import documents, spark_conf

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.integration, pytest.mark.embedded_documents]


def test_sparks_connector_gives_up_on_a_server_of_the_users_own(
    spark: SparkSession, settings: Settings, mongo: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection string states no limits; a heartbeat, which may find out as well, may take two minutes."""
    monkeypatch.setattr(connection, "SOCKET_TIMEOUT_MS", 2_000)
    options = "directConnection=true&serverMonitoringMode=poll&connectTimeoutMS=120000"
    server = f"mongodb://{settings.mongo_login}127.0.0.1:{settings.mongo_port}"
    own = settings.model_copy(update={"mongo_uri": f"{server}/?{options}"})
    mongo["frozen"].insert_one({"_id": "a track"})
    reader = spark.read.format("mongodb").schema("_id string").option("collection", "frozen")
    reader = reader.option("database", mongo.name)
    tracks = reader.option(
        "connection.uri", spark_conf.properties(own)["spark.mongodb.read.connection.uri"]
    ).load()
    assert tracks.count() == 1
    process = documents.service(settings).process()
    assert process is not None
    process.suspend()
    try:
        with pytest.raises(Py4JJavaError, match="MongoSocketReadTimeoutException"):
            tracks.count()
    finally:
        process.resume()
    assert tracks.count() == 1
    mongo["frozen"].drop()
