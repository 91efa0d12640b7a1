"""The descriptors are part of the outcome of an extraction, and can neither change nor cost the 518 features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from tests.support.ebur128 import ebur128
from tests.support.feature_clips import music

from segue.audio.extract import extract, extract_spans
from segue.audio.isolation.extractor import IsolatedExtractor
from segue.audio.limits import Limits
from segue.audio.musical import key, tempo
from segue.audio.musical.definition import Musical
from segue.audio.musical.loudness import LoudnessMeter
from segue.audio.results import Track

SAMPLE_RATE = 44_100


@pytest.fixture(scope="module")
def samples() -> NDArray[np.float32]:
    """Twelve seconds whose channels differ, so that their mean has another loudness."""
    return np.ascontiguousarray(music(SAMPLE_RATE, 12, 2, seed=8).T * [0.3, -0.8], np.float32)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, samples: NDArray[np.float32]) -> Path:
    path = tmp_path_factory.mktemp("musical") / "clip.wav"
    soundfile.write(path, samples, SAMPLE_RATE, subtype="FLOAT")
    return path


def track(path: Path, limits: Limits | None = None) -> Track:
    outcome = extract(path, limits)
    assert isinstance(outcome, Track), outcome
    return outcome


def musical(path: Path) -> Musical:
    found = track(path).musical
    assert found is not None
    return found


def test_an_extraction_measures_the_channels_of_the_file(clip: Path, samples: NDArray[np.float32]) -> None:
    found, ffmpeg = musical(clip), ebur128(samples, SAMPLE_RATE, "stereo")
    assert found.error is None
    assert found.loudness_lufs == pytest.approx(ffmpeg.integrated_lufs, abs=0.1)
    assert found.true_peak_dbtp == pytest.approx(ffmpeg.true_peak_dbtp, abs=0.3)
    assert found.key_tonic in key.TONICS
    assert found.key_mode in key.MODES
    assert found.tempo_bpm is not None
    assert 40 <= found.tempo_bpm <= 240


def test_the_isolated_child_returns_the_same(clip: Path) -> None:
    with IsolatedExtractor(Limits()) as extractor:
        outcome = extractor.extract(clip)
    assert isinstance(outcome, Track)
    assert outcome.musical == musical(clip)


def test_they_can_be_switched_off_and_change_no_feature(clip: Path) -> None:
    without = track(clip, Limits(musical=False))
    assert without.musical is None
    np.testing.assert_array_equal(without.features, track(clip).features)
    with IsolatedExtractor(Limits(musical=False)) as extractor:
        outcome = extractor.extract(clip)
    assert isinstance(outcome, Track)
    assert outcome.musical is None


def test_each_span_has_its_own(clip: Path, samples: NDArray[np.float32]) -> None:
    spans = [(0.0, 5.0), (5.0, None)]
    for outcome, part in zip(
        extract_spans(clip, Limits(), spans), (samples[: 5 * SAMPLE_RATE], samples[5 * SAMPLE_RATE :]), strict=True
    ):
        assert isinstance(outcome, Track)
        assert outcome.musical is not None
        ffmpeg = ebur128(part, SAMPLE_RATE, "stereo")
        assert outcome.musical.loudness_lufs == pytest.approx(ffmpeg.integrated_lufs, abs=0.1)


def test_a_clip_of_a_second_has_a_loudness_and_no_tempo(tmp_path: Path, samples: NDArray[np.float32]) -> None:
    soundfile.write(tmp_path / "short.wav", samples[: SAMPLE_RATE + 4_000], SAMPLE_RATE)
    found = musical(tmp_path / "short.wav")
    assert found.tempo_bpm is found.beat_regularity is found.error is None
    assert found.loudness_lufs is not None


@pytest.mark.parametrize("scale", [2.0**31, 1e-4])
def test_absurd_levels_give_finite_numbers_or_none(tmp_path: Path, scale: float) -> None:
    loud = music(SAMPLE_RATE, 11, 2, seed=3).T * scale
    soundfile.write(tmp_path / "loud.wav", loud.astype(np.float32), SAMPLE_RATE, subtype="FLOAT")
    found = musical(tmp_path / "loud.wav")
    assert found.error is None
    assert all(np.isfinite(each) for each in vars(found).values() if isinstance(each, float))


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        *((tempo, "estimate"), (tempo.OnsetMeter, "add")),
        *((key, "estimate"), (key, "pitch_classes")),
        *((LoudnessMeter, "add"), (LoudnessMeter, "finish")),
    ],
)
def test_a_fault_in_them_costs_no_feature(
    monkeypatch: pytest.MonkeyPatch, clip: Path, owner: Any, name: str
) -> None:
    expected = track(clip).features

    def fail(*_: object) -> None:
        raise IndexError("out of bounds\nsecond line")

    monkeypatch.setattr(owner, name, fail)
    outcome = track(clip)
    np.testing.assert_array_equal(outcome.features, expected)
    assert outcome.musical == Musical(error="The musical descriptors failed: IndexError: out of bounds.")
