from __future__ import annotations

import time

import pytest

from segue.runs import progress
from segue.runs.progress import Step, parts, step


def test_what_is_quick_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(parts("abc", 3, "Reading")) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""


def test_a_long_step_says_what_it_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EVERY_S", 0.01)
    said = ""
    with step("Fitting"):
        while "Fitting: running for 0:00:0" not in said:
            time.sleep(0.01)
            said += capsys.readouterr().err


def test_where_the_share_is_known_the_time_left_is_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", iter([100.0, 160.0]).__next__)
    running = Step("Judging")
    running.share = 0.25
    assert running.line() == "Judging: 25% after 0:01:00, about 0:03:00 left"
