"""Find what the machine lacks, services that let Segue not in, and files that were cut short. Repair what can be.

A file is cut short by a full disk or a loss of power. A repair deletes nothing: it moves damaged files into the
folder ``damaged`` of the state folder.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlparse

from segue import locks
from segue.connections import delta_log, hadoop_checksums, mlflow_store, sqlite_files
from segue.connections.model_version import Version
from segue.connections.registry import Registry
from segue.errors import ModelError, StackError
from segue.genres.release import MODEL_NAME
from segue.recommender.model import NAME, Recommender
from segue.settings import Settings
from segue.stack import executors_check, machine, processes, secrets, services_check
from segue.stack.finding import Finding
from segue.stack.lifecycle import BUSY


def examine(settings: Settings) -> Iterator[Finding]:
    """Look for what keeps Segue from working, and for damaged files.

    Each finding may be repaired before the next one is asked for.

    Parameters
    ----------
    settings : Settings
        They choose the corpus. Lakes and registries that are not on this machine are not examined.

    Yields
    ------
    Finding
    """
    yield from machine.examine(settings)
    yield from services_check.examine(settings)
    yield from executors_check.examine(settings)
    yield from _small_files(settings)
    yield from _databases(settings)
    yield from _commits(settings)
    yield from _champions(settings)


def repair(settings: Settings, say: Callable[[str], None]) -> bool:
    """Repair what can be repaired.

    Parameters
    ----------
    settings : Settings
    say : callable
        Called with the sentence of each finding, and of each repair.

    Returns
    -------
    bool
        Whether everything is whole now.

    Raises
    ------
    StackError
        If the stack runs, because its services may have the files open.
    """
    whole = True
    with locks.exclusive(settings.home / ".lock", busy=BUSY.format(home=settings.home)):
        if processes.of(settings.state_dir):
            raise StackError("The stack is running. Stop it with `segue down`, then repair it.")
        for finding in examine(settings):
            say(finding.sentence)
            if finding.repair:
                say(f"Repaired: {finding.repair()}")
            else:
                whole = False
    return whole


def _small_files(settings: Settings) -> Iterator[Finding]:
    after = {
        "settings.json": "`segue up` writes it again.",
        "imports.json": "Imports start from their first line. Listens that were sent before count once.",
    }
    for name, then in after.items():
        file = settings.state_dir / name
        if file.exists() and not _is_json(file):
            yield Finding(f"{file} is damaged.", partial(_move_away, settings, [file], then))
    if (settings.state_dir / "airflow" / "secrets.json").exists():
        try:
            secrets.load(settings)
        except StackError as error:
            yield Finding(str(error))


def _is_json(file: Path) -> bool:
    try:
        return isinstance(json.loads(file.read_bytes()), dict)
    except ValueError:
        return False


def _databases(settings: Settings) -> Iterator[Finding]:
    file = settings.state_dir / "airflow" / "airflow.db"
    if why := _fault(file):
        yield Finding(
            f"Airflow's database {file} is damaged: {why}. Restore it from a backup. Without one, run "
            f"`segue down`, move {file} and {file.with_name('migrated')} away, and run `segue up`. Airflow then "
            "knows no runs, and the DAGs must be unpaused again. Documents, lake and models are not affected."
        )
    file = settings.state_dir / "mlflow" / "tuning.db"
    if why := _fault(file):
        yield Finding(
            f"The database {file} of the searches for a genre model is damaged: {why}.",
            partial(_move_away, settings, sqlite_files.files(file), "The next search starts anew."),
        )
    file = _registry_file(settings)
    if why := _fault(file):
        yield Finding(str(mlflow_store.damaged(file, why)), partial(_restore, settings, file))


def _fault(file: Path) -> str | None:
    return sqlite_files.fault(file) if file.exists() else None


def _registry_file(settings: Settings) -> Path:
    return settings.state_dir / "mlflow" / "mlflow.db"


def _restore(settings: Settings, file: Path) -> str:
    copy = sqlite_files.copy_of(file)
    if not copy.exists() or sqlite_files.fault(copy):
        return _move_away(
            settings, sqlite_files.files(file), "There is no whole copy, so run the DAGs, which train new models."
        )
    said = _move_away(settings, sqlite_files.files(file), f"Its copy {copy.name} takes its place.")
    shutil.copyfile(copy, file)
    return said


def _commits(settings: Settings) -> Iterator[Finding]:
    seen: set[delta_log.DamagedCommit] = set()
    # A commit that is moved away makes the one before it the newest, which may be damaged, too.
    while new := [each for each in delta_log.damaged(settings.lake_uri) if each not in seen]:
        for commit in new:
            seen.add(commit)
            then = f"Run the DAG `{commit.dag}`: it writes the rows of this commit again."
            mend = partial(_move_away, settings, commit.files, then) if commit.is_newest else None
            yield Finding(str(commit), mend)


def _champions(settings: Settings) -> Iterator[Finding]:
    file = _registry_file(settings)
    if settings.mlflow_tracking_uri or not file.exists() or sqlite_files.fault(file):
        return
    known = Registry(settings)
    for name, fault, dag in ((NAME, _recommender_fault, "recommender"), (MODEL_NAME, _genre_fault, "genre_model")):
        champion = known.champion(name)
        why = fault(champion) if champion else None
        if champion is None or why is None:
            continue
        steps = _steps_to_a_whole_one(known, champion, fault)
        yield Finding(
            f"The champion {champion} is damaged: {why}",
            partial(_roll_back, known, champion, steps, dag) if steps else None,
        )


def _steps_to_a_whole_one(known: Registry, champion: Version, fault: Callable[[Version], str | None]) -> int:
    """Return how many rollbacks lead to a whole version; 0 if none does."""
    seen = [champion.number]
    while (before := known.replaced(champion)) and before.number not in seen:
        if not fault(before):
            return len(seen)
        seen.append(before.number)
        champion = before
    return 0


def _recommender_fault(version: Version) -> str | None:
    try:
        Recommender.load(version.folder())
    except ModelError as error:
        return str(error)
    return None


def _genre_fault(version: Version) -> str | None:
    folder = Path(unquote(urlparse(version.location).path))
    damaged = [str(file.relative_to(folder)) for file in sorted(folder.rglob("*")) if not _is_intact(file)]
    if damaged or not (folder / "metadata").is_dir():
        return f"{', '.join(damaged) or 'metadata'} in {folder}. Train a new one with the DAG `genre_model`."
    return None


def _is_intact(file: Path) -> bool:
    return not file.is_file() or hadoop_checksums.match(file)


def _roll_back(known: Registry, champion: Version, steps: int, dag: str) -> str:
    for _ in range(steps):
        version = known.rollback(champion.name)
    return f"{version} is the champion again, in place of {champion}. The DAG `{dag}` trains a new one."


def _move_away(settings: Settings, files: list[Path], then: str) -> str:
    """Move files into a new folder of the state folder."""
    folder = settings.state_dir / "damaged" / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    folder.mkdir(parents=True)
    for file in files:
        shutil.move(file, folder / file.name)  # the lake may be on another disk
    return f"moved {', '.join(file.name for file in files)} to {folder}. {then}"
