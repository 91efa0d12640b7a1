from __future__ import annotations

import pytest
from tests.support.corpus_reports import cleaning

from segue.corpus import quarantine
from segue.corpus.gate import Check
from segue.runs import summaries

pytestmark = pytest.mark.integration

GOOD, BAD = Check("tracks", 40, 1, 50), Check("tracks", 0, 1, 50)


@pytest.fixture
def judged(mongo):
    """Return a function that records a verdict on a range of days; the collections are empty at first."""
    for name in (summaries.COLLECTION, quarantine.COLLECTION):
        mongo.drop_collection(name)

    def record(run_id, check, first, last, tracks=40, late=(), asked=None):
        asked_from, asked_to = asked or [first, last]
        span = {"first_day": first, "last_day": last, "asked_from": asked_from, "asked_to": asked_to}
        report = cleaning(**span, late_days=late, tracks=tracks)
        summaries.keep(run_id, report, into=mongo)
        quarantine.record(mongo, run_id, report, [check])

    return record


def held(mongo):
    return sorted(document["_id"] for document in mongo[quarantine.COLLECTION].find())


def test_days_that_failed_are_held_until_they_pass(mongo, judged):
    judged("corpus/a", BAD, "2026-03-01", "2026-03-01")
    judged("corpus/b", BAD, "2026-03-02", "2026-03-03")
    assert held(mongo) == ["corpus/a", "corpus/b"]
    assert mongo[quarantine.COLLECTION].find_one("corpus/a")["failed"] == ["tracks: 0"]
    judged("corpus/c", GOOD, "2026-03-02", "2026-03-02")
    assert held(mongo) == ["corpus/a", "corpus/b"]
    judged("corpus/d", GOOD, "2026-03-02", "2026-03-04")
    assert held(mongo) == ["corpus/a"]


def test_late_days_are_held_and_set_free_one_by_one(mongo, judged):
    judged("corpus/a", BAD, "2026-03-09", "2026-03-09", late=["2026-03-01", "2026-03-03"])
    assert held(mongo) == ["corpus/a", "corpus/a/2026-03-01", "corpus/a/2026-03-03"]
    judged("corpus/b", GOOD, None, None, late=["2026-03-03"], asked=["2026-03-10", "2026-03-10"])
    assert held(mongo) == ["corpus/a", "corpus/a/2026-03-01"]
    judged("corpus/c", GOOD, "2026-03-01", "2026-03-09")
    assert held(mongo) == []


@pytest.mark.parametrize("asked", [["2026-03-02", "2026-03-02"], [None, "2026-03-02"], [None, None]])
def test_days_are_free_once_their_files_have_gone(mongo, judged, asked):
    judged("corpus/a", BAD, "2026-03-02", "2026-03-02", asked=[None, None])
    judged("corpus/b", GOOD, None, None, tracks=0, asked=asked)
    assert held(mongo) == []


def test_a_run_that_is_judged_again_leaves_one_verdict(mongo, judged):
    judged("corpus/a", BAD, "2026-03-01", "2026-03-01")
    judged("corpus/a", BAD, "2026-03-01", "2026-03-01")
    assert held(mongo) == ["corpus/a"]
    judged("corpus/a", GOOD, "2026-03-01", "2026-03-01")
    assert held(mongo) == []


def test_a_run_is_compared_with_the_last_other_one_that_passed_with_tracks_enough(mongo, judged):
    assert quarantine.last_good(mongo, "corpus/a") is None
    judged("corpus/a", GOOD, "2026-03-01", "2026-03-01", tracks=40)
    judged("corpus/b", GOOD, "2026-03-02", "2026-03-02", tracks=50)
    judged("corpus/c", GOOD, "2026-03-03", "2026-03-03", tracks=3)
    judged("corpus/d", BAD, "2026-03-04", "2026-03-04", tracks=60)
    assert quarantine.last_good(mongo, "corpus/e").measured.tracks == 50
    assert quarantine.last_good(mongo, "corpus/b").measured.tracks == 40
