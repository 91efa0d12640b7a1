"""Every format that is promised decodes, by the decoder that is promised, to what was encoded."""

from __future__ import annotations

import struct
from io import FileIO
from pathlib import Path

import librosa
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.support.audio_files import (
    SAMPLE_RATE,
    music,
    pcm_bytes,
    wav_bytes,
    without_xing_frame,
    write_any,
    write_ffmpeg,
    write_soundfile,
)

from segue.audio.decoding.ffmpeg import open_pyav
from segue.audio.decoding.libsndfile import open_soundfile
from segue.audio.decoding.stream import BLOCK_FRAMES
from segue.audio.extract import extract
from segue.audio.kernels.signal import mix
from segue.audio.limits import Limits
from segue.audio.results import Track


def decoded(path: Path, opener: object) -> NDArray[np.float32]:
    with FileIO(path) as file, opener(file, Limits()) as stream:
        return np.concatenate(list(stream.blocks))


def extracted(path: Path) -> Track:
    result = extract(path)
    assert isinstance(result, Track), result
    return result


@pytest.mark.parametrize("suffix", ["mp3", "flac", "ogg", "opus", "wav", "aiff"])
def test_libsndfile_reads_its_formats(tmp_path: Path, suffix: str) -> None:
    track = extracted(write_any(tmp_path / f"a.{suffix}"))
    assert track.decoder == "soundfile"
    assert track.channels == 2
    assert track.duration_s == pytest.approx(2.0 if suffix != "opus" else 2.0 * SAMPLE_RATE / 48_000, abs=0.001)


@pytest.mark.parametrize(("suffix", "codec"), [("m4a", "aac"), ("m4a", "alac"), ("wma", "wmav2"), ("aac", "aac")])
def test_ffmpeg_reads_what_libsndfile_cannot(tmp_path: Path, suffix: str, codec: str) -> None:
    container = "adts" if suffix == "aac" else None
    track = extracted(write_ffmpeg(tmp_path / f"a.{suffix}", music(), codec, container=container))
    assert track.decoder == "pyav"
    assert (track.sample_rate, track.channels) == (SAMPLE_RATE, 2)
    assert track.duration_s == pytest.approx(2.0, abs=0.1)


def test_both_decoders_give_the_samples_that_were_encoded(tmp_path: Path) -> None:
    samples = music(7.0)
    expected = librosa.to_mono(samples.T)
    flac = write_soundfile(tmp_path / "a.flac", samples)
    alac = write_ffmpeg(tmp_path / "a.m4a", samples, "alac")
    assert len(expected) > 2 * BLOCK_FRAMES
    for path, opener in ((flac, open_soundfile), (flac, open_pyav), (alac, open_pyav)):
        np.testing.assert_allclose(decoded(path, opener), expected, atol=1.5 / 2**15)


def test_both_decoders_agree_on_an_mp3(tmp_path: Path) -> None:
    path = write_any(tmp_path / "a.mp3")
    np.testing.assert_allclose(decoded(path, open_soundfile), decoded(path, open_pyav), atol=1e-4)


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 8])
def test_mix_equals_librosas_mono(channels: int) -> None:
    samples = music(0.1, channels=channels).T
    mixed = mix(samples)
    np.testing.assert_allclose(mixed, librosa.to_mono(samples), atol=1e-7)
    assert not np.shares_memory(mixed, samples)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
def test_every_sample_type_of_wav_decodes(tmp_path: Path, subtype: str) -> None:
    samples = music(1.5, channels=1)
    path = write_soundfile(tmp_path / "a.wav", samples, subtype=subtype)
    assert extracted(path).decoder == "soundfile"
    tolerance = {"PCM_U8": 1 / 64, "ULAW": 1 / 16}.get(subtype, 1 / 2**15)
    np.testing.assert_allclose(decoded(path, open_soundfile), samples[:, 0], atol=tolerance)


@pytest.mark.parametrize(("sample_rate", "channels"), [(8_000, 1), (44_100, 6), (192_000, 2), (384_000, 8)])
def test_the_bounds_of_rate_and_channels_are_accepted(tmp_path: Path, sample_rate: int, channels: int) -> None:
    samples = music(1.2, sample_rate, channels)
    track = extracted(write_soundfile(tmp_path / "a.wav", samples, sample_rate))
    assert (track.sample_rate, track.channels) == (sample_rate, channels)
    assert np.isfinite(track.features).all()


TAGS = {
    "10 KB of zeros": b"\0" * 10_240,
    "random bytes": np.random.default_rng(0).bytes(10_240),
    "an APE tag": b"APETAGEX" + struct.pack("<IIII8x", 2000, 20_032, 1, 0xA000_0000) + b"x" * 20_000,
    "a Lyrics3 tag": b"LYRICSBEGIN" + b"IND0000210" + b"la la la " * 800 + b"007200LYRICS200",
    "an ID3v1 tag": b"TAG" + b"Title".ljust(125, b"\0"),
}


@pytest.mark.parametrize("after", TAGS)
@pytest.mark.parametrize("states_length", [True, False])
def test_what_follows_the_last_frame_of_an_mp3_costs_nothing(
    tmp_path: Path, after: str, states_length: bool
) -> None:
    whole = write_any(tmp_path / "whole.mp3").read_bytes()
    if not states_length:
        whole = without_xing_frame(whole)
    path = tmp_path / "a.mp3"
    path.write_bytes(whole + TAGS[after])
    assert extracted(path).duration_s == pytest.approx(2.0, abs=0.06)


def test_an_mp3_that_libmpg123_gives_up_on_is_read_by_ffmpeg(tmp_path: Path) -> None:
    whole = write_any(tmp_path / "whole.mp3", music(10.0)).read_bytes()
    path = tmp_path / "a.mp3"
    path.write_bytes(whole[:50_000] + b"\0" * 5_000 + whole[50_000:])
    track = extracted(path)
    assert track.decoder == "pyav"
    assert track.duration_s == pytest.approx(10.0, abs=0.1)


def test_junk_before_the_first_frame_of_an_mp3_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(np.random.default_rng(1).bytes(3_000) + write_any(tmp_path / "whole.mp3").read_bytes())
    assert extracted(path).duration_s == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("claimed_size", [0, 0x7FFF_FFFF, 0xFFFF_FFFF])
def test_a_wav_written_to_a_pipe_has_a_placeholder_for_its_size(tmp_path: Path, claimed_size: int) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(pcm_bytes(), claimed_size=claimed_size))
    assert extracted(path).duration_s == pytest.approx(2.0)


def test_a_short_wav_header_hides_the_rest(tmp_path: Path) -> None:
    data = pcm_bytes(4.0)
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(data, claimed_size=len(data) // 2))
    assert extracted(path).duration_s == pytest.approx(2.0)


def test_the_content_decides_and_not_the_suffix(tmp_path: Path) -> None:
    path = write_any(tmp_path / "a.flac").rename(tmp_path / "a.mp3")
    assert extracted(path).duration_s == pytest.approx(2.0)
    path = write_any(tmp_path / "a.m4a").rename(tmp_path / "a.wav")
    assert extracted(path).decoder == "pyav"


def test_the_hash_is_of_the_bytes(tmp_path: Path) -> None:
    first = extracted(write_any(tmp_path / "a.wav"))
    copy = tmp_path / "b.wav"
    copy.write_bytes((tmp_path / "a.wav").read_bytes())
    assert extracted(copy).content_hash == first.content_hash
    copy.write_bytes((tmp_path / "a.wav").read_bytes() + b"\0")
    assert extracted(copy).content_hash != first.content_hash
