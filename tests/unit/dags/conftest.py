"""The DAGs, imported as Airflow does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from segue.settings import PROJECT_DIR


@pytest.fixture(scope="package")
def dags(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Give every DAG by its id."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
        patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        patch.setenv("AIRFLOW__CORE__UNIT_TEST_MODE", "False")
        patch.syspath_prepend(str(PROJECT_DIR / "plugins"))
        from airflow.dag_processing.dagbag import DagBag

        found: dict[str, Any] = {}
        for file in sorted((PROJECT_DIR / "dags").glob("*.py")):
            bag = DagBag(file)
            assert bag.import_errors == {}
            found |= bag.dags
        yield found
