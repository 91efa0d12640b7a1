"""Whatever a file does to the process that decodes it, that file alone is rejected and nothing is left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from mutagen.id3 import ID3, TIT2
from tests.support.audio_files import music, without_xing_frame, write_any, write_ffmpeg
from tests.support.own_process import call_in_own_process

from segue.audio.extract import extract
from segue.audio.isolation.extractor import ATTEMPTS, IsolatedExtractor
from segue.audio.isolation.pool import extract_all
from segue.audio.limits import Limits, configured
from segue.audio.reasons import Reason
from segue.audio.results import Rejection, Tags, Track
from segue.corpus.plan import PASSING
from segue.errors import ExtractionError
from segue.settings import get_settings


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_any(tmp_path_factory.mktemp("clips") / "clip.mp3")


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten minutes, which decode and compute for long enough to interfere."""
    samples = np.tile(music(10.0, channels=1), (60, 1))
    return write_any(tmp_path_factory.mktemp("clips") / "long.wav", samples)


@pytest.fixture(scope="module")
def shared() -> Iterator[IsolatedExtractor]:
    with IsolatedExtractor() as extractor:
        yield extractor


@pytest.fixture
def extractor(shared: IsolatedExtractor, clip: Path) -> IsolatedExtractor:
    """One whose child has served another file before."""
    assert isinstance(shared.extract(clip), Track)
    return shared


class Assailant(threading.Thread):
    """Sends a signal to each child of the extractor, or to the first few, while it works on the file."""

    def __init__(
        self, extractor: IsolatedExtractor, path: Path, signal_number: int, most: int | None = None
    ) -> None:
        super().__init__(daemon=True)
        self.extractor, self.path, self.signal_number, self.most = extractor, path, signal_number, most
        self.victims: set[int] = set()
        self.over = threading.Event()

    def run(self) -> None:
        while len(self.victims) != self.most and not self.over.wait(0.01):
            pid = self.extractor.pid
            if pid is not None and pid not in self.victims and is_open_in(pid, self.path):
                os.kill(pid, self.signal_number)
                self.victims.add(pid)

    def __enter__(self) -> Assailant:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.join()


def is_open_in(pid: int, path: Path) -> bool:
    try:
        return any(os.path.realpath(entry) == str(path) for entry in Path(f"/proc/{pid}/fd").iterdir())
    except (FileNotFoundError, PermissionError):
        return False


def test_isolation_changes_no_number(extractor: IsolatedExtractor, clip: Path) -> None:
    isolated, plain = extractor.extract(clip), extract(clip)
    assert isinstance(isolated, Track)
    assert isinstance(plain, Track)
    # The last bit differs with the number of threads that BLAS has in this process.
    np.testing.assert_allclose(isolated.features, plain.features, rtol=1e-4, atol=1e-4)
    assert {**vars(isolated), "features": None} == {**vars(plain), "features": None}


def test_tags_are_read_without_decoding(extractor: IsolatedExtractor, clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    tags = ID3()
    tags.add(TIT2(text=["T"]))
    tags.save(path)
    path.write_bytes(path.read_bytes() + clip.read_bytes()[:2_000])
    found = extractor.read_tags(path)
    assert isinstance(found, Tags)
    assert (found.texts["title"], found.error) == ("T", None)
    assert isinstance(extractor.extract(path), Rejection)
    missing = extractor.read_tags(tmp_path / "missing.mp3")
    assert isinstance(missing, Rejection)
    assert missing.reason is Reason.NOT_FOUND


def test_one_child_serves_file_after_file(extractor: IsolatedExtractor, clip: Path, tmp_path: Path) -> None:
    pid = extractor.pid
    for _ in range(5):
        assert isinstance(extractor.extract(clip), Track)
        assert isinstance(extractor.extract(tmp_path / "missing.mp3"), Rejection)
    assert extractor.pid == pid


def test_a_crash_rejects_that_one_file(extractor: IsolatedExtractor, clip: Path, long_clip: Path) -> None:
    with Assailant(extractor, long_clip, signal.SIGSEGV) as assailant:
        result = extractor.extract(long_clip)
    assert isinstance(result, Rejection)
    assert result.reason is Reason.DECODER_CRASHED
    assert "SIGSEGV" in result.message
    assert len(assailant.victims) == 2, "a child that served other files before gives way to a fresh one once"
    assert isinstance(extractor.extract(clip), Track)
    assert not any(psutil.pid_exists(pid) for pid in assailant.victims)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_file_whose_child_is_always_killed_from_outside_is_left_for_the_next_run(
    long_clip: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segue.audio.isolation.extractor.PAUSE_S", 0.0)
    with IsolatedExtractor() as extractor, Assailant(extractor, long_clip, number) as assailant:
        result = extractor.extract(long_clip)
    assert isinstance(result, Rejection)
    assert result.reason is Reason.KILLED
    assert number.name in result.message
    assert len(assailant.victims) == ATTEMPTS
    assert Reason.KILLED in PASSING


def test_a_good_file_whose_child_is_killed_twice_is_extracted(
    long_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first child is killed, too, although it has served no other file."""
    monkeypatch.setattr("segue.audio.isolation.extractor.PAUSE_S", 0.0)
    with IsolatedExtractor() as extractor, Assailant(extractor, long_clip, signal.SIGKILL, most=2) as assailant:
        assert isinstance(extractor.extract(long_clip), Track)
    assert len(assailant.victims) == 2


def test_a_crash_that_an_earlier_file_caused_costs_nothing(extractor: IsolatedExtractor, clip: Path) -> None:
    first = extractor.pid
    assert first is not None
    os.kill(first, signal.SIGSEGV)
    assert isinstance(extractor.extract(clip), Track)
    assert extractor.pid != first


def test_an_endless_loop_is_ended_by_the_kernel(long_clip: Path) -> None:
    with IsolatedExtractor(Limits(timeout_s=0.2)) as extractor:
        result = extractor.extract(long_clip)
    assert isinstance(result, Rejection)
    assert result.reason is Reason.TIMED_OUT
    assert "0.2 s" in result.message


def test_a_child_that_stands_still_is_killed(long_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segue.audio.isolation.extractor.GRACE_S", 0.5)
    with IsolatedExtractor(Limits(timeout_s=0.3)) as extractor:
        with Assailant(extractor, long_clip, signal.SIGSTOP) as assailant:
            result = extractor.extract(long_clip)
        assert isinstance(result, Rejection)
        assert result.reason is Reason.TIMED_OUT
    assert not any(psutil.pid_exists(pid) for pid in assailant.victims)


def test_a_file_whose_time_was_over_because_it_was_suspended_is_tried_again(
    long_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child's alarm rings although the parent has not waited for long, because both were suspended."""
    monkeypatch.setattr("segue.audio.isolation.extractor.PAUSE_S", 0.0)
    with IsolatedExtractor() as extractor, Assailant(extractor, long_clip, signal.SIGALRM, most=1) as assailant:
        assert isinstance(extractor.extract(long_clip), Track)
    assert len(assailant.victims) == 1


def test_a_huge_allocation_rejects_that_one_file(clip: Path, tmp_path: Path) -> None:
    """The ALAC header asks FFmpeg for 64 MB of buffer for each of several purposes."""
    path = write_ffmpeg(tmp_path / "a.m4a", music(), "alac")
    content = bytearray(path.read_bytes())
    samples_per_frame = content.rindex(b"alac") + 8
    assert content[samples_per_frame : samples_per_frame + 4] == (4096).to_bytes(4, "big")
    content[samples_per_frame : samples_per_frame + 4] = (2**24).to_bytes(4, "big")
    path.write_bytes(content)
    with IsolatedExtractor(Limits(memory_bytes=128 * 2**20)) as extractor:
        assert isinstance(extractor.extract(clip), Track)
        result = extractor.extract(path)
    assert isinstance(result, Rejection)
    assert result.reason is Reason.OUT_OF_MEMORY


def test_an_hour_of_stereo_takes_at_most_600_mb(tmp_path: Path) -> None:
    minute = without_xing_frame(write_any(tmp_path / "minute.mp3", music(60.0)).read_bytes())
    path = tmp_path / "hour.mp3"
    path.write_bytes(minute * 60)
    with IsolatedExtractor() as extractor:
        track = extractor.extract(path)
        status = Path(f"/proc/{extractor.pid}/status").read_text()
    assert isinstance(track, Track)
    assert track.duration_s == pytest.approx(3600.0, rel=0.01)
    peak_kb = int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])
    assert peak_kb < 600_000


def work_and_crash(clip: Path, long_clip: Path) -> None:
    """Extract good, bad and deadly files; check that nothing is left behind."""
    me = psutil.Process()
    handles, children = me.num_fds(), set(me.children())
    with IsolatedExtractor() as extractor:
        assert isinstance(extractor.extract(clip), Track)
        before = psutil.Process(extractor.pid).num_fds()
        for _ in range(10):
            extractor.extract(clip)
            extractor.extract(clip.parent)
            extractor.extract(Path(__file__))
        assert psutil.Process(extractor.pid).num_fds() == before
        with Assailant(extractor, long_clip, signal.SIGSEGV):
            extractor.extract(long_clip)
        assert me.num_fds() == handles, "what a dead child held is given back at once"
        extractor.extract(clip)
    assert me.num_fds() == handles
    assert set(me.children()) == children


def test_no_file_handle_and_no_process_is_left_behind(clip: Path, long_clip: Path) -> None:
    call_in_own_process(work_and_crash, clip, long_clip)


PARENT = """
import sys
from segue.audio.isolation.extractor import ATTEMPTS, IsolatedExtractor
extractor = IsolatedExtractor()
extractor.extract(sys.argv[1])
print(extractor.pid, flush=True)
while True:
    extractor.extract(sys.argv[2])
"""


def test_the_child_ends_when_its_parent_is_killed(clip: Path, long_clip: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(clip), str(long_clip)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    psutil.wait_procs([child], timeout=60)
    assert not child.is_running()


def test_the_child_leaves_an_interrupt_to_its_parent(extractor: IsolatedExtractor, clip: Path) -> None:
    pid = extractor.pid
    assert pid is not None
    os.kill(pid, signal.SIGINT)
    assert isinstance(extractor.extract(clip), Track)
    assert extractor.pid == pid


def test_any_name_crosses_to_the_child_and_back(extractor: IsolatedExtractor, clip: Path, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"new\nline \xff\xfe \xf0\x9f\x8e\xa7.mp3")
    path.write_bytes(clip.read_bytes())
    result = extractor.extract(path)
    assert isinstance(result, Track)
    assert result.path == str(path)


def start_without_libsndfile(clip: Path, shadow: Path) -> None:
    """Fail to start; check that the reason is told and no handle left."""
    sys.path.insert(0, str(shadow))
    handles = psutil.Process().num_fds()
    with IsolatedExtractor() as extractor, pytest.raises(ExtractionError, match="libsndfile is not installed"):
        extractor.extract(clip)
    assert psutil.Process().num_fds() == handles


def test_a_child_that_does_not_start_tells_why(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "soundfile.py").write_text("raise ImportError('libsndfile is not installed')")
    call_in_own_process(start_without_libsndfile, clip, tmp_path)


def test_the_environment_sets_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    get_settings.cache_clear()
    assert configured() == Limits()
    monkeypatch.setenv("SEGUE_AUDIO_MAX_DURATION_S", "60")
    monkeypatch.setenv("SEGUE_AUDIO_MEMORY_MB", "512")
    get_settings.cache_clear()
    assert configured() == Limits(max_duration_s=60.0, memory_bytes=512 * 2**20)
    get_settings.cache_clear()


def test_many_files_come_back_in_order(clip: Path, tmp_path: Path) -> None:
    paths = [clip, tmp_path / "missing.mp3", *[clip] * 5, tmp_path]
    results = list(extract_all(paths, workers=2))
    assert [result.path for result in results] == [str(path) for path in paths]
    assert [isinstance(result, Track) for result in results] == [True, False, *[True] * 5, False]
    assert list(extract_all([])) == []
