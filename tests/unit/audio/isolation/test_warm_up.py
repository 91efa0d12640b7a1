"""The warm-up compiles all that an extraction needs."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import soundfile
from numba.core.dispatcher import Dispatcher

from segue.audio.extract import Track, extract
from segue.audio.isolation.warm_up import warm_up


def compiled() -> dict[str, int]:
    """Count the compiled signatures of each of Segue's functions."""
    modules = [module for name, module in sys.modules.items() if name.startswith("segue.audio")]
    found = (value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher))
    return {f"{each.__module__}.{each.__name__}": len(each.signatures) for each in found}


@pytest.mark.parametrize(
    ("rate", "channels", "suffix"), [(44_100, 2, "mp3"), (22_050, 1, "flac"), (48_000, 2, "ogg")]
)
def test_after_the_warm_up_an_extraction_compiles_nothing(rate, channels, suffix, tmp_path):
    warm_up(musical=True)
    before = compiled()
    random = np.random.default_rng(0)
    seconds = np.arange(3 * rate) / rate
    sound = 0.3 * np.sin(2 * np.pi * 440 * seconds)[:, None] + random.normal(0, 0.01, (seconds.size, channels))
    soundfile.write(tmp_path / f"a.{suffix}", sound, rate)

    outcome = extract(tmp_path / f"a.{suffix}")

    assert isinstance(outcome, Track)
    assert outcome.musical is not None
    assert any(before.values())
    assert compiled() == before
