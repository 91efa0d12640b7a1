from __future__ import annotations

import subprocess
import sys
from datetime import date

from segue.recommender.online.assignment import coins, takes_part

NAMES = [f"listener-{number}" for number in range(4_000)]
DAY = date(2026, 11, 30)


def test_the_share_of_the_listeners_takes_part():
    found = sum(takes_part(name, "recommender/7", 0.3) for name in NAMES) / len(NAMES)
    assert abs(found - 0.3) < 0.03
    assert not any(takes_part(name, "recommender/7", 0.0) for name in NAMES)
    assert all(takes_part(name, "recommender/7", 1.0) for name in NAMES)


def test_who_takes_part_still_does_when_the_share_grows():
    before = {name for name in NAMES if takes_part(name, "recommender/7", 0.1)}
    after = {name for name in NAMES if takes_part(name, "recommender/7", 0.2)}
    assert before < after


def test_each_challenger_has_other_listeners():
    first, second = (
        {name for name in NAMES if takes_part(name, version, 0.5)}
        for version in ("recommender/7", "recommender/8")
    )
    assert abs(len(first & second) / len(NAMES) - 0.25) < 0.03


def test_another_process_assigns_and_tosses_alike():
    code = (
        "from datetime import date; from segue.recommender.online.assignment import coins, takes_part; "
        "print([takes_part(f'listener-{n}', 'recommender/7', 0.3) for n in range(50)], "
        "coins('anna', 'recommender/7', date(2026, 11, 30)).random())"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    here = [takes_part(name, "recommender/7", 0.3) for name in NAMES[:50]]
    assert told == f"{here} {coins('anna', 'recommender/7', DAY).random()}"


def test_the_coins_of_two_days_differ():
    assert (
        coins("anna", "recommender/7", DAY).random() != coins("anna", "recommender/7", date(2026, 12, 1)).random()
    )
