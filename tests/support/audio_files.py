"""Makes the audio files that the tests read: a few seconds of music-like sound in any format, whole or damaged."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

SAMPLE_RATE = 44_100


def music(duration_s: float = 2.0, sample_rate: int = SAMPLE_RATE, channels: int = 2) -> NDArray[np.float32]:
    """Chords that change twice a second over a little noise, different in each channel, shape (n, channels)."""
    rng = np.random.default_rng(0)
    n = round(duration_s * sample_rate)
    t = np.arange(n) / sample_rate
    step = (t * 2).astype(int)
    sound = 0.02 * rng.standard_normal((n, channels))
    for channel in range(channels):
        for interval in (0, 4, 7):
            pitch = 220 * 2 ** ((interval + (5 * step + channel) % 12) / 12)
            sound[:, channel] += 0.15 * np.sin(2 * np.pi * np.cumsum(pitch) / sample_rate)
    return sound.astype(np.float32)


def write_ffmpeg(
    path: Path,
    samples: NDArray[np.float32],
    codec: str,
    *,
    sample_rate: int = SAMPLE_RATE,
    container: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Encode samples (n, channels) with one of FFmpeg's encoders."""
    layout = {1: "mono", 2: "stereo"}[samples.shape[1]]
    with av.open(str(path), "w", format=container, options=options or {}) as output:
        stream = output.add_stream(codec, rate=sample_rate, layout=layout)
        stream.bit_rate = 128_000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout=layout)
        frame.sample_rate = sample_rate
        stream.codec_context.open()
        size = stream.codec_context.frame_size or 4096
        resampler = av.AudioResampler(stream.codec_context.format, layout, sample_rate, frame_size=size)
        for piece in (*resampler.resample(frame), *resampler.resample(None), None):
            output.mux(stream.encode(piece))
    return path


def write_soundfile(
    path: Path, samples: NDArray[np.float32], sample_rate: int = SAMPLE_RATE, **options: str
) -> Path:
    """Encode samples (n, channels) with libsndfile, by the path's suffix."""
    soundfile.write(path, samples, sample_rate, **options)
    return path


def write_any(path: Path, samples: NDArray[np.float32] | None = None) -> Path:
    """Encode in the format of the suffix, with whichever library can; music where no samples are given."""
    samples = music() if samples is None else samples
    match path.suffix:
        case ".m4a":
            return write_ffmpeg(path, samples, "aac")
        case ".wma":
            return write_ffmpeg(path, samples, "wmav2")
        case ".aac":
            return write_ffmpeg(path, samples, "aac", container="adts")
        case ".opus":
            return write_soundfile(path, samples, 48_000, format="OGG", subtype="OPUS")
        case _:
            return write_soundfile(path, samples)


def wav_bytes(
    data: bytes, *, channels: int = 1, sample_rate: int = SAMPLE_RATE, claimed_size: int | None = None
) -> bytes:
    """A 16-bit WAV, whose header may claim anything."""
    size = len(data) if claimed_size is None else claimed_size
    mask = 0xFFFF_FFFF
    form = struct.pack(
        "<HHIIHH", 1, channels, sample_rate, 2 * channels * sample_rate & mask, 2 * channels & 0xFFFF, 16
    )
    return (
        b"RIFF"
        + struct.pack("<I", 36 + size & mask)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + (b"data" + struct.pack("<I", size) + data)
    )


def pcm_bytes(duration_s: float = 2.0) -> bytes:
    """16-bit little-endian mono samples of music."""
    return (music(duration_s, channels=1) * 32767).astype("<i2").tobytes()


def without_xing_frame(mp3: bytes) -> bytes:
    """Take away the first frame, which states the length."""
    header = max(mp3.find(b"Xing"), mp3.find(b"Info"))
    return mp3[mp3.index(b"\xff\xfb", header) :]
