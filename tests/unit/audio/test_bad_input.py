"""Each kind of bad input is rejected with its reason and one sentence."""

from __future__ import annotations

import os
import socket
import tempfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tests.support.audio_files import SAMPLE_RATE, music, pcm_bytes, wav_bytes, write_any, write_soundfile

from segue.audio.extract import extract
from segue.audio.limits import Limits
from segue.audio.reasons import Reason
from segue.audio.results import Rejection, Track

RANDOM = np.random.default_rng(0)


def rejected(path: Path, reason: Reason, limits: Limits | None = None) -> Rejection:
    result = extract(path, limits)
    assert isinstance(result, Rejection), result
    assert result.reason is reason, result
    assert result.message.endswith(".")
    assert "\n" not in result.message
    assert result.path == str(path)
    return result


def cut(suffix: str, keep: float | int) -> Callable[[Path], bytes]:
    def content(folder: Path) -> bytes:
        whole = write_any(folder / f"whole.{suffix}", music(4.0)).read_bytes()
        return whole[: keep if isinstance(keep, int) else round(len(whole) * keep)]

    return content


def samples(values: np.ndarray, **options: str) -> Callable[[Path], bytes]:
    def content(folder: Path) -> bytes:
        return write_soundfile(folder / "source.wav", values, **options).read_bytes()

    return content


def with_value(value: float, subtype: str) -> Callable[[Path], bytes]:
    sound = music().astype(np.float64)
    sound[5000, 1] = value
    return samples(sound, subtype=subtype)


def zip_archive(folder: Path) -> bytes:
    with zipfile.ZipFile(folder / "source.zip", "w") as archive:
        archive.writestr("a.txt", "text " * 10_000)
    return (folder / "source.zip").read_bytes()


def silence_far_longer_than_its_file(folder: Path) -> bytes:
    return write_soundfile(folder / "source.flac", np.zeros((700 * 8_000, 1)), 8_000).read_bytes()


def bytes_of(content: bytes) -> Callable[[Path], bytes]:
    return lambda _: content


def naming_another_file(text: bytes) -> Callable[[Path], bytes]:
    return lambda folder: text + os.fsencode(write_any(folder / "another.mp3"))


SILENCE = np.zeros((2 * SAMPLE_RATE, 2), np.float32)
DITHER = RANDOM.integers(-1, 2, (2 * SAMPLE_RATE, 1)).astype(np.int16)
ABSURD = wav_bytes(pcm_bytes(), channels=65_535, sample_rate=4_294_967_295)
UNKNOWN_CODEC = wav_bytes(pcm_bytes()).replace(b"fmt \x10\0\0\0\x01\0", b"fmt \x10\0\0\0\xfe\x7f")
FRAME_HEADER = b"\xff\xfb\x90\x64"

BAD_CONTENT: dict[str, tuple[str, Callable[[Path], bytes], Reason]] = {
    "empty": ("mp3", bytes_of(b""), Reason.EMPTY),
    "random bytes": ("mp3", bytes_of(RANDOM.bytes(200_000)), Reason.UNREADABLE),
    "a frame header, random bytes": ("mp3", bytes_of(FRAME_HEADER + RANDOM.bytes(90_000)), Reason.UNREADABLE),
    "MP3 cut in the middle of a frame": ("mp3", cut("mp3", 0.5), Reason.TRUNCATED),
    "MP3 cut to 1 KB": ("mp3", cut("mp3", 1024), Reason.UNREADABLE),
    "FLAC cut": ("flac", cut("flac", 0.5), Reason.TRUNCATED),
    "WAV cut": ("wav", cut("wav", 0.5), Reason.TRUNCATED),
    "AIFF cut": ("aiff", cut("aiff", 0.5), Reason.TRUNCATED),
    "M4A without its index": ("m4a", cut("m4a", 0.5), Reason.UNREADABLE),
    "WAV that claims more": ("wav", bytes_of(wav_bytes(pcm_bytes(), claimed_size=10**6)), Reason.TRUNCATED),
    "WAV header alone": ("wav", bytes_of(wav_bytes(b"")), Reason.TOO_SHORT),
    "WAV of 65,535 channels at 4,294,967,295 Hz": ("wav", bytes_of(ABSURD), Reason.UNREADABLE),
    "WAV of an unknown codec": ("wav", bytes_of(UNKNOWN_CODEC), Reason.UNREADABLE),
    "WAV of 9 channels": ("wav", samples(music(1.2, channels=9)), Reason.BAD_CHANNELS),
    "WAV of 1 Hz": ("wav", bytes_of(wav_bytes(pcm_bytes(), sample_rate=1)), Reason.BAD_RATE),
    "WAV of 768 kHz": ("wav", bytes_of(wav_bytes(pcm_bytes(), sample_rate=768_000)), Reason.BAD_RATE),
    "NaN": ("wav", with_value(np.nan, "FLOAT"), Reason.NOT_FINITE),
    "infinity": ("wav", with_value(np.inf, "FLOAT"), Reason.NOT_FINITE),
    "minus infinity": ("wav", with_value(-np.inf, "DOUBLE"), Reason.NOT_FINITE),
    "a double beyond float32": ("wav", with_value(1e300, "DOUBLE"), Reason.NOT_FINITE),
    "a float whose square overflows": ("wav", with_value(1e38, "FLOAT"), Reason.NOT_FINITE),
    "all zeros": ("wav", samples(SILENCE), Reason.SILENT),
    "all zeros as MP3": ("mp3", lambda folder: write_any(folder / "s.mp3", SILENCE).read_bytes(), Reason.SILENT),
    "a constant": ("wav", samples(SILENCE + 0.5), Reason.SILENT),
    "dither alone": ("wav", samples(DITHER), Reason.SILENT),
    "channels that cancel out": ("wav", samples(music(channels=1) * [1, -1]), Reason.SILENT),
    "one sample": ("wav", samples(np.full((1, 1), 0.5)), Reason.TOO_SHORT),
    "100 ms": ("wav", samples(music(0.1)), Reason.TOO_SHORT),
    "text": ("mp3", bytes_of(b"The quick brown fox.\n" * 5_000), Reason.UNREADABLE),
    "zip": ("flac", zip_archive, Reason.UNREADABLE),
    "a playlist": ("m4a", naming_another_file(b"#EXTM3U\n#EXTINF:9,\n"), Reason.UNREADABLE),
    "FFmpeg's list of files": ("mp3", naming_another_file(b"ffconcat version 1.0\nfile "), Reason.UNREADABLE),
}


@pytest.mark.parametrize("kind", BAD_CONTENT)
def test_bad_content_is_rejected_with_its_reason(tmp_path: Path, kind: str) -> None:
    suffix, content, reason = BAD_CONTENT[kind]
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content(tmp_path))
    rejection = rejected(path, reason)
    assert (rejection.content_hash is None) == (reason is Reason.EMPTY)


def test_a_click_in_silence_is_heard(tmp_path: Path) -> None:
    sound = np.zeros((2 * SAMPLE_RATE, 1))
    sound[SAMPLE_RATE] = 0.01
    assert isinstance(extract(write_soundfile(tmp_path / "a.wav", sound)), Track)


def test_a_small_file_that_decodes_to_hours_stops_at_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes(silence_far_longer_than_its_file(tmp_path))
    assert path.stat().st_size < 100_000
    rejected(path, Reason.TOO_LONG, Limits(max_duration_s=600))


def test_a_file_beyond_the_size_limit_is_not_read(tmp_path: Path) -> None:
    path = write_any(tmp_path / "a.wav")
    rejection = rejected(path, Reason.TOO_LARGE, Limits(max_size_bytes=1000))
    assert rejection.content_hash is None


def test_missing_file(tmp_path: Path) -> None:
    rejected(tmp_path / "a.mp3", Reason.NOT_FOUND)
    rejected(write_any(tmp_path / "a.wav") / "b.mp3", Reason.NOT_FOUND)


def test_folder(tmp_path: Path) -> None:
    rejected(tmp_path, Reason.NOT_A_FILE)


def test_fifo_without_a_writer_does_not_block(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    os.mkfifo(path)
    rejected(path, Reason.NOT_A_FILE)


def test_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is limited to 107 bytes
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("a.mp3")
        rejected(tmp_path / "a.mp3", Reason.NOT_A_FILE)


def test_device() -> None:
    rejected(Path("/dev/zero"), Reason.NOT_A_FILE)


def test_symlinks(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").symlink_to("b.mp3")
    (tmp_path / "b.mp3").symlink_to("a.mp3")
    rejected(tmp_path / "a.mp3", Reason.NOT_A_FILE)
    (tmp_path / "c.mp3").symlink_to("nowhere.mp3")
    rejected(tmp_path / "c.mp3", Reason.NOT_FOUND)
    write_any(tmp_path / "d.wav")
    (tmp_path / "e.wav").symlink_to("d.wav")
    assert isinstance(extract(tmp_path / "e.wav"), Track)


def test_no_permission() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        path = write_any(folder / "a.wav")
        path.chmod(0)
        me = os.geteuid()
        if me == 0:
            os.seteuid(65_534)  # root may read everything
        try:
            rejected(path, Reason.NO_PERMISSION)
        finally:
            os.seteuid(me)


@pytest.mark.parametrize(
    "name",
    [
        b"with spaces .mp3",
        "emoji 🎧.mp3".encode(),
        b"new\nline.mp3",
        b"-rf.mp3",
        b"invalid \xff\xfe utf-8.mp3",
        b"%s%n.mp3",
    ],
)
def test_any_name_that_the_file_system_takes(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(write_any(tmp_path / "source.mp3").read_bytes())
    result = extract(path)
    assert isinstance(result, Track), result
    assert result.path == str(path)


def extract_while_reading(path: Path, action: Callable[[Path], None]) -> Track | Rejection:
    """Extract in a thread, and act on the file when its first bytes are read."""
    with ThreadPoolExecutor(1) as thread:
        outcome = thread.submit(extract, path)
        while not is_being_read(path):
            assert not outcome.done()
        action(path)
        return outcome.result()


def is_being_read(path: Path) -> bool:
    for entry in Path("/proc/self/fd").iterdir():
        if os.path.realpath(entry) == str(path):
            position = Path(f"/proc/self/fdinfo/{entry.name}").read_text().split()[1]
            return int(position) > 0
    return False


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path = write_any(tmp_path / "a.wav", music(120.0))
    result = extract_while_reading(path, lambda path: os.truncate(path, 1_000_000))
    assert isinstance(result, Rejection)
    assert result.reason is Reason.CHANGED


def test_a_file_that_is_deleted_while_it_is_read(tmp_path: Path) -> None:
    path = write_any(tmp_path / "a.wav", music(120.0))
    result = extract_while_reading(path, Path.unlink)
    assert isinstance(result, Track)
    assert result.duration_s == 120.0
