from __future__ import annotations

import os
from pathlib import Path

import pytest

from segue.settings import Settings
from segue.stack import code, lifecycle


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "room" / "__pycache__").mkdir(parents=True)
    (tmp_path / "room" / "one.py").write_text("a = 1")
    return tmp_path


def test_code_that_changed_moved_or_went_has_another_digest(package: Path) -> None:
    one, seen = package / "room" / "one.py", {code.digest_of([package])}
    one.write_text("a = 2")
    seen.add(code.digest_of([package]))
    one.rename(package / "one.py")
    seen.add(code.digest_of([package]))
    (package / "one.py").unlink()
    seen.add(code.digest_of([package]))
    seen.add(code.digest_of([package], "numpy-3.dist-info"))
    assert len(seen) == 5


def test_compiled_code_and_times_of_files_do_not_count(package: Path) -> None:
    before = code.digest_of([package])
    (package / "room" / "__pycache__" / "one.pyc").write_bytes(b"compiled")
    os.utime(package / "room" / "one.py", (1, 1))
    assert code.digest_of([package]) == before


def test_every_service_notes_what_it_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(home=tmp_path, document_server="secantusd-py")
    before = {service.name: service.loads for service in lifecycle.services(settings)}
    assert all(before.values())
    monkeypatch.setattr(code, "installed", lambda: "the code after an upgrade")
    after = {service.name: service.loads for service in lifecycle.services(settings)}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == before.keys() - {"kafka"}


def test_a_program_that_was_built_anew_is_another_one(tmp_path: Path) -> None:
    program = tmp_path / "mongod"
    program.write_text("one")
    before = code.program(program)
    os.utime(program, (1, 1))
    assert code.program(program) != before
