"""Measure the musical descriptors on the sample corpus: accuracy against its scores, and CPU a clip.

    python benchmarks/descriptors.py accuracy FOLDER   tempo, key and loudness against scores and FFmpeg
    python benchmarks/descriptors.py speed FOLDER      CPU a clip with the descriptors and without, in turns

FOLDER is a sample corpus, as `segue.demo.sample.render` leaves it; its `sources.csv` names the score and the tempo
of each file. The beat of a piece is a dotted quarter in compound time (6/8, 9/8, 12/8), else a quarter. The key is
the one that the score states. Pieces whose score states none, such as the masses, do not count for the key.

Keys are weighted as in MIREX: 1 for the same key, 0.5 for the fifth above it, 0.3 for the relative and 0.2 for the
parallel key. Times are CPU time of one thread. The best of all rounds counts for each clip.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from extraction import encode_as_fma
from threadpoolctl import threadpool_limits

from segue.audio.decoding.libsndfile import open_soundfile
from segue.audio.features import FeatureAccumulator
from segue.audio.kernels.signal import mix
from segue.audio.limits import Limits
from segue.audio.musical import key
from segue.audio.musical.definition import Musical
from segue.audio.musical.meter import MusicalMeter
from segue.demo.material import corpus_dir
from segue.demo.scores import tunes
from segue.settings import PROJECT_DIR

sys.path.insert(0, str(PROJECT_DIR))

from tests.support.ebur128 import ebur128

OCTAVES: Final = (0.5, 1.0, 2.0)
TOLERANCE: Final = 0.04
SEMITONES: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
MINOR: Final = ("m", "min", "aeo", "dor", "phr")
"""Modes with a minor third, as ABC abbreviates them."""


@dataclass(frozen=True)
class Truth:
    """What the score of a file says."""

    path: Path
    genre: str
    bpm: float
    tonic: int | None
    mode: str | None


class Pitches(MusicalMeter):
    """A meter that shows its pitch classes, to compare profiles."""

    @property
    def pitch_classes(self) -> key.Float64:
        """Share of each pitch class."""
        return self._pitch_classes


def truths(folder: Path) -> Iterator[Truth]:
    """Read the beat and the key of each undamaged file from its score."""
    corpus = corpus_dir()
    with (folder / "sources.csv").open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            if row["damage"]:
                continue
            score, _, tune = row["score"].removeprefix("music21/corpus/").rpartition("#")
            stated = _of_abc if score.endswith(".abc") else _of_music21
            metre, tonality = stated(corpus / score, int(tune))
            is_compound = re.match(r"(6|9|12)/", metre)
            bpm = float(row["quarters_per_minute"]) * (2 / 3 if is_compound else 1)
            yield Truth(folder / row["file"], row["genre"], bpm, *_key(tonality))


def _of_abc(file: Path, tune: int) -> tuple[str, str]:
    text = tunes(file.read_text(encoding="utf-8", errors="replace"))[tune]
    metre, tonality = (re.search(rf"(?m)^{letter}:\s*(.*?)\s*$", text) for letter in "MK")
    return metre[1] if metre else "", tonality[1] if tonality else ""


def _of_music21(file: Path, _: int) -> tuple[str, str]:
    from music21 import converter, key, meter

    stream = converter.parseFile(file, forceSource=True, storePickle=False).recurse()
    keys, metres = (list(stream.getElementsByClass(kind)) for kind in (key.Key, meter.TimeSignature))
    tonality = keys[0].tonic.name.replace("-", "b") + ("m" if keys[0].mode == "minor" else "") if keys else ""
    return metres[0].ratioString if metres else "", tonality


def _key(text: str) -> tuple[int, str] | tuple[None, None]:
    found = re.match(r"([A-G])([b#]?)\s*([A-Za-z]*)", text)
    if not found:
        return None, None
    tonic = (SEMITONES[found[1]] + {"": 0, "b": -1, "#": 1}[found[2]]) % 12
    return tonic, "minor" if found[3].lower()[:3] in MINOR else "major"


def mirex(truth: Truth, found: key.Key | None) -> float:
    """Weight an estimated key."""
    if found is None or truth.tonic is None:
        return 0.0
    above, is_same_mode = (key.TONICS.index(found.tonic) - truth.tonic) % 12, found.mode == truth.mode
    if is_same_mode:
        return {0: 1.0, 7: 0.5}.get(above, 0.0)
    return {0: 0.2, 9 if truth.mode == "major" else 3: 0.3}.get(above, 0.0)


def measured(samples: np.ndarray, sample_rate: int) -> tuple[Musical, key.Float64]:
    """Compute the descriptors of a signal of shape (n, channels), and its pitch classes."""
    meter = Pitches(sample_rate, samples.shape[1])
    accumulator = FeatureAccumulator(sample_rate, listener=meter)
    accumulator.add(mix(samples.T))
    accumulator.finish()
    meter.add(samples)
    return meter.finish(), meter.pitch_classes


def accuracy(folder: Path) -> None:
    """Print how often tempo and key are right, and the largest difference from FFmpeg's loudness."""
    exact, octave, louder, peaks, wrong = [], [], [], [], []
    weights: dict[str, list[float]] = {name: [] for name in key.PROFILES}
    sure: dict[str, list[tuple[float, bool]]] = {"tempo": [], "key": []}
    for truth in truths(folder):
        samples, sample_rate = soundfile.read(truth.path, dtype="float32", always_2d=True)
        found, pitches = measured(samples, sample_rate)
        ratio = (found.tempo_bpm or np.nan) / truth.bpm
        exact.append(abs(ratio - 1) <= TOLERANCE)
        octave.append(any(abs(ratio / each - 1) <= TOLERANCE for each in OCTAVES))
        sure["tempo"].append((found.tempo_confidence or 0, exact[-1]))
        if not octave[-1]:
            wrong.append(f"{truth.genre}: {found.tempo_bpm} for {truth.bpm:.1f}")
        if truth.tonic is not None:
            for name, each in weights.items():
                each.append(mirex(truth, key.estimate(pitches, name)))
            sure["key"].append((found.key_confidence or 0, weights[key.PROFILE][-1] == 1))
        ffmpeg = ebur128(samples, sample_rate, {1: "mono", 2: "stereo"}[samples.shape[1]])
        louder.append(abs((found.loudness_lufs or -np.inf) - ffmpeg.integrated_lufs))
        peaks.append(abs((found.true_peak_dbtp or -np.inf) - ffmpeg.true_peak_dbtp))
    print(f"{len(exact)} files\n\n| what | value |\n|---|---:|")
    print(f"| tempo within 4 %, half and double allowed | {np.mean(octave):.1%} |")
    print(f"| tempo within 4 % | {np.mean(exact):.1%} |")
    for name, each in weights.items():
        print(f"| key by MIREX's weights, {name}, {len(each)} files | {np.mean(each):.3f} |")
        print(f"| the same key, {name} | {np.mean(np.array(each) == 1):.1%} |")
    print(f"| largest difference from ebur128, loudness | {max(louder):.3f} LU |")
    print(f"| largest difference from ebur128, true peak | {max(peaks):.2f} dB |")
    for name, pairs in sure.items():
        confidence, right = map(np.array, zip(*pairs, strict=True))
        print(f"| {name}: mean confidence, share that is right | {confidence.mean():.2f}, {right.mean():.2f} |")
    print("\nWrong tempo:", *wrong or ["none"], sep="\n- ")


def extract(path: Path, *, musical: bool) -> None:
    """Decode and compute the 518 features as the extraction does, with the descriptors or without."""
    with path.open("rb", buffering=0) as file, open_soundfile(file, Limits()) as stream:
        meter = MusicalMeter(stream.sample_rate, stream.channels) if musical else None
        accumulator = FeatureAccumulator(stream.sample_rate, listener=meter)
        for channels in stream.channel_blocks:
            accumulator.add(mix(channels.T))
            if meter:
                meter.add(channels)
        accumulator.finish()
        if meter:
            meter.finish()


def speed(folder: Path, clips: int, rounds: int) -> None:
    """Print the CPU time of a clip with the descriptors and without."""
    paths = [truth.path for truth in truths(folder)]
    chosen = [paths[i] for i in np.linspace(0, len(paths) - 1, min(clips, len(paths))).astype(int)]
    contenders: dict[str, Callable[[Path], None]] = {
        "518 features": lambda path: extract(path, musical=False),
        "518 features and musical descriptors": lambda path: extract(path, musical=True),
    }
    with tempfile.TemporaryDirectory() as place, threadpool_limits(1):
        encoded = encode_as_fma(chosen, Path(place))
        best = {name: np.full(len(encoded), np.inf) for name in contenders}
        for run in contenders.values():
            run(encoded[0])
        for _ in range(rounds):
            for i, path in enumerate(encoded):
                for name, run in contenders.items():
                    start = time.process_time()
                    run(path)
                    best[name][i] = min(best[name][i], (time.process_time() - start) * 1e3)
    without, with_ = (best[name] for name in contenders)
    print(f"{len(chosen)} clips at 256 kbit/s, best of {rounds} rounds\n\n| computation | CPU ms a clip |")
    print("|---|---:|")
    for name, times in best.items():
        print(f"| {name} | {times.mean():.1f} |")
    of_median = np.median(with_ / without) - 1
    print(f"\n{with_.mean() / without.mean() - 1:.1%} more; {of_median:.1%} in the median of the clips")


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measurement", choices=["accuracy", "speed"])
    parser.add_argument("folder", type=Path, help="a sample corpus")
    parser.add_argument("--clips", type=int, default=40, help="speed: largest number of files, evenly chosen")
    parser.add_argument("--rounds", type=int, default=3, help="speed: number of rounds")
    arguments = parser.parse_args()
    if arguments.measurement == "accuracy":
        accuracy(arguments.folder)
    else:
        speed(arguments.folder, arguments.clips, arguments.rounds)


if __name__ == "__main__":
    main()
