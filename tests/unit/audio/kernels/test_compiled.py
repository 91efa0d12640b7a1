from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import segue.audio
from segue.audio.kernels.compiled import one_process

TYPES = ("float32", "float64", "int16", "int32", "int64", "uint8")
PROGRAM = """
import sys
import numpy as np
import segue.audio

sys.path.insert(0, sys.argv[1])
from total import total

for name in sys.argv[2:]:
    assert total(np.array([1, 2, 3], dtype=name)) == 6, name
print(sum(total.stats.cache_hits.values()))
"""


def test_processes_that_compile_at_once_leave_a_cache_that_is_right(tmp_path: Path) -> None:
    (tmp_path / "total.py").write_text(
        "from segue.audio.kernels.compiled import compiled\n"
        "@compiled\n"
        "def total(values):\n"
        "    result = 0.0\n"
        "    for value in values:\n"
        "        result += value\n"
        "    return result\n"
    )

    def start(types: tuple[str, ...]) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROGRAM, str(tmp_path), *types]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    writers = [start(TYPES[i:] + TYPES[:i]) for i in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    reader = start(TYPES)
    hits, _ = reader.communicate()
    assert reader.returncode == 0
    assert int(hits) == len(TYPES)


def waits_for_a_lock(pid: int) -> bool:
    """Tell whether a process is blocked in `flock`. Linux lists it as ``1: -> FLOCK  ADVISORY  WRITE 4711``."""
    return re.search(rf"-> FLOCK +ADVISORY +WRITE {pid} ", Path("/proc/locks").read_text()) is not None


def test_librosa_is_imported_by_one_process_at_a_time() -> None:
    """Of two that compiled its wrappers at once, one ended with SIGSEGV, and so did all that used their cache."""
    command = [sys.executable, "-c", "import segue.audio.reference"]
    with one_process():
        importing = subprocess.Popen(command)
        while not waits_for_a_lock(importing.pid):
            assert importing.poll() is None
            time.sleep(0.05)
    assert importing.wait() == 0


def test_a_change_of_another_module_of_the_package_compiles_anew(tmp_path: Path) -> None:
    package = tmp_path / "segue" / "audio"
    shutil.copytree(Path(segue.audio.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "segue" / "__init__.py").touch()
    shared, user = package / "shared.py", package / "user.py"
    shared.write_text(
        "from segue.audio.kernels.compiled import inlined\n@inlined\ndef number() -> int:\n    return 1\n"
    )
    user.write_text(
        "from segue.audio.kernels.compiled import compiled\n"
        "from segue.audio.shared import number\n"
        "@compiled\ndef answer() -> int:\n    return number()\n"
    )

    def answer() -> str:
        program = [sys.executable, "-c", "from segue.audio.user import answer; print(answer())"]
        environment = os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(program, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    assert answer() == "1"
    shared.write_text(shared.read_text().replace("return 1", "return 25"))
    assert answer() == "25"
