"""What `publish` writes, and how often."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from segue.corpus import documents as documents_module
from segue.corpus import publish
from segue.corpus.documents import documents
from segue.settings import Settings

pytestmark = pytest.mark.integration


def test_only_what_has_changed_is_written(published: Any) -> None:
    tracks = published.database.tracks
    tracks.update_one({"_id": "t0"}, {"$set": {"genre_predicted": "Jazz"}})
    tracks.update_one({"_id": "t1"}, {"$set": {"title": "by an older version", "digest": 1}})
    tracks.update_one({"_id": "t2"}, {"$unset": {"digest": ""}, "$set": {"title": "migrated"}})
    tracks.delete_one({"_id": "t3"})
    again = published.publish()
    assert (again.tracks, again.written, again.removed) == (8, 3, 0)
    titles = {track["_id"]: track["title"] for track in tracks.find()}
    assert len(titles) == 8
    assert not {"by an older version", "migrated"} & set(titles.values())
    assert tracks.find_one("t0")["genre_predicted"] == "Jazz", "what has not changed keeps what labels it"


def test_a_task_that_is_tried_again_writes_the_same(published: Any, settings: Settings, spark: Any) -> None:
    before = list(published.database.tracks.find().sort("_id"))
    rows = documents(published.lake.read("tracks")).selectExpr("*", "true AS is_new").toArrow()
    written = spark.sparkContext.accumulator(0)
    write = publish.write_documents(settings.mongo, published.database.name, written)
    assert [batch.num_rows for batch in write(iter(rows.to_batches()))] == [0] * len(rows.to_batches())
    assert written.value == 8
    assert list(published.database.tracks.find().sort("_id")) == before


def test_a_track_that_mongodb_refuses_is_named(published: Any, settings: Settings, spark: Any) -> None:
    rows = documents(published.lake.read("tracks").where("track_id IN ('t0', 't1')"))
    wrong = rows.selectExpr("* EXCEPT (title)", "if(_id = 't0', '', 'fine') AS title", "true AS is_new").toArrow()
    published.database.tracks.delete_one({"_id": "t0"})
    write = publish.write_documents(settings.mongo, published.database.name, spark.sparkContext.accumulator(0))
    [refused] = pa.Table.from_batches(write(iter(wrong.to_batches()))).column("refused").to_pylist()
    assert refused.startswith("t0: Document failed validation")
    assert published.database.tracks.find_one("t1")["title"] == "fine"


def test_a_text_that_moves_to_the_next_column_is_a_change(published: Any) -> None:
    rows = published.lake.read("tracks").where("track_id = 't0'")
    album, none = "'Named in the wrong column'", "CAST(NULL AS STRING)"
    forms = [
        rows.selectExpr("* EXCEPT (artist, album)", f"{a} AS artist", f"{b} AS album")
        for a, b in ((album, none), (none, album))
    ]
    assert len({documents(each).first()["digest"] for each in forms}) == 2


def test_documents_of_another_form_replace_those_that_stand(
    published: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert published.publish().written == 0
    monkeypatch.setattr(documents_module, "FORM", documents_module.FORM + 1)
    assert published.publish().written == 8


def test_a_track_that_has_changed_keeps_what_labels_it_while_it_sounds_the_same(published: Any) -> None:
    tracks = published.database.tracks
    same, other, named = [
        *(track["_id"] for track in tracks.find({"genre": None}).sort("_id").limit(2)),
        tracks.find_one({"genre": {"$ne": None}})["_id"],
    ]
    label = {"genre_predicted": "Jazz", "genre_probability": 0.9, "genre_model": "genre/1"}
    tracks.update_many({}, {"$set": label | {"digest": 1}})
    tracks.update_one({"_id": other}, {"$set": {"features": bytes(2_072)}})
    assert published.publish().written == 8
    labels = {track["_id"]: {name: track[name] for name in label if name in track} for track in tracks.find()}
    assert labels[same] == label
    assert labels[other] == labels[named] == {}
