from __future__ import annotations

import pytest

from segue.corpus import publications
from segue.settings import Settings

LAKE = {"inventory": 1, "features": 2, "rejects": 2}
JOBS = {
    "inventory": {"files_digest": "files", "metadata_digest": "digest"},
    "extract": {"lake": LAKE, "to_retry": 0},
    "integrate": {"metadata_digest": "digest"},
    "publish": {"published": 2},
}


def test_a_run_has_published_the_state_that_all_its_jobs_saw():
    expected = publications.made_from(LAKE, "files", "digest", Settings())
    assert publications.published_from(JOBS, Settings()) == expected


@pytest.mark.parametrize(
    ("job", "summary"),
    [
        ("integrate", {"metadata_digest": "changed during the extraction"}),
        ("extract", {"lake": LAKE, "to_retry": 1}),
        ("publish", {"published": 2, "unchanged_since": "corpus/a"}),
    ],
)
def test_a_run_whose_jobs_saw_two_states_or_that_left_work_stands_for_none(job, summary):
    assert publications.published_from(JOBS | {job: summary}, Settings()) is None


def test_a_ping_has_published_nothing():
    ping = {job: JOBS[job] for job in ("inventory", "extract")}
    assert publications.published_from(ping, Settings()) is None
