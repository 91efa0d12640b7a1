from __future__ import annotations

from sampling import Use, Used
from verdict import _memory

MB = 1_000_000


def test_each_limit_that_is_passed_gets_a_sentence() -> None:
    used = Used(
        tasks={"recommender/r/train": Use(pss=6_000 * MB, one_process_pss=4_100 * MB)},
        services={
            "live": Use(pss=700 * MB, one_process_pss=650 * MB),
            "mongo": Use(pss=1_400 * MB, one_process_pss=1_400 * MB),
        },
        together=Use(pss=10_100 * MB),
    )
    assert list(_memory(used)) == [
        "The service live took 0.70 GB of memory; the limit is 0.6 GB.",
        "One process of recommender/r/train took 4.10 GB of memory; the limit is 4.0 GB.",
        "The whole stack took 10.10 GB of memory; the limit is 10.0 GB.",
    ]


def test_a_stack_within_its_limits_has_no_fault() -> None:
    live = Use(pss=500 * MB, one_process_pss=450 * MB)
    assert not list(_memory(Used(tasks={}, services={"live": live}, together=Use(pss=9_000 * MB))))
