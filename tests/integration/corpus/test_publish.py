"""What `publish` writes, and how often."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from segue.corpus import publish
from segue.errors import CorpusError
from segue.settings import Settings

pytestmark = pytest.mark.integration


def test_only_what_has_changed_is_written(published: Any) -> None:
    tracks = published.database.tracks
    tracks.update_one({"_id": "t0"}, {"$set": {"genre_predicted": "Jazz"}})
    tracks.update_one({"_id": "t1"}, {"$set": {"title": "by an older version", "digest": 1}})
    tracks.update_one({"_id": "t2"}, {"$unset": {"digest": ""}, "$set": {"title": "migrated"}})
    tracks.delete_one({"_id": "t3"})
    again = published.publish()
    assert (again["published"], again["written"], again["removed"]) == (8, 3, 0)
    titles = {track["_id"]: track["title"] for track in tracks.find()}
    assert len(titles) == 8
    assert not {"by an older version", "migrated"} & set(titles.values())
    assert tracks.find_one("t0")["genre_predicted"] == "Jazz", "what has not changed keeps what labels it"


def test_a_task_that_is_tried_again_writes_the_same(published: Any, settings: Settings, spark: Any) -> None:
    before = list(published.database.tracks.find().sort("_id"))
    rows = publish.documents(published.lake.read("tracks")).selectExpr("*", "true AS is_new").toArrow()
    written = spark.sparkContext.accumulator(0)
    write = publish.write_documents(settings.mongo, published.database.name, written)
    counts = pa.Table.from_batches(write(iter(rows.to_batches())))
    assert sum(counts.column("written").to_pylist()) == 8
    assert list(published.database.tracks.find().sort("_id")) == before


def test_a_track_that_mongodb_refuses_is_named(published: Any, settings: Settings, spark: Any) -> None:
    rows = publish.documents(published.lake.read("tracks").where("track_id = 't0'"))
    wrong = rows.selectExpr("* EXCEPT (title)", "'' AS title", "true AS is_new").toArrow()
    published.database.tracks.delete_one({"_id": "t0"})
    write = publish.write_documents(settings.mongo, published.database.name, spark.sparkContext.accumulator(0))
    with pytest.raises(CorpusError, match="refused the track t0"):
        list(write(iter(wrong.to_batches())))
