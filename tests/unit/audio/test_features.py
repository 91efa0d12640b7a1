from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.support.feature_clips import CLIPS, Samples, click, low_passed, music, noise, tone

from segue.audio import definition, features, reference
from segue.audio.kernels import banks, first_pass

pytestmark = pytest.mark.filterwarnings("ignore:n_fft=", "ignore:Empty filters")
TOLERANCE = 1e-4


def assert_close(computed: Samples, expected: Samples) -> None:
    errors = reference.errors(computed, expected)
    assert max(errors.values()) <= TOLERANCE, {family: f"{error:.1e}" for family, error in errors.items()}


@pytest.mark.parametrize("name", CLIPS)
def test_every_family_equals_plain_librosa(name: str) -> None:
    make, sample_rate = CLIPS[name]
    samples = make()
    computed = features.compute(samples, sample_rate)
    assert computed.dtype == np.float32
    assert np.isfinite(computed).all()
    assert_close(computed, reference.compute(samples, sample_rate))


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 48000])
def test_fma_compatible_labels_bins_as_if_every_file_had_22050_hz(sample_rate: int) -> None:
    samples = music(sample_rate, 3, 2, seed=20)
    compatible = features.compute(samples, sample_rate, fma_compatible=True)
    assert_close(compatible, reference.compute(samples, sample_rate, fma_compatible=True))
    true = features.compute(samples, sample_rate)
    at = definition.index("spectral_centroid", "mean")
    assert compatible[at] / true[at] == pytest.approx(22050 / sample_rate, rel=1e-5)


def test_the_families_differ_from_another_clip_by_more_than_the_tolerance() -> None:
    one, other = (features.compute(music(44100, 2, 2, seed=seed), 44100) for seed in (30, 31))
    assert min(reference.errors(one, other).values()) > 10 * TOLERANCE


@pytest.mark.parametrize("block", [1, 511, 4096, 65_536])
def test_blocks_give_the_same_numbers_as_the_whole(block: int) -> None:
    samples = music(44100, 0.5 if block == 1 else 4, 2, seed=21)
    accumulator = features.FeatureAccumulator(44100)
    for start in range(0, samples.shape[1], block):
        accumulator.add(samples[:, start : start + block])
    assert np.array_equal(accumulator.finish(), features.compute(samples, 44100))


def test_a_signal_too_long_for_memory_gives_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = music(44100, 8, 2, seed=22)
    expected = features.compute(samples, 44100)
    monkeypatch.setattr(first_pass, "_KEPT_BATCHES", 8)
    monkeypatch.setattr("segue.audio.kernels.spool._IN_MEMORY_BYTES", 100_000)
    assert np.array_equal(features.compute(samples, 44100), expected)


def test_channels_and_layout_of_memory_do_not_matter() -> None:
    mono = music(44100, 1, 1, seed=23)[0]
    expected = features.compute(mono, 44100)
    for samples in (mono[np.newaxis], np.stack([mono, mono]), np.stack([mono, mono], axis=1).T):
        assert np.array_equal(features.compute(samples, 44100), expected)


@pytest.mark.parametrize("n", [1023, 1024, 1025, 2048, 7680, 8191, 8192, 8193])
def test_any_length_equals_plain_librosa(n: int) -> None:
    samples = music(44100, 1, 1, seed=24)[0, :n]
    computed, expected = features.compute(samples, 44100), reference.compute(samples, 44100)
    # The shape of the distribution of a handful of nearly equal values is rounding.
    shapes = [i for i, (_, statistic, _) in enumerate(definition.COLUMNS) if statistic in {"skew", "kurtosis"}]
    computed[shapes] = expected[shapes] = 0
    assert_close(computed, expected)


@pytest.mark.parametrize("n", [1, 2, 100, 511, 512])
def test_less_than_two_frames_give_finite_features(n: int) -> None:
    assert np.isfinite(features.compute(np.full(n, 0.5, np.float32), 44100)).all()


def test_a_series_that_does_not_vary_has_skew_0_and_kurtosis_minus_3() -> None:
    silent = features.compute(np.zeros(44100, np.float32), 44100)
    assert silent[definition.index("rmse", "skew")] == 0
    assert silent[definition.index("rmse", "kurtosis")] == -3


def test_half_an_hour_takes_no_more_memory_than_its_series() -> None:
    program = """
import resource, sys
import numpy as np
from segue.audio import features
rng = np.random.default_rng(0)
block = rng.standard_normal(2**16).astype(np.float32) * 0.1
def peak_bytes(n_blocks):
    accumulator = features.FeatureAccumulator(44100)
    for i in range(n_blocks):
        accumulator.add(np.roll(block, i * 997))
    accumulator.finish()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
short = peak_bytes(400)
print((peak_bytes(1200) - short) / (800 * 128))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=600)
    bytes_per_frame = float(run.stdout)
    # 74 float32 series and what finishing one family needs; a frame's spectrum and samples would add 6,100 bytes.
    assert bytes_per_frame < 1500


def test_a_read_only_home_and_package_are_no_error(tmp_path: Path) -> None:
    # Files where numba would make folders stand for read-only ones: the tests may run as root.
    package, home, temporary = tmp_path / "segue", tmp_path / "home", tmp_path / "tmp"
    shutil.copytree(Path(features.__file__).parents[1], package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "audio" / "kernels" / "__pycache__").touch()
    home.touch()
    temporary.mkdir()
    program = """
import numpy as np
from segue.audio.kernels.statistics import statistics
print(statistics(np.arange(5, dtype=np.float32)[np.newaxis])[2, 0])
"""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(tmp_path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(home),
        "TMPDIR": str(temporary),
    }
    run = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True, env=environment
    )
    assert float(run.stdout) == 2
    (cache,) = temporary.glob("segue-compiled-*")
    assert cache.stat().st_mode & 0o077 == 0
    assert list(cache.glob("*/*.nbi"))


@pytest.mark.parametrize("make", [click, tone, low_passed, lambda: noise(44100, 1)])
def test_clips_are_what_they_say(make: object) -> None:
    samples = make()  # type: ignore[operator]
    assert samples.dtype == np.float32
    assert 0 < np.abs(samples).max() <= 1.5


@pytest.mark.parametrize("sample_rate", [8000, 12000, 44100, 384_000])
def test_banks_equal_librosas(sample_rate: int) -> None:
    import librosa

    mel = librosa.filters.mel(sr=sample_rate, n_fft=2048)
    np.testing.assert_allclose(banks.mel(sample_rate), mel, atol=1e-6 * mel.max())
    for tuning in (-0.5, 0.0, 0.37):
        chroma = librosa.filters.chroma(sr=sample_rate, n_fft=2048, tuning=tuning)
        np.testing.assert_allclose(banks.chroma(sample_rate, tuning), chroma, atol=1e-6)
