"""Plant copies of recordings, and other recordings of the same music, beside pieces of the sample corpus.

- `COPIES` encode a recording again, in other formats and at other bit rates, trim it, or make it quieter.
- `OTHERS` are other recordings of the piece by the same musicians: takes, a live version, a remaster, a remix.

`segue.demo.sample` renders the pieces. The same piece always gives the same sounds.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterator
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
    random.Random(0).shuffle(found)
    return found[:count]


def decode(file: Path) -> Samples:
    """Decode a file to stereo samples at 44.1 kHz."""
    with av.open(str(file)) as container:
        resampler = av.AudioResampler("fltp", "stereo", SAMPLE_RATE)
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1).T


def encode(samples: Samples, stem: Path, suffix: str, codec: str, kbps: int, rate: int = SAMPLE_RATE) -> Path:
    """Encode samples in the container that the suffix names. 0 kbit/s stands for a lossless codec."""
    file = stem.with_name(stem.name + suffix)
    with av.open(str(file), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="stereo")
        if kbps:
            stream.bit_rate = 1_000 * kbps
        stream.codec_context.open()
        size = stream.codec_context.frame_size or 4_096
        resampler = av.AudioResampler(stream.format.name, "stereo", rate, frame_size=size)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T, np.float32), "fltp", "stereo")
        frame.sample_rate = SAMPLE_RATE
        for each in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(each))
        container.mux(stream.encode(None))
    return file


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


def remastered(samples: Samples) -> Samples:
    """Raise bass and treble, and compress the dynamics."""
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


def _as_is(samples: Samples) -> Samples:
    return samples


MP3 = (".mp3", "libmp3lame", 128)
Encoding = tuple[str, str, int] | tuple[str, str, int, int]
"""Suffix, codec, kbit/s, and the sample rate in Hz unless it is 44.1 kHz."""

Copy = tuple[Callable[[Samples], Samples], Encoding]
"""How the samples are changed, then how they are encoded."""

COPIES: dict[str, Copy] = {
    "MP3, 64 kbit/s": (_as_is, (".mp3", "libmp3lame", 64)),
    "MP3, 128 kbit/s": (_as_is, MP3),
    "MP3, 320 kbit/s": (_as_is, (".mp3", "libmp3lame", 320)),
    "AAC, 96 kbit/s": (_as_is, (".m4a", "aac", 96)),
    "FLAC": (_as_is, (".flac", "flac", 0)),
    "MP3, 56 kbit/s at 22.05 kHz": (_as_is, (".mp3", "libmp3lame", 56, 22_050)),
    "MP3, 96 kbit/s at 32 kHz": (_as_is, (".mp3", "libmp3lame", 96, 32_000)),
    "AAC, 128 kbit/s at 48 kHz": (_as_is, (".m4a", "aac", 128, 48_000)),
    "Opus, 64 kbit/s at 48 kHz": (_as_is, (".opus", "libopus", 64, 48_000)),
    "Opus, 128 kbit/s at 48 kHz": (_as_is, (".opus", "libopus", 128, 48_000)),
    "FLAC at 96 kHz": (_as_is, (".flac", "flac", 0, 96_000)),
    "4 dB quieter": (lambda samples: samples * np.float32(10 ** (-4 / 20)), MP3),
    "start cut by 0.5 s": (lambda samples: trimmed(samples, 0.5, 0), MP3),
    "end cut by 1.5 s": (lambda samples: trimmed(samples, 0, 1.5), MP3),
    "both ends cut by 0.7 s": (lambda samples: trimmed(samples, 0.7, 0.7), (".m4a", "aac", 128)),
    "1 s of silence before": (lambda samples: padded(samples, 1.0), (".flac", "flac", 0)),
}

OTHERS: dict[str, Callable[[Piece, Samples], Samples]] = {
    "a take 2 % faster": lambda piece, _: piece.take(1, tempo=1.02),
    "a take 3 % slower": lambda piece, _: piece.take(2, tempo=0.97),
    "live": lambda piece, _: live(piece.take(3, tempo=1.01), 1),
    "remaster": lambda _, samples: remastered(samples),
    "remix": lambda _, samples: remixed(samples, 1),
}


def plant(piece: Piece, folder: Path) -> Iterator[tuple[str, Path]]:
    """Write all copies and other recordings of a piece, and yield the kind and the file of each."""
    samples = decode(piece.file)
    for number, (kind, (change, how)) in enumerate(COPIES.items()):
        yield kind, encode(change(samples), folder / str(number), *how)
    for kind, record in OTHERS.items():
        yield kind, encode(record(piece, samples), folder / kind.split()[-1], *MP3)
