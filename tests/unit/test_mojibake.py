from __future__ import annotations

import pytest

from segue.mojibake import repair


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        ("Sigur RÃ³s", "Sigur Rós"),
        ("Ð¢Ð°Ñ‚Ñƒ", "Тату"),
        ("Ãðóïïà êðîâè", "Группа крови"),
        ("Ìóìèé Òðîëëü", "Мумий Тролль"),
    ],
)
def test_what_is_certain_is_repaired(broken: str, whole: str) -> None:
    assert repair(broken) == whole


@pytest.mark.parametrize(
    "text",
    ["", "Björk", "Mötley Crüe", "Ágætis byrjun", "Þórir", "Édith Piaf", "SÃO PAULO", "Óðinn", "Çà", "Ææææ!",
     "Кино", "¿Qué?", "Ýmir", "naïve", "Ö", "宇多田"],
)  # fmt: skip
def test_what_may_be_meant_stays(text: str) -> None:
    assert repair(text) == text
