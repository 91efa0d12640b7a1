from __future__ import annotations

import pytest
from tests.support.corpus_reports import LAKE, run

from segue.corpus import publications
from segue.settings import Settings
from segue.tracks.collection import ANNOUNCED

pytestmark = pytest.mark.integration
ALL = "the first day to the last day"
DAY = "2026-03-01 to 2026-03-01"
USED = ("tracks", publications.COLLECTION, ANNOUNCED)


def reports():
    """Those of a run that has left two tracks in the collection."""
    made = run()
    published = made.publish.published.model_copy(update={"tracks_in_collection": 2})
    publish = made.publish.model_copy(update={"published": published})
    return made.model_copy(update={"publish": publish})


@pytest.fixture
def database(mongo):
    for name in USED:
        mongo.drop_collection(name)
    mongo["tracks"].insert_many([{"_id": "a"}, {"_id": "b"}])
    yield mongo
    for name in USED:
        mongo.drop_collection(name)


@pytest.fixture
def key():
    return publications.made_from(LAKE, "files", "metadata", Settings())


def test_days_published_from_the_same_state_stand(database, key):
    assert publications.find(database, ALL, key) is None
    publications.record(database, ALL, key, "corpus/a", reports())
    found = publications.find(database, ALL, key)
    assert found.publish.unchanged_since == "corpus/a"
    assert (found.inventory, found.integrate) == (reports().inventory, reports().integrate)
    assert (found.extract.work.extracted, found.extract.skipped) == (0, 3), "this run extracts nothing"
    assert publications.find(database, DAY, key).publish.unchanged_since == "corpus/a", "a part of these days"


def test_days_that_two_runs_have_published_stand(database, key):
    publications.record(database, DAY, key, "corpus/a", reports())
    publications.record(database, "2026-03-02 to 2026-03-05", key, "corpus/b", reports())
    assert publications.find(database, "2026-03-01 to 2026-03-04", key).publish.unchanged_since == "corpus/b"
    assert publications.find(database, DAY, key).publish.unchanged_since == "corpus/a"
    assert publications.find(database, "2026-03-01 to 2026-03-06", key) is None


def test_a_night_without_new_files_stands(database, key):
    night = "2026-03-01 to 2026-03-01 and late days"
    publications.record(database, night, key, "corpus/a", reports())
    following = "2026-03-02 to 2026-03-02 and late days"
    assert publications.find(database, following, key).publish.unchanged_since == "corpus/a"
    assert publications.find(database, ALL, key) is None, "other days were published from another state"


def test_a_state_that_was_left_does_not_stand_when_it_comes_back(database, key):
    publications.record(database, ALL, key, "corpus/a", reports())
    assert publications.find(database, DAY, "another state") is None
    assert publications.find(database, ALL, key) is None


def test_days_do_not_stand_when_documents_are_gone(database, key):
    publications.record(database, ALL, key, "corpus/a", reports())
    database["tracks"].delete_one({"_id": "a"})
    assert publications.find(database, ALL, key) is None


def test_days_do_not_stand_when_a_later_run_over_other_days_counted_without_the_lost_documents(database, key):
    database[ANNOUNCED].insert_one({"_id": "2026-03-01", "tracks": 2})
    publications.record(database, ALL, key, "corpus/a", reports())
    assert publications.find(database, ALL, key) is not None
    database[ANNOUNCED].update_one({"_id": "2026-03-01"}, {"$inc": {"tracks": 1}})
    assert publications.find(database, ALL, key) is None


def test_days_do_not_stand_when_their_documents_are_of_the_form_before(database, key):
    publications.record(database, ALL, key, "corpus/a", reports())
    old = {"$jsonSchema": {"properties": {"features": {"bsonType": "array", "items": {"bsonType": "double"}}}}}
    database.command("collMod", "tracks", validator=old)
    assert publications.find(database, ALL, key) is None
