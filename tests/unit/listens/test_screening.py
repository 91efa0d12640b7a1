from __future__ import annotations

import json

import pytest
from pyspark.sql import functions as sf

from segue.listens.decoding import decode
from segue.listens.events import event_id, listen
from segue.listens.removals import event_key, listen_key, user_key
from segue.listens.screening import SKIPPED, TAKEN_BACK, screen


def said(user="ann", track="t1", at=100):
    return listen(user, track, at).model_dump_json().encode()


def decoded(messages):
    return decode(messages.withColumns({"timestamp": sf.current_timestamp(), "key": sf.lit(b"ann")}))


@pytest.fixture
def screened(spark):
    good, again = said(), {**json.loads(said(user="bob")), "of a later version": 1}
    values = [
        (0, 0, good, False),
        (0, 1, said(at=160), True),
        (0, 2, good, True),
        (1, 0, b"{broken", True),
        (1, 1, None, True),
        (1, 2, json.dumps({**json.loads(good), "listened_at": "noon"}).encode(), True),
        (1, 3, json.dumps({**json.loads(good), "schema_version": 99}).encode(), True),
        (1, 4, json.dumps({**json.loads(good), "user_name": "a\x00b"}).encode(), False),
        (1, 5, said(track="gone"), True),
        (1, 6, json.dumps(again).encode(), True),
    ]
    rows = spark.createDataFrame(values, "partition int, offset long, value binary, in_window boolean")
    parsed = decoded(rows).join(rows.select("partition", "offset", "in_window"), ["partition", "offset"])
    return screen(parsed, spark.createDataFrame([("t1",), ("t2",)], "track_id string"), {})


def test_each_event_counts_once_and_the_first_message_of_it_is_kept(screened):
    kept = {(row.partition, row.offset): row.user_name for row in screened.listens.collect()}
    assert kept == {(0, 0): "ann", (0, 1): "ann", (1, 6): "bob"}


def test_a_listen_of_a_clock_that_is_ahead_is_heard_when_it_came(spark):
    event = {**json.loads(said(at=4_000_000_000)), "schema_version": 2, "received_at": 1_800_000_000.5}
    rows = spark.createDataFrame([(0, 0, json.dumps(event).encode())], "partition int, offset long, value binary")
    messages = decoded(rows).withColumn("in_window", sf.lit(True))
    kept = screen(messages, spark.createDataFrame([("t1",)], "track_id string"), {})
    assert [row.listened_at for row in kept.listens.collect()] == [1_800_000_000]


def test_everything_else_is_counted_by_reason(screened):
    assert dict(screened.rejected) == {
        "sent again": 1,
        "malformed, json_invalid": 2,
        "malformed, listened_at: int_type": 1,
        "malformed, schema_version: literal_error": 1,
        "malformed, user_name: string_pattern_mismatch": 1,
        "track not in the corpus": 1,
    }


def test_the_counts_add_up(screened):
    counts = screened.counts()
    assert counts.messages == 10 == counts.used + sum(counts.rejected.values())
    assert counts.used == screened.listens.count() == 3
    assert screened.in_window == 8


def test_what_a_listener_has_taken_back_does_not_count_whatever_time_it_claims_until_they_send_it_again(spark):
    def received(user, track, at, received_at):
        event = json.loads(said(user, track, at))
        return json.dumps(event | {"schema_version": 2, "received_at": received_at}).encode()

    removed = {user_key("ann"): 1_000.0, listen_key("bob", 200, None): 1_000.0}
    removed[event_key(event_id("bob", 250, "t1"))] = 1_000.0  # whatever its MSID
    values = [
        (0, 0, received("ann", "t1", 100, 500.0)),
        (0, 1, received("ann", "t1", 9_999_999, 500.0)),  # a player whose clock is ahead
        (0, 2, said("ann", "t1", 9_999)),  # of version 1: nobody knows when it came
        (0, 3, received("ann", "t1", 100, 1_500.0)),  # came back, and brought the old plays along
        (0, 4, received("ann", "t2", 1_400, 1_500.0)),
        (0, 5, received("bob", "t1", 200, 500.0)),
        (0, 6, received("bob", "t1", 300, 500.0)),
        (0, 7, received("bob", "t1", 250, 500.0)),
    ]
    rows = spark.createDataFrame(values, "partition int, offset long, value binary")
    parsed = decoded(rows).withColumn("in_window", sf.lit(True))
    screened = screen(parsed, spark.createDataFrame([("t1",), ("t2",)], "track_id string"), removed)
    assert {row.offset for row in screened.listens.collect()} == {3, 4, 6}
    assert dict(screened.rejected) == {TAKEN_BACK: 5}


@pytest.mark.parametrize(("weight", "plays"), [(0.0, {100: 1.0}), (0.25, {100: 1.0, 200: 0.25})])
def test_a_skip_counts_as_much_as_the_setting_says(spark, weight, plays):
    skip = {**json.loads(said(at=200)), "skipped": True, "played_s": 3.5}
    rows = [(0, 0, said(), True), (0, 1, json.dumps(skip).encode(), True)]
    messages = spark.createDataFrame(rows, "partition int, offset long, value binary, in_window boolean")
    parsed = decoded(messages).join(messages.select("partition", "offset", "in_window"), ["partition", "offset"])
    kept = screen(parsed, spark.createDataFrame([("t1",)], "track_id string"), {}, skip_weight=weight)
    assert {row.listened_at: row.plays for row in kept.listens.collect()} == plays
    assert dict(kept.rejected) == ({} if weight else {SKIPPED: 1})
    assert (kept.read, kept.used) == (2, len(plays))
