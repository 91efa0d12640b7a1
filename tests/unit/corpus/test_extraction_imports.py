from __future__ import annotations

import subprocess
import sys


def test_driver_and_workers_do_without_what_only_the_isolated_child_needs():
    code = "import sys, segue.corpus.extraction; print([m for m in ('numba', 'av', 'scipy') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
