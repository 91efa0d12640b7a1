"""Measure the extraction: cost, exactness, memory and start.

    python benchmarks/extraction.py speed FOLDER      CPU a clip: decoding, Segue, librosa, rivals where installed
    python benchmarks/extraction.py accuracy FOLDER   largest error of each family against librosa
    python benchmarks/extraction.py memory            resident memory for a one-hour file
    python benchmarks/extraction.py start             CPU of a fresh process until its first features
    python benchmarks/extraction.py halving           CPU of an output sample when Segue or soxr halves the rate

FOLDER has audio files: use 40 MP3s or more for meaningful figures. The cost of decoding depends on the bit rate.
FMA's clips have 250 kbit/s (93 GiB / 106,574 / 30 s), and rendered ones far less; --as-fma encodes these at 256.

All times are CPU time of one thread, user and system. A round runs every contender on a clip before the next clip,
and the best round counts. Measure on a quiet machine: if other processes use the caches, all but decoding is
slower.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from threadpoolctl import threadpool_limits

from segue.audio import definition, features
from segue.audio.decoding.libsndfile import open_soundfile
from segue.audio.limits import Limits

CORPUS_CLIPS = 106_574
"""Clips of FMA's full data set."""

SUFFIXES = {".mp3", ".flac", ".ogg", ".wav"}


def decode(path: Path) -> None:
    """Only decode."""
    soundfile.read(path, dtype="float32")


def segue(path: Path) -> None:
    """Decode and compute all 518 features in blocks, as the extraction does."""
    with path.open("rb", buffering=0) as file, open_soundfile(file, Limits()) as stream:
        accumulator = features.FeatureAccumulator(stream.sample_rate)
        for block in stream.blocks:
            accumulator.add(block)
        accumulator.finish()


def librosa_518(path: Path) -> None:
    """Decode and compute the same 518 features with librosa's functions, as FMA's features.py does."""
    from segue.audio import reference

    samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
    reference.compute(samples.T, sample_rate)


def bliss_20(path: Path) -> None:
    """Decode and compute bliss' summary of a song: about 20 numbers."""
    import bliss_audio

    bliss_audio.Song(str(path))


def essentia_three(path: Path) -> None:
    """Decode and compute three families with Essentia: MFCC, centroid and zero crossings of each frame."""
    import essentia.standard as es

    samples = es.MonoLoader(filename=str(path), sampleRate=44100)()
    window, spectrum, mfcc = es.Windowing(type="hann"), es.Spectrum(), es.MFCC(numberCoefficients=20)
    centroid, crossings = es.Centroid(range=22050), es.ZeroCrossingRate()
    for frame in es.FrameGenerator(samples, frameSize=2048, hopSize=512):
        magnitudes = spectrum(window(frame))
        mfcc(magnitudes)
        centroid(magnitudes)
        crossings(frame)


CONTENDERS: dict[str, Callable[[Path], None]] = {
    "decoding alone (soundfile)": decode,
    "Segue, 518 features": segue,
    "librosa, the same 518": librosa_518,
    "bliss-audio, 20 numbers": bliss_20,
    "Essentia, 3 families": essentia_three,
}


def cpu_ms(run: Callable[[Path], None], path: Path) -> float:
    """CPU time of one call, in milliseconds."""
    start = time.process_time()
    run(path)
    return (time.process_time() - start) * 1e3


def speed(paths: list[Path], rounds: int) -> None:
    """Print the CPU time of a clip, its ratio to decoding, and the total for FMA's corpus."""
    running: dict[str, Callable[[Path], None]] = {}
    for name, run in CONTENDERS.items():
        try:
            run(paths[0])  # compiles, imports
        except ImportError:
            print(f"{name}: not installed, skipped")
        else:
            running[name] = run
    best = {name: np.full(len(paths), np.inf) for name in running}
    for _ in range(rounds):
        for i, path in enumerate(paths):
            for name, run in running.items():
                best[name][i] = min(best[name][i], cpu_ms(run, path))
    seconds = sum(soundfile.info(path).duration for path in paths)
    print(f"{len(paths)} clips, {seconds / len(paths):.1f} s each on average; best of {rounds} rounds\n")
    alone = best["decoding alone (soundfile)"].mean()
    print("| computation | CPU ms a clip | x decoding | FMA full, 2 cores | 64 cores |")
    print("|---|---:|---:|---:|---:|")
    for name, times in best.items():
        mean = times.mean()
        hours = mean / 1e3 * CORPUS_CLIPS / 3600
        print(f"| {name} | {mean:.1f} | {mean / alone:.2f} | {hours / 2:.2f} h | {hours / 64 * 60:.1f} min |")
    print(f"\nThe last two columns are arithmetic: CPU a clip x {CORPUS_CLIPS:,} clips / cores, nothing else.")


def encode_as_fma(paths: list[Path], folder: Path) -> list[Path]:
    """Encode clips as MP3 at a constant 256 kbit/s."""
    encoded = []
    for i, path in enumerate(paths):
        samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
        encoded.append(folder / f"{i:03d}.mp3")
        soundfile.write(encoded[-1], samples, sample_rate, bitrate_mode="CONSTANT", compression_level=0.2)
    return encoded


def accuracy(paths: list[Path]) -> None:
    """Print the largest error of each family."""
    from segue.audio import reference

    worst = dict.fromkeys(definition.FAMILIES, 0.0)
    for path in paths:
        samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
        computed = features.compute(samples.T, sample_rate)
        for family, error in reference.errors(computed, reference.compute(samples.T, sample_rate)).items():
            worst[family] = max(worst[family], error)
    print(f"{len(paths)} files against librosa, largest error over the scale of the family's statistic\n")
    print("| family | error |\n|---|---:|")
    for family, error in worst.items():
        print(f"| {family} | {error:.0e} |")


MEMORY_PROGRAM = """
import resource, sys, time
import soundfile
from segue.audio.features import FeatureAccumulator

def resident_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

before = resident_mb()
with soundfile.SoundFile(sys.argv[1]) as file:
    accumulator = FeatureAccumulator(file.samplerate)
    for block in file.blocks(65536, dtype="float32", always_2d=True):
        accumulator.add(block.T)
accumulator.finish()
print(f"{resident_mb():.0f} MB at most, of which {before:.0f} MB are imports; {time.process_time():.1f} s of CPU")
"""


def memory() -> None:
    """Print the largest resident memory of a process that extracts from a one-hour 44.1 kHz stereo FLAC."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hour.flac"
        with soundfile.SoundFile(path, "w", 44100, 2) as file:
            times = np.arange(44100 * 10) / 44100
            for _ in range(360):
                hz = 220 * 2 ** (rng.integers(0, 24, (2, 1)) / 12)
                file.write((0.3 * np.sin(2 * np.pi * hz * times) + rng.normal(0, 0.01, (2, len(times)))).T)
        run_python(MEMORY_PROGRAM, str(path))


START_PROGRAM = """
import time
import numpy as np
from segue.audio import features
features.compute(np.random.default_rng(0).standard_normal((2, 44100)).astype(np.float32), 44100)
print(f"{time.process_time():.2f} s of CPU from the start of Python to the first features")
"""


def start() -> None:
    """Print the CPU time of a fresh process, when the cache of compiled code is filled."""
    run_python(START_PROGRAM, quiet=True)
    for _ in range(3):
        run_python(START_PROGRAM)


def halving() -> None:
    """Print the CPU time of one output sample, in nanoseconds, when half a minute is halved."""
    import soxr

    from segue.audio.kernels import overlap_save
    from segue.audio.kernels.halving import Exact

    samples = np.random.default_rng(0).standard_normal(30 * 44100).astype(np.float32)
    work = overlap_save.workspace()
    contenders: dict[str, Callable[[], object]] = {
        "Segue": lambda: Exact(len(samples), work).resample(samples, last=True),
        "soxr": lambda: soxr.resample(samples, 2, 1, quality="soxr_hq"),
    }
    best = dict.fromkeys(contenders, np.inf)
    for _ in range(40):
        for name, run in contenders.items():
            start = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - start)
    for name, seconds in best.items():
        print(f"{name:<6} {seconds / (len(samples) // 2) * 1e9:.1f} ns")


def run_python(program: str, *arguments: str, quiet: bool = False) -> None:
    """Run a program in a fresh process."""
    stdout = subprocess.DEVNULL if quiet else None
    subprocess.run([sys.executable, "-c", program, *arguments], check=True, stdout=stdout)


ALONE: dict[str, Callable[[], None]] = {"memory": memory, "start": start, "halving": halving}
"""Measurements that need no files."""


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measurement", choices=["speed", "accuracy", *ALONE])
    parser.add_argument("folder", type=Path, nargs="?", help="audio files, searched recursively")
    parser.add_argument("--clips", type=int, default=60, help="largest number of files, evenly chosen")
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds")
    parser.add_argument("--as-fma", action="store_true", help="speed: encode the clips at 256 kbit/s first")
    arguments = parser.parse_args()
    if arguments.measurement in ALONE:
        ALONE[arguments.measurement]()
        return
    if arguments.folder is None:
        parser.error(f"{arguments.measurement} needs a folder of audio files")
    paths = sorted(path for path in arguments.folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        parser.error(f"{arguments.folder} holds no {', '.join(sorted(SUFFIXES))}")
    chosen = [paths[i] for i in np.linspace(0, len(paths) - 1, min(arguments.clips, len(paths))).astype(int)]
    with threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
        if arguments.measurement == "speed":
            speed(encode_as_fma(chosen, Path(folder)) if arguments.as_fma else chosen, arguments.rounds)
        else:
            accuracy(chosen)


if __name__ == "__main__":
    main()
