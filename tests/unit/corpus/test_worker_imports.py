from __future__ import annotations

import subprocess
import sys

import pytest

MODULES = ("extraction", "recognition", "retagging", "sheets", "rules", "recordings", "flags", "publish")


@pytest.mark.parametrize("module", MODULES)
def test_python_workers_do_without_what_only_the_driver_or_the_isolated_child_needs(module: str) -> None:
    code = (
        f"import sys, segue.corpus.{module};"
        "print([m for m in ('numba', 'av', 'scipy', 'pandas', 'mlflow', 'segue.genres') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize("module", ["steps", "done_ahead"])
def test_tasks_without_spark_import_neither_it_nor_pandas(module: str) -> None:
    code = f"import sys, segue.corpus.{module}; print({{'pyspark', 'pandas', 'matplotlib'}} & sys.modules.keys())"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


def test_an_isolated_child_imports_no_settings() -> None:
    code = (
        "import sys, segue.audio.isolation.child;"
        "print([m for m in ('pydantic', 'upath', 'segue.settings') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
