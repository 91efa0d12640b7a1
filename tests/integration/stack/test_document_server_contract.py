"""What Segue asks of a document server, asked of each of SecantusDB's servers that this machine has.

`make test-mongo` asks it of a server of the user's own.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from pymongo import ASCENDING, DESCENDING, DeleteOne, MongoClient, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError, PyMongoError, WriteError

from segue.errors import ConfigurationError
from segue.settings import Settings
from segue.stack import documents, lifecycle
from segue.stack.document_servers import Kind, find
from segue.tracks.collection import INDEXES

pytestmark = [pytest.mark.integration, pytest.mark.documents]

TRACKS = 3000


@pytest.fixture(scope="module")
def own(tmp_path_factory, settings, each_server):
    """Give each server a home of its own and let it run. One of the user's own runs already."""
    if each_server is None:
        yield settings
        return
    made = settings.model_copy(
        update={
            "home": tmp_path_factory.mktemp(each_server),
            "document_server": each_server,
            "mongo_port": settings.mongo_port + 1,
        }
    )
    lifecycle.up(made, ["mongo"])
    yield made
    lifecycle.down(made)


@pytest.fixture
def database(own):
    with MongoClient(own.mongo, tz_aware=True) as client:
        database = client[f"{own.mongo_database}-contract"]
        client.drop_database(database)
        yield database


def vector(number: int) -> bytes:
    return np.full(518, number, np.float32).tobytes()


def track(number: int, **values: object) -> dict[str, object]:
    return {
        "_id": f"{number:06d}",
        "title": f"Tune {number}",
        "genre": "reel" if number % 2 else None,
        "artist": f"Artist {number % 10}",
        "features": vector(number),
        "partition_date": f"2026-03-{number % 3 + 1:02d}",
        **values,
    }


@pytest.fixture
def tracks(database):
    database.tracks.insert_many([track(number) for number in range(TRACKS)])
    return database.tracks


@pytest.mark.embedded_documents
def test_the_wanted_server_runs_and_is_named(own, each_server):
    assert (
        documents.service(own)
        .process()
        .cmdline()[:2][-1 if each_server is Kind.PYTHON else 0]
        .endswith(each_server)
    )
    assert next(documents.remarks(own)).startswith(f"The document server is {each_server}: SecantusDB's")
    assert documents.written_by(own) is each_server


def test_upserts_replace_whole_documents_and_can_be_repeated(tracks):
    writes = [ReplaceOne({"_id": f"{n:06d}"}, track(n, title="new"), upsert=True) for n in range(TRACKS + 500)]
    for ordered in (True, False):
        result = tracks.bulk_write(writes, ordered=ordered)
        assert result.matched_count + result.upserted_count == TRACKS + 500
    assert tracks.count_documents({"title": "new"}) == tracks.estimated_document_count() == TRACKS + 500
    assert tracks.find_one({"_id": "000007"}) == track(7, title="new")
    assert np.frombuffer(tracks.find_one({"_id": "000007"})["features"], np.float32).tolist() == [7.0] * 518


def test_duplicates_of_an_unordered_insert_are_named_and_the_others_are_kept(tracks):
    with pytest.raises(BulkWriteError) as refused:
        tracks.insert_many([track(n) for n in range(TRACKS - 5, TRACKS + 5)], ordered=False)
    assert {each["code"] for each in refused.value.details["writeErrors"]} == {11000}
    assert len(refused.value.details["writeErrors"]) == 5
    assert tracks.count_documents({}) == TRACKS + 5


def test_updates_set_keep_the_largest_and_count_what_they_matched(tracks):
    updates = [
        UpdateOne({"_id": f"{n:06d}"}, {"$set": {"genre_predicted": {"genre": "jig"}}}) for n in range(1000)
    ]
    assert tracks.bulk_write(updates, ordered=False).matched_count == 1000
    assert tracks.count_documents({"genre_predicted.genre": "jig"}) == 1000
    tracks.update_one({"_id": "000001"}, {"$max": {"imports.lastfm": 5}})
    tracks.update_one({"_id": "000001"}, {"$max": {"imports.lastfm": 3}})
    assert tracks.find_one({"_id": "000001"})["imports"] == {"lastfm": 5}
    assert tracks.update_one({"_id": "none"}, {"$set": {"x": 1}}).matched_count == 0


def test_indexes_are_made_once_and_are_listed(tracks):
    for _ in range(2):
        for field in INDEXES:
            tracks.create_index(field)
        tracks.create_index("recording_mbid", sparse=True)
        tracks.create_index([("artist", ASCENDING), ("title", DESCENDING)])
    assert set(tracks.index_information()) == {
        "_id_",
        "partition_date_1",
        "genre_1",
        "artist_1",
        "recording_1",
        "recording_mbid_1",
        "artist_1_title_-1",
    }
    assert tracks.count_documents({"artist": "Artist 3", "genre": "reel"}) == TRACKS // 10
    assert tracks.count_documents({"genre": None}) == TRACKS // 2


def test_a_validator_refuses_what_its_readers_could_not_read(database, tracks):
    schema = {
        "$jsonSchema": {"bsonType": "object", "properties": {"title": {"bsonType": "string", "minLength": 1}}}
    }
    database.command("collMod", "tracks", validator=schema)
    tracks.replace_one({"_id": "000001"}, track(1))
    with pytest.raises(WriteError) as refused:
        tracks.replace_one({"_id": "000001"}, track(1, title=7))
    assert refused.value.code == 121
    [told] = database.list_collections(filter={"name": "tracks"})
    assert told["options"]["validator"] == schema


def test_finds_are_projected_sorted_and_read_in_pages(tracks):
    read, last = [], ""
    while page := list(tracks.find({"_id": {"$gt": last}}, {"title": 1}).sort("_id").limit(700)):
        read += page
        last = page[-1]["_id"]
    assert read == [{"_id": f"{n:06d}", "title": f"Tune {n}"} for n in range(TRACKS)]
    assert [each["_id"] for each in tracks.find().sort("_id", -1).skip(1).limit(2)] == ["002998", "002997"]
    assert tracks.count_documents({"_id": {"$regex": "^0000"}}) == 100
    assert tracks.count_documents({"_id": {"$in": ["000001", "000002", "none"]}}) == 2
    span = {"partition_date": {"$gte": "2026-03-01", "$lte": "2026-03-01"}}
    assert tracks.count_documents({"$or": [span, {"partition_date": {"$in": ["2026-03-03"]}}]}) == 2 * TRACKS // 3
    assert sorted(tracks.distinct("artist")) == [f"Artist {n}" for n in range(10)]


def test_aggregations_of_the_spark_connector(tracks):
    [count] = tracks.aggregate([{"$match": {}}, {"$group": {"_id": None, "n": {"$sum": 1}}}])
    assert count["n"] == TRACKS
    sampled = list(tracks.aggregate([{"$sample": {"size": 100}}, {"$project": {"_id": 1}}, {"$sort": {"_id": 1}}]))
    assert [each["_id"] for each in sampled] == sorted(each["_id"] for each in sampled)
    assert len(sampled) == 100
    bounds = [f"{n:06d}" for n in range(0, TRACKS, 500)] + ["~"]
    read = []
    for first, beyond in pairwise(bounds):
        pipeline = [{"$match": {"_id": {"$gte": first, "$lt": beyond}}}, {"$project": {"features": 1}}]
        read += [(each["_id"], each["features"]) for each in tracks.aggregate(pipeline)]
    assert read == [(f"{n:06d}", vector(n)) for n in range(TRACKS)]
    with tracks.database.client.start_session() as session:
        assert tracks.count_documents({}, session=session) == TRACKS


def test_deletions_count_what_they_removed_and_times_are_kept(database, tracks):
    assert (
        tracks.bulk_write([DeleteOne({"_id": f"{n:06d}"}) for n in range(10)], ordered=False).deleted_count == 10
    )
    moment = datetime(2026, 3, 5, 12, 30, 15, 123000, tzinfo=UTC)
    database.runs.insert_many([{"_id": 1, "at": moment}, {"_id": 2, "at": moment.replace(year=2027)}])
    assert database.runs.find_one({}, sort=[("at", -1)])["at"].year == 2027
    assert (
        database.runs.delete_many({"at": {"$lt": moment.replace(year=2027)}, "_id": {"$ne": 9}}).deleted_count == 1
    )
    database.drop_collection("tracks")
    assert "tracks" not in database.list_collection_names()


@pytest.mark.embedded_documents
def test_every_acknowledged_write_survives_kills_in_the_middle_of_writing(own):
    service, acknowledged = documents.service(own), [0]

    def write() -> None:
        with MongoClient(own.mongo, serverSelectionTimeoutMS=2000) as client:
            written = client.contract.survivors
            try:
                while True:
                    number = acknowledged[0]
                    key = {"_id": number}
                    written.replace_one(key, key | {"features": vector(number % 7)}, upsert=True)
                    acknowledged[0] = number + 1
            except PyMongoError:
                return

    for _ in range(3):
        enough = acknowledged[0] + 300
        writer = threading.Thread(target=write)
        writer.start()
        while acknowledged[0] < enough:
            assert writer.is_alive()
        process = service.process()
        process.kill()
        process.wait()
        writer.join()
        lifecycle.up(own, ["mongo"])
        with MongoClient(own.mongo) as client:
            there = {each["_id"] for each in client.contract.survivors.find({}, {"_id": 1})}
        assert set(range(acknowledged[0])) <= there


@pytest.mark.embedded_documents
def test_the_rust_server_takes_over_the_python_servers_folder_and_the_way_back_is_refused(
    tmp_path, settings, free_ports
):
    if find(Kind.RUST) is None:
        pytest.skip("secantusd-rs is not installed; `make documents-server` builds it")
    [port] = free_ports(1)
    made = Settings(home=tmp_path, corpus="moved", jars=settings.jars_dir, mongo_port=port)
    try:
        for round_, kind in enumerate([Kind.PYTHON, Kind.RUST, Kind.RUST]):
            one = made.model_copy(update={"document_server": kind})
            lifecycle.up(one, ["mongo"])
            with MongoClient(one.mongo) as client:
                tracks = client.segue.tracks
                assert tracks.count_documents({}) == 100 * round_
                tracks.create_index("artist")
                tracks.create_index("recording_mbid", sparse=True)
                tracks.create_index([("artist", ASCENDING), ("title", DESCENDING)])
                client.segue.command("collMod", "tracks", validator={"title": {"$exists": True}})
                tracks.insert_many([track(number) for number in range(round_ * 100, round_ * 100 + 100)])
                assert tracks.count_documents({"artist": "Artist 3"}) == 10 * (round_ + 1)
                with pytest.raises(WriteError):
                    tracks.insert_one({"_id": "untitled"})
            process = documents.service(one).process()
            process.kill()  # the other one recovers the log too
            process.wait()
        with pytest.raises(ConfigurationError, match="secantusd-rs has written this corpus' documents"):
            lifecycle.up(made.model_copy(update={"document_server": Kind.PYTHON}), ["mongo"])
    finally:
        lifecycle.down(made)
