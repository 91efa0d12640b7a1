from __future__ import annotations

import pytest

from segue.errors import PrerequisiteError
from segue.stack import prerequisites


@pytest.fixture
def install_java(tmp_path, monkeypatch):
    """Put a program on PATH that tells a version as a java does."""
    monkeypatch.delenv("JAVA_HOME", raising=False)

    def install(told: str) -> None:
        program = tmp_path / "java"
        program.write_text(f"#!/bin/sh\necho '{told}' >&2\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    return install


@pytest.mark.parametrize("told", ['openjdk version "17.0.15" 2025-04-15', 'openjdk version "21" 2023-09-19'])
def test_java_17_and_newer_will_do(install_java, tmp_path, told):
    install_java(told)
    prerequisites.check_java()
    assert prerequisites.java() == str(tmp_path / "java")


@pytest.mark.parametrize(("told", "version"), [('java version "1.8.0_392"', 8), ('openjdk version "11.0.2"', 11)])
def test_older_java_is_named_with_the_command_that_installs_another(install_java, told, version):
    install_java(told)
    with pytest.raises(PrerequisiteError, match=f"is Java {version}.*apt-get install openjdk-17.*brew install"):
        prerequisites.check_java()


def test_the_stub_of_macos_that_is_no_java_is_not_taken_for_one(install_java):
    install_java("Unable to locate a Java Runtime.")
    with pytest.raises(PrerequisiteError, match="does not state its version"):
        prerequisites.check_java()


def test_missing_java_is_told_with_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(PrerequisiteError, match=f"JAVA_HOME={tmp_path} has none"):
        prerequisites.check_java()
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PrerequisiteError, match="PATH has none"):
        prerequisites.check_java()
