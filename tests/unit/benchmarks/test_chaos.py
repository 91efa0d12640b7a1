from __future__ import annotations

import io

import chaos_attacks
import chaos_faults
import chaos_ground
import pytest
from chaos_schedule import ATTACKS, HARMLESS, KINDS, LONG_MINUTES, SLOT_S, Fault, round_size, schedule
from chaos_verdict import Check, Record
from rich.console import Console

SHORT = [kind for kind in KINDS if not kind.long]
PINNED = ["disk full for 5.2 s, beside: silent connections", "lost index timeindex, beside: forget"]
ROUND_MINUTES = round_size(0) * SLOT_S / 60


def test_the_same_seed_gives_the_same_faults_and_another_seed_gives_others() -> None:
    assert schedule(7, 30) == schedule(7, 30)
    assert schedule(7, 30) != schedule(8, 30)
    assert schedule(7, 3)[:4] == schedule(7, 1), "a longer campaign begins alike"


def test_a_schedule_stays_the_same_in_later_versions_of_python() -> None:
    assert [str(fault) for fault in schedule(1, 0.5)] == PINNED


@pytest.mark.parametrize("seed", range(20))
def test_every_round_has_every_kind(seed: int) -> None:
    one = [fault.kind for fault in schedule(seed, ROUND_MINUTES)]
    assert sorted(one) == sorted(kind.name for kind in SHORT for _ in range(kind.each_round))


@pytest.mark.parametrize("seed", range(20))
def test_a_long_campaign_has_every_kind_with_every_target_and_every_attack(seed: int) -> None:
    faults = schedule(seed, 240)
    assert {(fault.kind, fault.target) for fault in faults} == {
        (kind.name, target) for kind in KINDS for target in kind.targets
    }
    assert {fault.attack for fault in faults} == set(ATTACKS)


@pytest.mark.parametrize("minutes", [3, LONG_MINUTES])
def test_faults_last_as_long_as_their_kind_may_and_lose_nothing_that_was_just_sent(minutes: float) -> None:
    kinds = {kind.name: kind for kind in KINDS}
    for seed in range(50):
        for number, fault in enumerate(schedule(seed, minutes)):
            kind = kinds[fault.kind]
            assert kind.seconds[0] <= fault.seconds <= kind.seconds[1]
            assert not kind.loses or fault.attack in HARMLESS
            assert not kind.long or minutes >= LONG_MINUTES
            assert (fault.number, fault.at_s) == (number, number * SLOT_S)


def test_every_kind_and_every_attack_of_the_schedule_is_known() -> None:
    assert chaos_faults.FAULTS.keys() == {kind.name for kind in KINDS}
    assert chaos_ground.NEEDS.keys() <= chaos_faults.FAULTS.keys()
    assert set(ATTACKS) == {*HARMLESS, *chaos_attacks.END}
    steps = next(kind for kind in KINDS if kind.name == "clock step").targets
    assert chaos_faults.STEPS.keys() == set(steps)


def test_what_needs_root_is_named_and_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(chaos_ground.VARIABLE, "")
    monkeypatch.delenv("SHIFTED_CLOCK", raising=False)
    skipped = chaos_ground.skipped()
    assert skipped.keys() == chaos_ground.NEEDS.keys()
    planned = schedule(1, ROUND_MINUTES)
    record = Record(skipped)
    record.add(next(fault for fault in planned if fault.kind == "kill"), 3.0)
    console = Console(width=150, record=True, file=io.StringIO())
    for table in record.tables(planned):
        console.print(table)
    shown = console.export_text()
    assert "needs root" in next(line for line in shown.splitlines() if "disk full" in line)
    assert "needs a C compiler" in shown
    assert "3.0 s" in next(line for line in shown.splitlines() if "kill" in line)


def test_a_count_that_differs_does_not_hold() -> None:
    assert Check("listens", 2, 2).holds
    assert not Check("listens", 2, 1).holds


def test_a_fault_is_one_line() -> None:
    assert str(Fault(0, 0.0, "pause", "kafka", 4.0, "flood")) == "pause kafka for 4.0 s, beside: flood"
    assert str(Fault(0, 0.0, "cut segment", "", 0.0, "flood")) == "cut segment, beside: flood"
