from __future__ import annotations

import io
import random

import av
import numpy as np
import pytest
import soundfile
from mutagen.mp3 import MPEGInfo
from numpy.typing import NDArray
from splicing import SAMPLES_PER_FRAME, Piece, read_piece, splice

from segue.demo.synthesis import SAMPLE_RATE, encode_mp3

FRAMES = 150


def sound(seed: int) -> bytes:
    """Noise that comes and goes, so that the encoder saves bits for later frames."""
    random_ = np.random.default_rng(seed)
    times = np.arange(5 * SAMPLE_RATE) / SAMPLE_RATE
    loudness = 0.2 * np.sin(2 * np.pi * (1 + seed) * times) ** 4
    return encode_mp3((loudness * random_.standard_normal((2, len(times)))).T.astype(np.float32))


@pytest.fixture(scope="module")
def mp3s() -> list[bytes]:
    return [sound(seed) for seed in range(3)]


@pytest.fixture(scope="module")
def pieces(mp3s: list[bytes]) -> list[Piece]:
    return [read_piece(mp3) for mp3 in mp3s]


def decoded(mp3: bytes) -> NDArray[np.float64]:
    samples, _ = soundfile.read(io.BytesIO(mp3), always_2d=True)
    return samples.mean(axis=1)


def test_a_clip_has_the_length_asked_for_in_two_decoders(pieces: list[Piece]) -> None:
    clip = splice(pieces, FRAMES, random.Random(1))
    with av.open(io.BytesIO(clip)) as file:
        by_av = sum(frame.samples for frame in file.decode(audio=0))
    assert len(decoded(clip)) == pytest.approx(FRAMES * SAMPLES_PER_FRAME, abs=SAMPLES_PER_FRAME)
    assert by_av == pytest.approx(FRAMES * SAMPLES_PER_FRAME, abs=SAMPLES_PER_FRAME)


def test_the_header_states_frames_and_bytes_of_the_clip(pieces: list[Piece]) -> None:
    clip = splice(pieces, FRAMES, random.Random(1))
    assert MPEGInfo(io.BytesIO(clip)).length == pytest.approx(FRAMES * SAMPLES_PER_FRAME / SAMPLE_RATE, abs=0.03)
    xing = clip.index(b"Xing")
    assert int.from_bytes(clip[xing + 8 : xing + 12]) == FRAMES
    assert int.from_bytes(clip[xing + 12 : xing + 16]) == len(clip)


def test_each_piece_of_a_clip_sounds_as_it_does_alone(pieces: list[Piece], mp3s: list[bytes]) -> None:
    clip = splice(pieces, FRAMES, random.Random(1))
    reread = read_piece(clip)
    # Where the next piece's first frame stands among the clip's frames.
    starts, at = [], 0
    for piece in pieces:
        first = piece.data[: piece.ends[0]]
        while reread.data[0 if at == 0 else reread.ends[at - 1] : reread.ends[at]] != first:
            at += 1
        starts.append(at)
    whole = decoded(clip)
    for start, end, mp3 in zip(starts, [*starts[1:], FRAMES], mp3s, strict=True):
        # Two frames at either end overlap with their neighbours.
        length = (end - start - 4) * SAMPLES_PER_FRAME
        here = whole[(start + 2) * SAMPLES_PER_FRAME :][:length]
        alone = decoded(mp3)[2 * SAMPLES_PER_FRAME :][:length]
        assert length > 10 * SAMPLES_PER_FRAME
        assert np.abs(alone).max() > 0.1
        np.testing.assert_allclose(here, alone, atol=1e-4)


def test_a_file_cut_within_a_frame_is_refused(mp3s: list[bytes]) -> None:
    with pytest.raises(ValueError, match="cut"):
        read_piece(mp3s[0][:-10])


def test_what_is_no_mp3_is_refused() -> None:
    with pytest.raises(ValueError, match="no frame of MPEG 1"):
        read_piece(b"This is a letter.\n" * 40)
