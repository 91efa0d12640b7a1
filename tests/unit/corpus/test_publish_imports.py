from __future__ import annotations

import os
import subprocess
import sys

from segue.settings import PROJECT_DIR


def test_the_job_that_publishes_knows_neither_the_registry_nor_the_genre_model():
    code = (
        "import sys, publish;"
        "print([m for m in ('mlflow', 'segue.connections.registry', 'segue.genres') if m in sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": str(PROJECT_DIR / "spark_jobs")}
    loaded = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
    assert loaded.strip() == "[]"
