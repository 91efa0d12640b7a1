"""The catalogue that listens are matched with follows what is announced."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo.database import Database

from segue.connections.kafka import Config
from segue.corpus.announcement import announce
from segue.listens.catalogue import LiveCatalogue
from segue.settings import Settings

pytestmark = pytest.mark.integration

DAY = "2026-01-01"


@pytest.fixture
def database(mongo: Database[dict[str, Any]]) -> Database[dict[str, Any]]:
    database = mongo.client["segue-catalogue"]
    database.drop_collection("tracks")
    database["tracks"].insert_one({"_id": "t1", "artist": "Björk", "title": "Jóga", "partition_date": DAY})
    return database


def retitle(database: Database[dict[str, Any]]) -> None:
    database["tracks"].update_one({"_id": "t1"}, {"$set": {"title": "Unravel"}})


def matched(catalogue: LiveCatalogue, title: str) -> bool:
    return catalogue.index.match("Björk", title) is not None


def test_a_day_announced_anew_is_taken_in_and_nothing_else_is_read(
    database: Database[dict[str, Any]], settings: Settings, kafka: Config
) -> None:
    assert kafka
    here = settings.model_copy(update={"tracks_topic": "catalogue-tracks"})
    catalogue = LiveCatalogue(database, here)
    assert catalogue.refresh()
    assert matched(catalogue, "Jóga")
    retitle(database)
    assert not catalogue.refresh()
    announce(here, {DAY: 1})  # as many tracks as before
    assert catalogue.refresh()
    assert matched(catalogue, "Unravel")
    assert not catalogue.refresh()


def test_without_a_broker_it_is_loaded_once(
    database: Database[dict[str, Any]], settings: Settings, free_ports: Any
) -> None:
    [port] = free_ports(1)
    away = settings.model_copy(update={"kafka_bootstrap_servers": f"127.0.0.1:{port}"})
    catalogue = LiveCatalogue(database, away)
    assert catalogue.refresh()
    assert matched(catalogue, "Jóga")
    assert not catalogue.refresh()
