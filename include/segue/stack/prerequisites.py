"""What the machine must bring along."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from segue.errors import PrerequisiteError

JAVA_MINIMUM = 17
INSTALL_JAVA = (
    "Install it with `sudo apt-get install openjdk-17-jre-headless` (Debian, Ubuntu) or `brew install openjdk@17` "
    "(macOS), or point JAVA_HOME at it."
)


def java() -> Path:
    """Find a Java that is new enough for Spark and Kafka.

    Returns
    -------
    Path
        ``$JAVA_HOME/bin/java`` where JAVA_HOME is set, else the first ``java`` on PATH, as Spark does.

    Raises
    ------
    PrerequisiteError
        If there is none, or it is older than Java 17.
    """
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin") if home else None)
    if found is None:
        where = f"in JAVA_HOME={home}" if home else "on PATH"
        raise PrerequisiteError(f"Segue needs Java {JAVA_MINIMUM} or newer and finds none {where}. {INSTALL_JAVA}")
    version = _major_version(Path(found))
    if version is None or version < JAVA_MINIMUM:
        told = f"is Java {version}" if version else "does not tell its version"
        raise PrerequisiteError(f"Segue needs Java {JAVA_MINIMUM} or newer, and {found} {told}. {INSTALL_JAVA}")
    return Path(found)


def _major_version(binary: Path) -> int | None:
    """Read the feature release out of ``java -version``; 8 says ``1.8``, 17 says ``17.0.1``."""
    answer = subprocess.run([binary, "-version"], capture_output=True, text=True, check=False)
    match = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    return int(match[1]) if match else None
