from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest

from segue.stack import pidfile
from segue.stack.pidfile import PidFile, birth


@pytest.fixture
def record(tmp_path: Path) -> PidFile:
    """The record of this process."""
    file = tmp_path / "server.json"
    PidFile.write(file, psutil.Process().pid, "digest")
    found = PidFile.read(file)
    assert found is not None
    return found


@pytest.mark.parametrize("step_s", [-3_600, -2, 2, 3_600])
def test_a_process_lives_on_when_the_clock_is_set(record: PidFile, step_s: float) -> None:
    """Linux moves the start times of all processes with the clock."""
    process = replace(record, created=record.created + step_s).process()
    assert process is not None
    assert process.pid == psutil.Process().pid


def test_a_process_of_another_boot_or_start_is_another_process(record: PidFile) -> None:
    boot, ticks = record.born.split()
    assert replace(record, born=f"another-boot {ticks}").process() is None
    assert replace(record, born=f"{boot} {int(ticks) + 1}").process() is None


def test_a_record_of_the_version_before_is_still_read(record: PidFile, tmp_path: Path) -> None:
    old = {name: value for name, value in asdict(record).items() if name != "born"}
    file = tmp_path / "old.json"
    file.write_text(json.dumps(old))
    found = PidFile.read(file)
    assert found is not None
    assert found.process() is not None
    assert replace(found, created=found.created - 60).process() is None


def test_the_birth_of_a_process_that_has_ended_is_unknown() -> None:
    assert birth(2**22 + 1) == ""


def test_the_name_of_a_process_does_not_disturb(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = " ".join(map(str, range(3, 53)))
    texts = {"/proc/7/stat": f"7 (a) b (c)) {fields}", "/proc/sys/kernel/random/boot_id": "boot\n"}
    monkeypatch.setattr(pidfile.Path, "read_text", lambda path: texts[str(path)])
    assert birth(7) == "boot 22"
