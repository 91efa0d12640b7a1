from __future__ import annotations

import shutil
import subprocess

import pytest
from typer.testing import CliRunner

from segue.cli import app
from segue.stack.unit import NAME, Unit


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("SEGUE_METADATA", '/music/"100 %" $HOME\\x.csv')
    return tmp_path


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("of_user", [True, False])
def test_systemd_accepts_the_unit(home, of_user):
    file = home / NAME
    file.write_text(Unit(of_user=of_user).text)
    scope = ["--user"] if of_user else []
    checked = subprocess.run(
        ["systemd-analyze", *scope, "verify", "--man=no", file], capture_output=True, text=True, check=False
    )
    assert [line for line in checked.stderr.splitlines() if NAME in line] == []
    assert checked.returncode == 0, checked.stderr


@pytest.mark.usefixtures("home")
def test_the_settings_of_this_shell_are_in_the_unit_as_systemd_reads_them():
    text = Unit(of_user=True).text
    assert r'"SEGUE_METADATA=/music/\"100 %%\" $HOME\\x.csv"' in text
    assert "User=" not in text
    assert "WantedBy=default.target" in text


def test_it_is_installed_readable_by_its_owner_alone_and_removed(home):
    installed = CliRunner().invoke(app, ["service", "install"])
    file = home / "systemd" / "user" / NAME
    assert "systemctl --user enable --now segue.service" in installed.output
    assert oct(file.stat().st_mode)[-2:] == "00"
    assert CliRunner().invoke(app, ["service", "remove"]).exit_code == 0
    assert not file.exists()
    assert CliRunner().invoke(app, ["service", "remove"]).exit_code == 1
