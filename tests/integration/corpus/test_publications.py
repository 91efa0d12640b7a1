from __future__ import annotations

from pathlib import Path

import pytest

from segue.corpus import publications
from segue.settings import Settings

pytestmark = pytest.mark.integration

LAKE = {"inventory": 1, "features": 2, "rejects": 2}
JOBS = {
    "inventory": {},
    "extract": {"inventory": 2, "extracted": 2},
    "integrate": {"tracks": 2},
    "publish": {"published": 2, "tracks_in_collection": 2},
}


@pytest.fixture
def database(mongo):
    for name in ("tracks", publications.COLLECTION):
        mongo.drop_collection(name)
    mongo["tracks"].insert_many([{"_id": "a"}, {"_id": "b"}])
    yield mongo
    for name in ("tracks", publications.COLLECTION):
        mongo.drop_collection(name)


@pytest.fixture
def key():
    return publications.made_from(LAKE, "files", "digest", Settings())


def test_days_published_from_the_same_state_stand(database, key):
    assert publications.find(database, "all days", key) is None
    publications.record(database, "all days", key, "corpus/a", JOBS)
    found = publications.find(database, "all days", key)
    assert (found["run_id"], found["publish"]) == ("corpus/a", JOBS["publish"])
    assert (found["extract"]["extracted"], found["extract"]["skipped"]) == (0, 2), "this run extracts nothing"
    assert publications.find(database, "2026-03-01", key) is None


def test_a_state_that_was_left_does_not_stand_when_it_comes_back(database, key):
    publications.record(database, "all days", key, "corpus/a", JOBS)
    assert publications.find(database, "2026-03-01", "another state") is None
    assert publications.find(database, "all days", key) is None


def test_days_do_not_stand_when_documents_are_gone(database, key):
    publications.record(database, "all days", key, "corpus/a", JOBS)
    database["tracks"].delete_one({"_id": "a"})
    assert publications.find(database, "all days", key) is None


def test_days_do_not_stand_when_their_documents_are_of_the_form_before(database, key):
    publications.record(database, "all days", key, "corpus/a", JOBS)
    old = {"$jsonSchema": {"properties": {"features": {"bsonType": "array", "items": {"bsonType": "double"}}}}}
    database.command("collMod", "tracks", validator=old)
    assert publications.find(database, "all days", key) is None


def test_a_state_is_lake_metadata_limits_and_rules(key, tmp_path, monkeypatch):
    def changed(lake=LAKE, files="files", metadata="digest", **settings):
        return publications.made_from(lake, files, metadata, Settings(**settings)) != key

    assert not changed()
    assert changed(lake=LAKE | {"rejects": 3})
    assert changed(files="others")
    assert changed(metadata="another")
    with monkeypatch.context() as patch:
        patch.setattr(publications, "FEATURE_VERSION", "0")
        assert changed()
    assert changed(gate_max_outliers=0.01)
    (tmp_path / "rules.py").write_text("another rule")
    monkeypatch.setattr(publications, "__file__", str(tmp_path / "publications.py"))
    assert Path(publications.__file__).parent == tmp_path
    assert changed()
