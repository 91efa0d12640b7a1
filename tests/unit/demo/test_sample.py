from __future__ import annotations

import csv
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mutagen
import numpy as np
import psutil
import pytest
import soundfile

from segue.demo import sample
from segue.demo.sample import SampleSummary
from segue.errors import CorpusError
from segue.settings import PROJECT_DIR

PIECES = 24  # of the fixture small_corpus

RENDER = """
import sys
from pathlib import Path
from segue.demo.sample import render
from segue.errors import SegueError

if __name__ == "__main__":
    try:
        render(Path(sys.argv[1]), pieces=int(sys.argv[2]))
    except SegueError as error:
        sys.exit(str(error))
"""


def audio(folder: Path) -> dict[str, bytes]:
    """Return the bytes of all audio files by relative path."""
    files = (path for path in folder.rglob("*") if path.suffix in {".mp3", ".wav"})
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def start_rendering(script: Path, folder: Path) -> subprocess.Popen[str]:
    script.write_text(RENDER)
    return subprocess.Popen(
        [sys.executable, str(script), str(folder), str(PIECES)],
        env={**os.environ, "PYTHONPATH": str(PROJECT_DIR / "include")},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_files(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    while len(list(folder.rglob("*.mp3"))) < count:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.05)


def test_the_summary_is_what_lies_in_the_folder(small_corpus: SampleSummary) -> None:
    files = audio(small_corpus.music_dir)
    assert small_corpus.pieces == PIECES == sum(small_corpus.genres.values())
    assert len(small_corpus.genres) == 8
    assert len(small_corpus.damaged) == 2
    assert len(files) == PIECES + 2 == small_corpus.rendered
    assert {*small_corpus.damaged, *small_corpus.unlisted, *small_corpus.unlabelled} <= files.keys()
    with (small_corpus.music_dir / "metadata.csv").open(newline="", encoding="utf-8") as table:
        listed = {row["file"] for row in csv.DictReader(table)}
    assert files.keys() - listed == set(small_corpus.unlisted)
    assert listed - files.keys() == set(small_corpus.missing)


def test_paths_have_spaces_and_letters_beyond_ascii(small_corpus: SampleSummary) -> None:
    folders = {path.split("/")[0] for path in audio(small_corpus.music_dir)}
    assert any(" " in folder for folder in folders)
    assert any(not folder.isascii() for folder in folders)


def test_sound_pieces_are_half_a_minute_of_stereo_music_and_no_two_are_alike(small_corpus: SampleSummary) -> None:
    sound = audio(small_corpus.music_dir).keys() - small_corpus.damaged.keys()
    contents = set()
    for path in sound:
        samples, rate = soundfile.read(small_corpus.music_dir / path, dtype="float32")
        assert (rate, samples.shape) == (44_100, (30 * 44_100, 2))
        assert 0.02 < np.sqrt(np.mean(samples**2)) < 0.3
        assert np.isfinite(samples).all()
        contents.add(samples.tobytes())
    assert len(contents) == len(sound)


def test_tags_name_title_artist_album_date_and_genre(small_corpus: SampleSummary) -> None:
    for path in audio(small_corpus.music_dir).keys() - small_corpus.damaged.keys():
        tags = mutagen.File(small_corpus.music_dir / path, easy=True)
        assert {"title", "artist", "album", "date"} <= set(tags)
        assert tags["date"][0].startswith("2026-10-")
        assert ("genre" in tags) == (path not in small_corpus.unlabelled)


def test_a_second_call_does_nothing(small_corpus: SampleSummary) -> None:
    folder = small_corpus.music_dir
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    again = sample.render(folder, pieces=PIECES)
    assert again.rendered == 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert {**vars(again), "rendered": 0, "seconds": 0} == {**vars(small_corpus), "rendered": 0, "seconds": 0}


def test_lost_files_come_back_with_the_same_bytes(small_corpus: SampleSummary, tmp_path: Path) -> None:
    folder = tmp_path / "music"
    shutil.copytree(small_corpus.music_dir, folder)
    before = everything(folder)
    lost = ["Reels/001001.mp3", "汉族民歌/001008.mp3", "metadata.csv", *small_corpus.damaged]
    for path in lost:
        (folder / path).unlink()
    steps: list[tuple[int, int]] = []
    again = sample.render(folder, pieces=PIECES, progress=lambda done, total: steps.append((done, total)))
    assert again.rendered == len(lost) - 1
    assert everything(folder) == before
    assert steps == [(done, 26) for done in range(23, 27)]


def test_an_old_corpus_is_replaced_even_if_the_rendering_is_interrupted_twice(
    small_corpus: SampleSummary, tmp_path: Path
) -> None:
    folder = tmp_path / "music"
    (folder / "Reels").mkdir(parents=True)
    for name in ("001001.mp3", "009999.mp3"):
        (folder / "Reels" / name).write_bytes(b"old")
    manifest = {"recipe": {"version": 0, "pieces": PIECES, "seed": 2026}, "complete": True, "files": []}
    (folder / "sample.json").write_text(json.dumps(manifest))
    complete = audio(small_corpus.music_dir)

    for how, count in ((signal.SIGINT, 4), (signal.SIGKILL, 10)):
        process = start_rendering(tmp_path / "render.py", folder)
        wait_for_files(folder, count, process)
        workers = psutil.Process(process.pid).children(recursive=True)
        assert workers
        process.send_signal(how)
        process.communicate()
        _, alive = psutil.wait_procs(workers, timeout=10)
        assert not alive, "workers outlived their parent"
        assert audio(folder).items() <= complete.items(), "a file is old or half-made"

    done = len(audio(folder))
    assert 10 <= done < len(complete)
    again = sample.render(folder, pieces=PIECES)
    assert again.rendered == len(complete) - done
    assert everything(folder) == everything(small_corpus.music_dir)


def test_a_killed_worker_is_reported_in_one_sentence(tmp_path: Path) -> None:
    process = start_rendering(tmp_path / "render.py", tmp_path / "music")
    wait_for_files(tmp_path / "music", 1, process)
    # A spawned worker, not multiprocessing's resource tracker.
    worker = next(
        child for child in psutil.Process(process.pid).children() if "spawn_main" in str(child.cmdline())
    )
    worker.kill()
    _, error = process.communicate()
    assert process.returncode == 1
    assert error.startswith("A process that rendered the sample corpus was killed")


def test_a_full_disk_stops_with_a_remedy_and_the_next_call_continues(
    small_disk: Path, small_corpus: SampleSummary
) -> None:
    folder = small_disk / "music"
    shutil.copytree(small_corpus.music_dir, folder)
    for path in (path for number in range(1001, 1007) for path in folder.glob(f"*/*{number}.mp3")):
        path.unlink()
    filler = small_disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(small_disk).free - 600_000))

    with pytest.raises(CorpusError, match=r"is full: the sample corpus needs about \d+ MB\. Free some space"):
        sample.render(folder, pieces=PIECES)
    done = audio(folder)
    assert done.items() <= audio(small_corpus.music_dir).items()
    assert not list(folder.rglob("*.part"))

    filler.unlink()
    again = sample.render(folder, pieces=PIECES)
    assert again.rendered == PIECES + 2 - len(done) > 0
    assert everything(folder) == everything(small_corpus.music_dir)


def test_a_file_size_limit_stops_like_a_full_disk(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))  # inherited by the workers
    try:
        with pytest.raises(CorpusError, match="is full"):
            sample.render(tmp_path, pieces=PIECES)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["sample.json"]


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "my song.mp3").write_bytes(b"mine")
    with pytest.raises(CorpusError, match=r"has files that are not a sample corpus\. Choose an empty folder"):
        sample.render(tmp_path, pieces=PIECES)
    assert everything(tmp_path) == {"my song.mp3": b"mine"}


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "music").touch()
    with pytest.raises(CorpusError, match=r"cannot be written to .*music: File exists"):
        sample.render(tmp_path / "music", pieces=PIECES)
