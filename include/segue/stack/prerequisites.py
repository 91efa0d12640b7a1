"""Check what must be installed on the machine."""

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


def java() -> str:
    """Return the path of Java, which may not exist. Like Spark, prefer JAVA_HOME to PATH."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / "java") if home else shutil.which("java") or "java"


def check_java() -> None:
    """Check that Java is installed, and new enough for Spark and Kafka.

    Raises
    ------
    PrerequisiteError
        If Java is missing or older than 17.
    """
    program = java()
    if shutil.which(program) is None:
        place = f"JAVA_HOME={os.environ['JAVA_HOME']}" if os.environ.get("JAVA_HOME") else "PATH"
        raise PrerequisiteError(f"Segue needs Java {JAVA_MINIMUM} or newer, and {place} has none. {INSTALL_JAVA}")
    version = _major_version(program)
    if version is None or version < JAVA_MINIMUM:
        found = f"is Java {version}" if version else "does not state its version"
        raise PrerequisiteError(f"Segue needs Java {JAVA_MINIMUM} or newer, and {program} {found}. {INSTALL_JAVA}")


def _major_version(program: str) -> int | None:
    """Parse the feature release from ``java -version``: 8 prints ``1.8``, 17 prints ``17.0.1``."""
    answer = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    match = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    return int(match[1]) if match else None
