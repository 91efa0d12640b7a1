from __future__ import annotations

import os
import socket
import time
from types import SimpleNamespace

import pytest

from segue import disk
from segue.errors import PrerequisiteError
from segue.settings import Settings
from segue.stack import machine, ports, prerequisites


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path, corpus="test", **ports.for_a_stack())


def said(settings):
    return [finding.sentence for finding in machine.examine(settings)]


def test_nothing_is_wrong_with_this_machine(settings):
    assert said(settings) == []


def test_a_port_that_somebody_else_has_is_named_with_its_setting(settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", settings.kafka_port))
        taken.listen()
        [sentence] = said(settings)
    assert f"Port {settings.kafka_port}" in sentence
    assert "SEGUE_KAFKA_PORT=PORT" in sentence


def test_a_small_or_full_machine_and_a_missing_java_are_sentences(settings, monkeypatch):
    def missing():
        raise PrerequisiteError("Segue needs Java 17 or newer.")

    monkeypatch.setattr(prerequisites, "check_java", missing)
    monkeypatch.setattr(machine.psutil, "virtual_memory", lambda: SimpleNamespace(total=2_000_000_000))
    monkeypatch.setattr(disk, "fullness", lambda _: "The disk is full.")
    java, memory, full = said(settings)
    assert java == "Segue needs Java 17 or newer."
    assert memory.startswith("This machine has 2.0 GB of memory.")
    assert full == "The disk is full."


def test_packages_that_are_missing_or_of_another_version_are_named(settings, monkeypatch):
    needed = ["pytest==1.0", "no-such-package>=2", 'other-platform>=1; sys_platform == "never"', "httpx>=0.1"]
    monkeypatch.setattr(machine, "requires", lambda _: needed)
    old, missing = said(settings)
    assert old.startswith("pytest ")
    assert "but Segue needs pytest==1.0" in old
    assert "no-such-package>=2 is not installed" in missing


def test_a_folder_of_another_user_and_a_clock_that_went_back_are_told(settings, monkeypatch):
    log = settings.state_dir / "logs" / "kafka.log"
    log.parent.mkdir(parents=True)
    log.touch()
    monkeypatch.setattr(os, "access", lambda folder, _: folder != settings.state_dir)  # root may write anywhere
    os.utime(log, (0, time.time() + 3_600))
    rights, clock = said(settings)
    assert rights.startswith(f"You cannot write to {settings.state_dir}.")
    assert f"but {log} was written at" in clock
