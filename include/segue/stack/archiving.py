"""Make the archive of Spark's classes (see :mod:`segue.stack.class_archive`)."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from segue import locks
from segue.errors import StackError
from segue.settings import Settings
from segue.stack import class_archive, prerequisites, spark_conf


def is_usable(settings: Settings) -> bool:
    """Return whether Java accepts the archive for this class path."""
    archive = class_archive.path(settings)
    options = f"-XX:SharedArchiveFile={archive}", "-cp", class_archive.class_path(settings)
    return archive.exists() and _java_shares_classes(*options)


def can_be_made() -> bool:
    """Return whether Java has an archive of its own classes, on which Spark's is built. Small builds lack it."""
    return _java_shares_classes()


def make(settings: Settings, say: Callable[[str], None] = lambda _: None) -> None:
    """Write the archive, if the driver of these settings can use one and has none. It has 200 MB.

    Parameters
    ----------
    settings : Settings
        Its jars must be there.
    say : callable, optional
        Called with a sentence before the work, which takes about a minute.

    Raises
    ------
    StackError
        If Spark fails.
    """
    if not class_archive.can_be_used(settings):
        return
    with locks.exclusive(settings.jars_dir / ".lock"), TemporaryDirectory(dir=settings.jars_dir) as folder:
        if is_usable(settings) or not can_be_made():
            return
        say("Making an archive of Spark's classes, once for this Java. This takes about a minute.")
        class_archive.path(settings).unlink(
            missing_ok=True
        )  # Java refuses to use one archive and to write another
        made = Path(folder) / "spark.jsa"
        java_options = shlex.join((f"-XX:ArchiveClassesAtExit={made}", *class_archive.QUIET))
        own = settings.model_copy(
            update={
                "home": Path(folder),
                "jars": settings.jars_dir,
                "spark_properties": f"spark.driver.extraClassPath={class_archive.class_path(settings)};"
                f"spark.driver.extraJavaOptions={java_options}",
            }
        )
        spark_conf.write(own)
        answer = subprocess.run(
            [sys.executable, "-m", "segue.stack.archived_session", folder],
            env=os.environ | spark_conf.environment(own),
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode or not made.exists():
            output = f"{answer.stdout}{answer.stderr}".strip()
            raise StackError(f"Cannot make the archive of Spark's classes. The last output:\n{output[-2_000:]}")
        made.replace(class_archive.path(settings))


def _java_shares_classes(*options: str) -> bool:
    """Return whether Java starts with an archive; without options, with its own."""
    command = [prerequisites.java(), "-Xshare:on", *options, "-version"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
