"""Every format that is promised decodes, by the decoder that is promised, to what was encoded."""

from __future__ import annotations

import struct
from io import FileIO
from pathlib import Path
from typing import BinaryIO

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

from segue.audio.decoding import decode
from segue.audio.decoding.ffmpeg import open_pyav
from segue.audio.decoding.libsndfile import open_soundfile
from segue.audio.decoding.stream import BLOCK_FRAMES
from segue.audio.extract import extract
from segue.audio.kernels.signal import mix
from segue.audio.limits import Limits
from segue.audio.reasons import Reason
from segue.audio.results import Rejection, Track


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


def with_xing_frames(mp3: bytes, frames: int) -> bytes:
    """Change the number of frames in the Xing header."""
    changed = bytearray(mp3)
    position = max(mp3.find(b"Xing"), mp3.find(b"Info")) + 8
    changed[position : position + 4] = frames.to_bytes(4, "big")
    return bytes(changed)


@pytest.mark.parametrize("duration_s", [2.0, 10.0])
@pytest.mark.parametrize("share", [0.0, 0.25, 0.75])
def test_a_xing_header_of_too_few_frames_cuts_nothing(tmp_path: Path, duration_s: float, share: float) -> None:
    whole = write_any(tmp_path / "whole.mp3", music(duration_s)).read_bytes()
    path = tmp_path / "a.mp3"
    path.write_bytes(with_xing_frames(whole, round(share * duration_s * SAMPLE_RATE / 1_152)))
    assert extracted(path).duration_s == pytest.approx(duration_s, abs=0.06)


def test_joined_mp3s_are_read_whole(tmp_path: Path) -> None:
    """The Xing header is that of the first."""
    first = write_any(tmp_path / "first.mp3", music(2.0)).read_bytes()
    path = tmp_path / "a.mp3"
    path.write_bytes(first * 3)
    assert extracted(path).duration_s == pytest.approx(6.0, abs=0.2)


def test_an_mp3_of_variable_rate_without_a_length_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libsndfile would guess its length from the first frame, stop early, and FFmpeg would decode it anew."""
    whole = write_any(tmp_path / "whole.mp3", music(10.0)).read_bytes()
    path = tmp_path / "a.mp3"
    path.write_bytes(without_xing_frame(whole))
    asked: list[BinaryIO] = []
    monkeypatch.setattr(decode, "open_soundfile", lambda file, _: asked.append(file))
    track = extracted(path)
    assert track.duration_s == pytest.approx(10.0, abs=0.1)
    assert track.decoder == "pyav"
    assert not asked


def test_an_mp3_of_constant_rate_without_a_length_is_decoded_by_libsndfile(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(without_xing_frame(write_mp3_of_constant_rate(tmp_path / "whole.mp3", music(10.0, 48_000))))
    track = extracted(path)
    assert (track.decoder, track.sample_rate) == ("soundfile", 48_000)
    assert track.duration_s == pytest.approx(10.0, abs=0.1)


@pytest.mark.parametrize("states_length", [True, False])
def test_an_mp3_that_is_cut_after_its_header_is_still_truncated(tmp_path: Path, states_length: bool) -> None:
    whole = write_any(tmp_path / "whole.mp3", music(10.0)).read_bytes()
    path = tmp_path / "a.mp3"
    path.write_bytes((whole if states_length else without_xing_frame(whole))[: len(whole) // 2])
    result = extract(path)
    if states_length:
        assert isinstance(result, Rejection)
        assert result.reason is Reason.TRUNCATED
    else:
        assert isinstance(result, Track)
        assert result.duration_s == pytest.approx(5.0, abs=0.3), "without a length, a cut cannot be seen"


def test_a_free_format_mp3_is_read_whole(tmp_path: Path) -> None:
    """At 48 kHz and 128 kbit/s, each frame has 384 bytes. Without a bit rate in its header it is free format."""
    samples = music(6.0, 48_000)
    constant = bytearray(without_xing_frame(write_mp3_of_constant_rate(tmp_path / "whole.mp3", samples)))
    for frame in range(0, len(constant) - 3, 384):
        assert constant[frame] == 0xFF
        constant[frame + 2] &= 0x0F
    path = tmp_path / "a.mp3"
    path.write_bytes(constant)
    assert extracted(path).duration_s == pytest.approx(6.0, abs=0.06)


def write_mp3_of_constant_rate(path: Path, samples: NDArray[np.float32]) -> bytes:
    return write_ffmpeg(path, samples, "libmp3lame", sample_rate=48_000).read_bytes()


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_chained_ogg_is_read_whole(tmp_path: Path, subtype: str) -> None:
    parts = [ogg(tmp_path / f"{duration_s}.ogg", subtype, duration_s) for duration_s in (2.0, 4.0)]
    path = tmp_path / "a.ogg"
    path.write_bytes(b"".join(parts))
    assert extracted(path).duration_s == pytest.approx(6.0, abs=0.1)


@pytest.mark.parametrize("second", [{"sample_rate": 24_000}, {"channels": 1}])
def test_a_chained_ogg_whose_form_changes_is_refused_with_the_reason(
    tmp_path: Path, second: dict[str, int]
) -> None:
    parts = (ogg(tmp_path / "first.ogg", "VORBIS", 2.0), ogg(tmp_path / "second.ogg", "VORBIS", 4.0, **second))
    path = tmp_path / "a.ogg"
    path.write_bytes(b"".join(parts))
    result = extract(path)
    assert isinstance(result, Rejection)
    assert result.reason is Reason.UNREADABLE
    assert "several Ogg streams were joined" in result.message
    assert "the sample rate or the channels change within the file" in result.message


def ogg(path: Path, subtype: str, duration_s: float, sample_rate: int = 48_000, channels: int = 2) -> bytes:
    samples = music(duration_s, sample_rate, channels)
    return write_soundfile(path, samples, sample_rate, format="OGG", subtype=subtype).read_bytes()


def test_a_flac_written_to_a_pipe_does_not_state_its_length(tmp_path: Path) -> None:
    content = bytearray(write_any(tmp_path / "whole.flac").read_bytes())
    content[21] &= 0xF0  # the 36 bits of the number of samples in STREAMINFO
    content[22:26] = bytes(4)
    path = tmp_path / "a.flac"
    path.write_bytes(content)
    assert extracted(path).duration_s == pytest.approx(2.0)


@pytest.mark.parametrize("flags", ["frag_keyframe+empty_moov", "frag_keyframe", "dash"])
def test_an_m4a_in_fragments_is_read_whole(tmp_path: Path, flags: str) -> None:
    path = tmp_path / "a.m4a"
    options = {"movflags": flags, "frag_duration": "1000000"}
    assert extracted(write_ffmpeg(path, music(6.0), "aac", options=options)).duration_s == pytest.approx(
        6.0, abs=0.1
    )


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
