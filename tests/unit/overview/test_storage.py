from __future__ import annotations

import shutil

from segue.overview import storage
from segue.settings import Settings


def test_folders_are_measured_by_what_they_hold_and_the_largest_comes_first(tmp_path):
    settings = Settings(home=tmp_path)
    sizes = {"kafka/listens-0/0.log": 300, "lake/tracks/a.parquet": 500, "run/a.pid": 3, "imports/b": 4}
    for name, size in sizes.items():
        file = settings.state_dir / name
        file.parent.mkdir(parents=True)
        file.write_bytes(b"x" * size)
    (settings.state_dir / "settings.json").write_text("no folder")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "large").write_bytes(b"x" * 9_000)
    (settings.state_dir / "music").symlink_to(elsewhere)
    found = storage.read(settings)
    assert list(found.parts.items()) == [("Lake (Delta tables)", 500), ("Kafka", 300), ("Other", 7)]
    assert found.free_bytes <= shutil.disk_usage(tmp_path).total


def test_a_state_that_does_not_exist_yet_takes_nothing(tmp_path):
    found = storage.read(Settings(home=tmp_path / "not" / "yet"))
    assert found.parts == {}
    assert found.free_bytes > 0
