from __future__ import annotations

from datetime import date, timedelta

import pytest
from tests.support.overview_state import LAST, NOW, corpus, listens, schedule, state

from segue.overview.corpus import Day, DayState
from segue.overview.listens import Sample
from segue.overview.state import Problem
from segue.overview.storage import Storage
from segue.overview.verdict import findings, verdict

SOUND = {LAST: Day(9, 0, DayState.PUBLISHED)}


def sound(**changes):
    parts = {
        "corpus": corpus(days=SOUND, rejected={}, quarantined=[]),
        "listens": listens(dead_letters=0),
    }
    return state(**(parts | changes))


def test_all_is_well():
    assert verdict(sound(), schedule()) == ("Everything is published up to 2026-11-27.", "good")


def test_rejected_and_quarantined_files_are_counted():
    days = SOUND | {date(2026, 11, 3): Day(4, 3, DayState.QUARANTINED)}
    told = verdict(sound(corpus=corpus(days=days, rejected={"EMPTY": 2, "SILENT": 1})), schedule())
    assert told == (
        "Everything is published up to 2026-11-27; 3 files were rejected, 1 day is quarantined.",
        "bad",
    )


def test_rejected_files_alone_are_a_warning():
    told = verdict(sound(corpus=corpus(days=SOUND, rejected={"EMPTY": 1}, quarantined=[])), schedule())
    assert told == ("Everything is published up to 2026-11-27; 1 file was rejected.", "warn")


def test_days_that_wait_are_not_called_published():
    days = SOUND | {LAST - timedelta(days=back): Day(1, 0, DayState.WAITING) for back in (1, 2)}
    said, tone = verdict(sound(corpus=corpus(days=days, rejected={}, quarantined=[])), schedule())
    assert (said, tone) == ("2 days are not published yet (the newest is 2026-11-26).", "warn")


def test_an_empty_corpus_says_what_to_do():
    said, tone = verdict(sound(corpus=corpus(files=0, days={}, rejected={}, quarantined=[])), schedule())
    assert (said, tone) == ("The corpus is empty: run the DAG corpus.", "warn")


@pytest.mark.parametrize(
    ("dags", "said", "tone"),
    [
        ({"corpus": {"outcome": "failed"}}, "The last run of corpus failed.", "bad"),
        ({"listens": {"paused": True}}, "listens is paused: switch it on", "warn"),
        (
            {name: {"paused": True} for name in ("corpus", "recommender", "listens")},
            "corpus, recommender and listens are paused",
            "warn",
        ),
        ({"corpus": {"run_id": None, "outcome": None}}, "Everything is published", "good"),
    ],
)
def test_the_dags_have_their_sentence(dags, said, tone):
    told = verdict(sound(), schedule(**dags))
    assert said in told[0]
    assert told[1] == tone


def test_a_service_that_does_not_answer_comes_first():
    said, tone = verdict(sound(listens=Problem("No Kafka broker answers.")), schedule())
    assert said == "Listens: No Kafka broker answers. Everything is published up to 2026-11-27."
    assert tone == "bad"


def test_a_disk_that_is_almost_full_is_told():
    said, tone = verdict(sound(storage=Storage({}, 100_000_000)), schedule())
    assert said.startswith("The disk is almost full (100 MB are free).")
    assert tone == "bad"


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("corpus", {"corpus": corpus(days=SOUND | {LAST - timedelta(days=9): Day(4, 3, DayState.QUARANTINED)})}),
        ("dead letters", {"listens": listens(dead_letters=1)}),
        (
            "stale listens",
            {"listens": listens(dead_letters=0, sample=Sample(5, 5, 0, {}, NOW - timedelta(days=2)))},
        ),
        ("disk", {"storage": Storage({}, 100_000_000)}),
        ("models", {"models": Problem("MLflow's server does not answer.")}),
    ],
)
def test_what_nobody_may_miss_is_an_alert_even_if_nobody_looks(kind, changes):
    alerts = [each.kind for each in findings(sound(**changes), schedule()) if each.alert]
    assert alerts == [kind]
    assert [each for each in findings(sound(), schedule()) if each.alert] == []


def test_dead_letters_and_silence_are_told():
    silent = Sample(5, 5, 0, {}, NOW - timedelta(days=2))
    said, tone = verdict(sound(listens=listens(dead_letters=1, sample=silent)), schedule())
    assert "1 dead letter: see `segue dlq list`." in said
    assert "No listen has come since 2026-11-26 14:05 UTC." in said
    assert tone == "warn"
