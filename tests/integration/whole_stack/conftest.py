"""The whole stack starts once for this folder, and stops after it. Airflow has a small disk, if possible."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from segue.settings import Settings
from segue.stack import airflow, lifecycle

SIZE_BYTES = 900 * 10**6
"""It is memory, as far as it is used."""

Resize = Callable[[int | None], None]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Function, nextitem: pytest.Item | None) -> Iterator[None]:
    """Stop Airflow and what uses the stores after the last test, since they take CPU time while they wait.

    Kafka and the document server stay for other tests.
    """
    settings = item.funcargs.get("settings")  # a test that was skipped has none
    yield
    if settings and (nextitem is None or nextitem.path.parent != item.path.parent):
        for service in reversed(lifecycle.services(settings, ("airflow", "api", "live", "supervisor"))):
            service.stop()


@pytest.fixture(scope="session")
def airflow_disk(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Resize | None]:
    """Return a function that leaves so many bytes free, or with None all. None without the right to mount."""
    folder, kept = settings.state_dir / "airflow", tmp_path_factory.mktemp("airflow") / "kept"
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES}", "tmpfs", str(folder)]
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(folder, kept)
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        yield None
        return
    shutil.copytree(kept, folder, dirs_exist_ok=True)

    def resize(free_bytes: int | None) -> None:
        size = SIZE_BYTES if free_bytes is None else shutil.disk_usage(folder).used + free_bytes
        subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)

    yield resize
    lifecycle.down(settings)
    _unmount(folder)


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="session")
def stack(settings: Settings, airflow_disk: Resize | None) -> airflow.Login:
    """Start everything; return where Airflow's API is and who may enter."""
    assert airflow_disk is None or callable(airflow_disk)
    lifecycle.up(settings)
    return airflow.login(settings)
