"""Make the modules of benchmarks/ importable, behind everything else."""

from __future__ import annotations

import sys

from segue.settings import PROJECT_DIR

sys.path.append(str(PROJECT_DIR / "benchmarks"))
