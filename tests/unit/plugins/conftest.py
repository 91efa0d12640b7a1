"""Lets the tests import the plugins as Airflow does: by their names, from their folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from segue.settings import PROJECT_DIR


@pytest.fixture(scope="package", autouse=True)
def plugins_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Put the folder of the plugins on the path; Airflow has a home of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
        patch.syspath_prepend(str(PROJECT_DIR / "plugins"))
        yield
