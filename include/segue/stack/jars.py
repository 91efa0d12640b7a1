"""The JVM jars. ``jars.lock`` pins them with their SHA-256, and the Ivy that pyspark ships fetches them."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.sax.saxutils import quoteattr

from segue import locks
from segue.connections import object_store
from segue.errors import StackError
from segue.settings import Settings
from segue.stack import prerequisites

HERE = Path(__file__).parent
FOLDERS = ("kafka", "spark")
OBJECT_STORE = "s3"
"""Folder of the jars by which Spark reaches S3, 690 MB. It is fetched only if a place is in an object store."""


@dataclass(frozen=True)
class Jar:
    """A line of ``jars.lock``: the folder, the Maven coordinates and the SHA-256 of a jar."""

    folder: str
    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Name of the file, without folder."""
        return f"{self.artifact}-{self.version}.jar"


@cache
def pinned() -> tuple[Jar, ...]:
    """Read ``jars.lock``.

    Returns
    -------
    tuple of Jar
        The broker's jars, and those that Spark needs in addition to pyspark's.
    """
    lines = (HERE / "jars.lock").read_text().splitlines()
    return tuple(Jar(*re.split("[ :]", line)) for line in lines if not line.startswith("#"))


def paths(settings: Settings, folder: str) -> list[Path]:
    """Return the paths of the jars of `folder`, even if they are not fetched yet."""
    return [settings.jars_dir / folder / jar.file_name for jar in pinned() if jar.folder == folder]


def missing(settings: Settings) -> list[str]:
    """Return the folders that these settings need and that differ from ``jars.lock``."""
    return [folder for folder in needed(settings) if not _complete(settings, folder)]


def needed(settings: Settings) -> tuple[str, ...]:
    """Return the folders that these settings need."""
    return (*FOLDERS, OBJECT_STORE) if object_store.is_used(settings) else FOLDERS


def fetch(settings: Settings) -> list[str]:
    """Fetch the jars that these settings need into ``<jars_dir>``, where they differ from ``jars.lock``.

    A complete folder is left alone. Otherwise it is replaced as a whole.

    Returns
    -------
    list of str
        The folders that were fetched.

    Raises
    ------
    StackError
        If a jar cannot be fetched or has another SHA-256.
    PrerequisiteError
        If Java is missing.
    """
    if not missing(settings):
        return []
    prerequisites.check_java()
    with locks.exclusive(settings.jars_dir / ".lock"):
        fetched = missing(settings)  # another process may have fetched them meanwhile
        for folder in fetched:
            _fetch(settings, folder)
    return fetched


def spark_home() -> Path:
    """Return the folder of pyspark without importing it, which is slow."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise StackError("pyspark is not installed in this Python environment. Run `make setup`.")
    return Path(spec.origin).parent


def _complete(settings: Settings, folder: str) -> bool:
    there = {path.name for path in (settings.jars_dir / folder).glob("*.jar")}
    return there == {path.name for path in paths(settings, folder)}


def _fetch(settings: Settings, folder: str) -> None:
    jars = [jar for jar in pinned() if jar.folder == folder]
    arriving, final = settings.jars_dir / f".{folder}", settings.jars_dir / folder
    shutil.rmtree(arriving, ignore_errors=True)
    _run_ivy(jars, arriving, log=settings.jars_dir / f"{folder}.log")
    for jar in jars:
        sha256 = hashlib.sha256((arriving / jar.file_name).read_bytes()).hexdigest()
        if sha256 != jar.sha256:
            raise StackError(
                f"{jar.file_name} has the SHA-256 {sha256} instead of the pinned {jar.sha256}. "
                f"Remove {_ivy_cache()} and try again. If this repeats, do not trust the source."
            )
    shutil.rmtree(final, ignore_errors=True)
    arriving.rename(final)


def _run_ivy(jars: list[Jar], target: Path, log: Path) -> None:
    """Retrieve `jars` into `target`. Ivy itself checks the repository's SHA-1."""
    ivy_file = log.with_suffix(".xml")
    ivy_file.write_text(_ivy_module(jars))
    ivy_jar = next((spark_home() / "jars").glob("ivy-*.jar"))
    command: list[str | Path] = [prerequisites.java(), "-Djava.net.useSystemProxies=true", "-jar", ivy_jar]
    command += ["-settings", HERE / "ivysettings.xml", "-ivy", ivy_file, "-cache", _ivy_cache()]
    command += ["-retrieve", f"{target}/[artifact]-[revision].[ext]"]
    with log.open("w") as output:
        answer = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    if answer.returncode != 0:
        raise StackError(
            f"Cannot fetch the {len(jars)} jars of {jars[0].folder} from Maven Central: is this machine online? "
            f"Behind a proxy set JAVA_TOOL_OPTIONS='-Dhttps.proxyHost=… -Dhttps.proxyPort=…'. Ivy's answer: {log}."
        )


def _ivy_module(jars: list[Jar]) -> str:
    """Return the module descriptor that requests exactly `jars`."""
    dependencies = "".join(
        f"<dependency org={quoteattr(jar.group)} name={quoteattr(jar.artifact)} rev={quoteattr(jar.version)}"
        ' transitive="false"/>'
        for jar in jars
    )
    info = '<info organisation="segue" module="jars"/>'
    return f'<ivy-module version="2.0">{info}<dependencies>{dependencies}</dependencies></ivy-module>'


def _ivy_cache() -> Path:
    """Return Ivy's cache. The shared ~/.ivy2 is not used: its other users expect modules with dependencies."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "segue" / "ivy"
