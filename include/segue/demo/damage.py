"""Kinds of damaged audio files, as they occur in every collection, with the rejections that are expected."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from segue.demo.synthesis import DURATION_S, SAMPLE_RATE, encode_mp3


@dataclass(frozen=True)
class Damage:
    """A kind of damage.

    Attributes
    ----------
    suffix
        Suffix of the file name.
    reasons
        Correct reason codes for the rejection. Decoders may find the same fault at different stages.
    apply
        Function that makes the bytes of the damaged file from the undamaged MP3 and a random generator.
    """

    suffix: str
    reasons: tuple[str, ...]
    apply: Callable[[bytes, random.Random], bytes]


def _empty(_mp3: bytes, _rng: random.Random) -> bytes:
    return b""


def _noise(_mp3: bytes, rng: random.Random) -> bytes:
    # Without the byte 0xFF, no decoder can find an MPEG frame header by chance.
    return bytes(rng.randrange(255) for _ in range(60_000))


def _truncated(mp3: bytes, _rng: random.Random) -> bytes:
    return mp3[: len(mp3) // 3]


def _lying_header(_mp3: bytes, _rng: random.Random) -> bytes:
    """Return a WAV that states 65,535 channels at 4,294,967,295 Hz and has a second of zeros."""
    data = bytes(44_100)
    form = struct.pack("<HHIIHH", 1, 65_535, 4_294_967_295, 88_200, 2, 16)
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def _silence(_mp3: bytes, _rng: random.Random) -> bytes:
    return encode_mp3(np.zeros((int(DURATION_S * SAMPLE_RATE), 2), dtype=np.float32))


def _text(_mp3: bytes, _rng: random.Random) -> bytes:
    return b"This is a letter that somebody renamed to .mp3.\n" * 400


DAMAGES: dict[str, Damage] = {
    "empty": Damage(".mp3", ("EMPTY",), _empty),
    "noise": Damage(".mp3", ("UNREADABLE",), _noise),
    "truncated": Damage(".mp3", ("TRUNCATED",), _truncated),
    "lying header": Damage(".wav", ("BAD_RATE", "UNREADABLE"), _lying_header),
    "silence": Damage(".mp3", ("SILENT",), _silence),
    "text": Damage(".mp3", ("UNREADABLE",), _text),
}
