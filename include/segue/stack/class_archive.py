"""An archive of Spark's classes as the JVM keeps them in memory. With it, a short job takes less CPU time.

Java calls this application class-data sharing (https://openjdk.org/jeps/310, and https://openjdk.org/jeps/350 for
archives that a JVM writes when it ends). An archive fits one build of Java and one class path. If one of them
changes, Java ignores the archive until :mod:`segue.stack.archiving` has replaced it.
"""

from __future__ import annotations

from pathlib import Path

from segue.connections import object_store
from segue.settings import Settings
from segue.stack import jars

QUIET = ("-Xlog:cds=off", "-Xlog:cds+dynamic=off")
"""Java prints a warning if the archive does not fit any more, and hundreds of them when it writes one."""


def path(settings: Settings) -> Path:
    """Return the file of the archive, which may not exist."""
    return settings.jars_dir / "spark.jsa"


def can_be_used(settings: Settings) -> bool:
    """Return whether the driver runs the tasks itself, with the jars of this machine only."""
    return settings.is_local and not object_store.is_used(settings)


def properties(settings: Settings) -> dict[str, str]:
    """Return the property by which Spark finds the jars: a class path that fits the archive, if there is one."""
    if _is_used(settings):
        return {"spark.driver.extraClassPath": class_path(settings)}
    return {"spark.jars": ",".join(map(str, jars.paths(settings, "spark")))}


def options(settings: Settings) -> tuple[str, ...]:
    """Return the options by which the driver's JVM uses the archive, if there is one."""
    if _is_used(settings):
        return f"-XX:SharedArchiveFile={path(settings)}", *QUIET
    return ()


def class_path(settings: Settings) -> str:
    """Return the class path of an archive: Segue's jars, and those of pyspark.

    Spark itself adds its configuration folder, and pyspark's jars once more. Only the beginning of the class path
    must be that of the archive, and there Java accepts no folder that has files.
    """
    return ":".join(map(str, [*jars.paths(settings, "spark"), jars.spark_home() / "jars" / "*"]))


def _is_used(settings: Settings) -> bool:
    return can_be_used(settings) and path(settings).exists()
