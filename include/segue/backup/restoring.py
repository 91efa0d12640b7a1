"""Restore a backup into an empty state folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from segue import private
from segue.backup import documents
from segue.backup.making import DOCUMENTS, FILES, LAKE, MODELS, SECRETS
from segue.backup.manifest import Manifest
from segue.connections import kafka as kafka_clients
from segue.connections import mongo, offsets
from segue.connections.topics import create_topics
from segue.errors import BackupError
from segue.listens import rebuilding
from segue.listens.follower import GROUP
from segue.listens.losses import Followed
from segue.settings import Settings
from segue.stack import lifecycle

MARK: Final = "restoring"
"""A file in the state folder while a restoration is not complete."""
SPARED: Final = frozenset({"music", MARK})

Say = Callable[[str], None]


def restore(settings: Settings, folder: Path, say: Say = lambda _: None) -> Manifest:
    """Restore a backup, and send its listens to Kafka. Kafka and the document server run afterwards.

    If it is interrupted, the same call completes it.

    Parameters
    ----------
    settings : Settings
        The corpus may have another name and another home than that of the backup.
    folder : Path
        A backup.
    say : callable, optional
        Called with a sentence about each step.

    Raises
    ------
    BackupError
        If the folder holds no backup, if this corpus has a state already, or if its settings name servers or a
        store of your own.
    """
    made = Manifest.read(folder)
    _require_embedded(settings)
    state = settings.state_dir
    mark = state / MARK
    if not mark.exists() and state.exists() and {each.name for each in state.iterdir()} - SPARED:
        raise BackupError(
            f"The corpus {settings.corpus!r} has a state in {state} already. Run `segue down` and `segue clean` "
            "if it may be lost, or name another corpus with SEGUE_CORPUS."
        )
    with private.umask():
        state.mkdir(parents=True, exist_ok=True)
        mark.write_text(f"{folder}\n")
        _copy_files(settings, folder)
    say("Copied lake, models, and the databases of Airflow and MLflow.")
    lifecycle.up(settings, ["kafka", "mongo"], say)
    create_topics(settings)
    with mongo.client(settings.mongo) as client:
        database = client[settings.mongo_database]
        counts = documents.load(folder / DOCUMENTS, database)
        say(f"Wrote {sum(counts.values()):,} documents of {len(counts)} collections.")
        sent = rebuilding.rebuild_topic(settings, database, ())
        config = kafka_clients.config(settings)
        whole = offsets.whole_topic(config, settings.listens_topic)
        Followed(database, settings.listens_topic).note(whole.ends)
    say(f"Sent {sent:,} listens to Kafka.")
    # MongoDB has these listens, and the models have learned them or will at night.
    for group in (GROUP, settings.live_group, settings.retraining_group):
        offsets.commit(config, group, whole)
    mark.unlink()
    return made


def require_whole(settings: Settings) -> None:
    """Refuse to work on a state whose restoration was interrupted.

    Raises
    ------
    BackupError
    """
    mark = settings.state_dir / MARK
    if mark.exists():
        folder = mark.read_text().strip()
        raise BackupError(f"A restoration was interrupted. Run `segue restore {folder}` again to complete it.")


def _require_embedded(settings: Settings) -> None:
    of_your_own = {
        "SEGUE_MONGO_URI": settings.mongo_uri,
        "SEGUE_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "SEGUE_LAKE": "://" in settings.lake_uri,
    }
    if named := [name for name, value in of_your_own.items() if value]:
        raise BackupError(
            f"`segue restore` restores into the embedded services. Unset {' and '.join(named)}, restore, and move "
            "the data with the tools of those servers."
        )


def _copy_files(settings: Settings, folder: Path) -> None:
    state = settings.state_dir
    if (folder / LAKE).exists():
        shutil.copytree(folder / LAKE, Path(settings.lake_uri), dirs_exist_ok=True)
    if (folder / MODELS).exists():
        shutil.copytree(folder / MODELS, state / MODELS, dirs_exist_ok=True)
    for file in (file for file in (*FILES, *SECRETS) if (folder / file).exists()):
        (state / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / file, state / file)
