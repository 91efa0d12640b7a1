from __future__ import annotations

from segue.overview.verdict import Finding
from segue.overview.watch import news

LETTERS = Finding("dead letters", "3 dead letters.", "warn", 3, alert=True)
DISK = Finding("disk", "The disk is almost full.", "bad", alert=True)
PAUSED = Finding("paused DAGs", "listens is paused.", "warn")


def test_what_is_new_is_told_once_and_what_needs_no_alert_never():
    first = news([LETTERS, PAUSED, DISK], {})
    assert first.title == "Segue: dead letters, disk"
    assert first.text == "3 dead letters.\nThe disk is almost full."
    assert news([LETTERS, DISK], first.told).title == ""


def test_what_has_grown_is_news_and_what_has_shrunk_is_not():
    told = {"dead letters": 2}
    assert news([LETTERS], told).worse == [LETTERS]
    assert news([LETTERS], {"dead letters": 5}).title == ""
    assert news([LETTERS], {"dead letters": 5}).told == {"dead letters": 3}


def test_what_is_gone_is_over():
    gone = news([DISK], {"disk": 1, "dead letters": 3})
    assert (gone.title, gone.text) == ("Segue: over: dead letters", "Over: dead letters.")
    assert news([DISK], gone.told).title == ""


def test_what_cannot_be_seen_is_not_over():
    away = Finding("listens", "Listens: No Kafka broker answers.", "bad", alert=True)
    hidden = news([away], {"dead letters": 3}, complete=False)
    assert hidden.title == "Segue: listens"
    back = news([LETTERS], hidden.told)
    assert (back.worse, back.over) == ([], ["listens"])
