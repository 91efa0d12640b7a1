"""Plant copies of recordings, and other recordings of the same music, beside pieces of the sample corpus.

- `COPIES` encode a recording again, at other bit rates and sample rates, trim it, or make it quieter.
- `OTHERS` are other recordings of the same piece: another take, a live version, a remaster and a remix.

`segue.demo.sample` renders the pieces. The same piece always gives the same sounds.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
from numpy.typing import NDArray
from scipy import signal

from segue.demo.material import corpus_dir, soundfont
from segue.demo.synthesis import SAMPLE_RATE, Note, Performance, perform, read_notes

Samples = NDArray[np.float32]
"""Shape (n, 2), at 44.1 kHz."""


@dataclass(frozen=True)
class Piece:
    """A piece of the sample corpus, as ``sources.csv`` describes it."""

    file: Path
    title: str
    artist: str
    score: str
    ensemble: str
    tempo: float

    def notes(self) -> tuple[list[Note], float]:
        """Read the notes of the piece, and its length in quarter notes."""
        path, _, tune = self.score.removeprefix("music21/corpus/").partition("#")
        return read_notes(corpus_dir(), SimpleNamespace(path=path, tune=int(tune or 0)))

    def take(self, seed: int, *, tempo: float = 1.0, seconds: float = 30.0) -> Samples:
        """Play the piece another time, as musicians do.

        Each note comes a little earlier or later and is held shorter. One in twenty is left out. The tempo is
        `tempo` times that of the original.
        """
        rng = random.Random(seed)
        notes, length = self.notes()
        played = [
            replace(
                note, onset=max(0.0, note.onset + rng.gauss(0, 0.03)), duration=note.duration * rng.uniform(0.7, 1)
            )
            for note in notes
            if rng.random() > 0.05
        ]
        performance = Performance(self.ensemble, self.tempo * tempo, -20.0)
        return perform(sorted(played), length, performance, soundfont(), duration_s=seconds)


def pieces(folder: Path, count: int) -> list[Piece]:
    """Choose undamaged pieces of a sample corpus. The same folder always gives the same pieces."""
    with (folder / "sources.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if not row["damage"] and row["quarters_per_minute"]]
    found = [
        Piece(
            folder / row["file"],
            row["title"],
            row["artist"],
            row["score"],
            row["ensemble"],
            float(row["quarters_per_minute"]),
        )
        for row in rows
    ]
    return random.Random(0).sample(found, min(count, len(found)))


def decode(file: Path) -> Samples:
    """Decode a file to stereo samples at 44.1 kHz."""
    with av.open(str(file)) as container:
        resampler = av.AudioResampler("fltp", "stereo", SAMPLE_RATE)
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1).T


def encode(samples: Samples, file: Path, codec: str, kbps: int = 0, rate: int = SAMPLE_RATE, **tags: str) -> None:
    """Encode samples in the container that the suffix of the file names."""
    with av.open(str(file), "w") as container:
        container.metadata.update(tags)
        stream = container.add_stream(codec, rate=rate)
        stream.layout = "stereo"
        if kbps:
            stream.bit_rate = 1_000 * kbps
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), "fltp", "stereo")
        frame.sample_rate = SAMPLE_RATE
        resampler = av.AudioResampler(
            stream.format.name, "stereo", rate, frame_size=stream.codec_context.frame_size or 4096
        )
        for each in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(each))
        container.mux(stream.encode(None))


def trimmed(samples: Samples, start_s: float, end_s: float) -> Samples:
    """Cut seconds from both ends."""
    return samples[int(start_s * SAMPLE_RATE) : len(samples) - int(end_s * SAMPLE_RATE)]


def padded(samples: Samples, seconds: float) -> Samples:
    """Add silence before the music."""
    return np.concatenate([np.zeros((int(seconds * SAMPLE_RATE), 2), np.float32), samples])


def live(samples: Samples, seed: int) -> Samples:
    """Add the echo of a hall and the noise of an audience."""
    rng = np.random.default_rng(seed)
    times = np.arange(int(1.2 * SAMPLE_RATE)) / SAMPLE_RATE
    hall = rng.standard_normal(len(times)) * np.exp(-5 * times)
    hall /= np.sqrt((hall**2).sum())
    wet = signal.oaconvolve(samples, 0.5 * hall[:, None], axes=0)[: len(samples)]
    low, high = signal.butter(2, (300, 4_000), "band", fs=SAMPLE_RATE)
    audience = signal.lfilter(low, high, rng.standard_normal(samples.shape), axis=0)
    return limited(samples + wet + 0.1 * np.sqrt((samples**2).mean()) * audience)


def remastered(samples: Samples, seed: int) -> Samples:
    """Raise bass and treble, and compress the dynamics."""
    del seed
    bass = signal.lfilter(*signal.butter(1, 200, "low", fs=SAMPLE_RATE), samples, axis=0)
    treble = signal.lfilter(*signal.butter(1, 4_000, "high", fs=SAMPLE_RATE), samples, axis=0)
    louder = samples + 0.5 * bass + 0.6 * treble
    return limited(np.tanh(2.5 * louder / np.abs(louder).max()))


def remixed(samples: Samples, seed: int) -> Samples:
    """Add drums."""
    rng = np.random.default_rng(seed)
    drum_times = np.arange(int(0.12 * SAMPLE_RATE)) / SAMPLE_RATE
    mixed = samples.copy()
    level = 3 * np.sqrt((samples**2).mean())
    for start in range(0, len(samples) - len(drum_times), SAMPLE_RATE // 2):
        hit = rng.standard_normal(len(drum_times)) * np.exp(-40 * drum_times)
        mixed[start : start + len(hit)] += level * hit[:, None].astype(np.float32)
    return limited(mixed)


def limited(samples: Samples) -> Samples:
    """Scale to a largest sample of 0.9."""
    return (0.9 * samples / np.abs(samples).max()).astype(np.float32)


Way = tuple[Callable[[Samples], Samples], str, str, int, int]
COPIES: dict[str, Way] = {
    "MP3, 64 kbit/s": (lambda x: x, ".mp3", "libmp3lame", 64, 44_100),
    "MP3, 128 kbit/s": (lambda x: x, ".mp3", "libmp3lame", 128, 44_100),
    "MP3, 320 kbit/s": (lambda x: x, ".mp3", "libmp3lame", 320, 44_100),
    "AAC, 96 kbit/s": (lambda x: x, ".m4a", "aac", 96, 44_100),
    "Opus, 64 kbit/s": (lambda x: x, ".opus", "libopus", 64, 48_000),
    "FLAC": (lambda x: x, ".flac", "flac", 0, 44_100),
    "MP3, 22 kHz": (lambda x: x, ".mp3", "libmp3lame", 48, 22_050),
    "4 dB quieter": (lambda x: 10 ** (-4 / 20) * x, ".mp3", "libmp3lame", 128, 44_100),
    "start cut by 0.5 s": (lambda x: trimmed(x, 0.5, 0), ".mp3", "libmp3lame", 128, 44_100),
    "end cut by 1.5 s": (lambda x: trimmed(x, 0, 1.5), ".mp3", "libmp3lame", 128, 44_100),
    "both ends cut by 0.7 s": (lambda x: trimmed(x, 0.7, 0.7), ".m4a", "aac", 128, 44_100),
    "1 s of silence before": (lambda x: padded(x, 1.0), ".flac", "flac", 0, 44_100),
}
