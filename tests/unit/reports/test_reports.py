from __future__ import annotations

import pytest

from segue import reports
from segue.errors import ReportError

RUN = "recommender/manual__2026-10-01T00:00:00+00:00"


class Collection(dict):
    """What of a MongoDB collection is used; the real one is in tests/integration/stack/test_airflow.py."""

    def replace_one(self, key, document, *, upsert):
        assert upsert
        self[key["_id"]] = document

    def find_one(self, key):
        return self.get(key["_id"])


@pytest.fixture
def database():
    return {reports.COLLECTION: Collection()}


def test_what_is_saved_is_read_again(database):
    reports.save(RUN, "<p>Björk</p>", into=database)
    assert reports.read(RUN, source=database) == "<p>Björk</p>"


def test_a_run_without_a_report_has_none(database):
    reports.save(RUN, "one", into=database)
    assert reports.read(f"{RUN}0", source=database) is None


def test_a_job_that_runs_again_replaces_its_report(database):
    for html in ("first", "second"):
        reports.save(RUN, html, into=database)
    assert [document["html"] for document in database[reports.COLLECTION].values()] == ["second"]


def test_a_report_that_mongodb_would_refuse_is_refused_with_what_to_do(database):
    import bson

    largest = "é" * (reports.MAX_BYTES // 2)
    reports.save(RUN, largest, into=database)
    assert len(bson.encode(database[reports.COLLECTION][RUN])) <= 16 * 1024 * 1024
    with pytest.raises(ReportError, match=r"16\.8 MB.*fewer or smaller figures"):
        reports.save(RUN, largest + "é", into=database)
