"""``segue rebuild``: write a store again from the others."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import typer

from segue.listens.events import Listen
from segue.settings import Settings, get_settings

app = typer.Typer(
    no_args_is_help=True,
    help="Write a store again from the others, after it was lost or damaged. `segue status` says what is missing. "
    "The stack must run. All commands may be repeated.",
)


@app.command()
def listens() -> None:
    """Store the listens that MongoDB lacks, from Kafka and the lake, and the feedback, from Kafka.

    Deleted listens and forgotten users stay away.
    """
    from segue.api.mirror import Mirror
    from segue.connections.mongo import database
    from segue.listens import rebuilding
    from segue.listens.removals import Removals

    settings = get_settings()
    with database() as opened, _lake(settings) as lake:
        Removals(opened).restore(Mirror(settings, opened).read().removals)
        stored = rebuilding.rebuild_mongodb(settings, opened, lake)
        feedback = rebuilding.rebuild_feedback(settings, opened)
    typer.echo(f"Stored {stored:,} listens in MongoDB that it lacked, and all {feedback:,} entries of feedback.")


@app.command()
def topic() -> None:
    """Send the listens that Kafka lacks, from the lake and MongoDB. Their event ids stay the same.

    Deleted listens and forgotten users stay away.
    """
    from segue.api.mirror import Mirror
    from segue.connections.mongo import database
    from segue.connections.topics import create_topics
    from segue.listens import rebuilding
    from segue.listens.removals import Removals

    settings = get_settings()
    create_topics(settings)
    with database() as opened, _lake(settings) as lake:
        Removals(opened).restore(Mirror(settings, opened).read().removals)
        sent = rebuilding.rebuild_topic(settings, opened, lake)
    typer.echo(f"Sent {sent:,} listens to Kafka that it lacked.")


@app.command()
def accounts() -> None:
    """Restore accounts and removals of MongoDB from their mirror in Kafka.

    Users who were forgotten, and listens that were deleted, are deleted again, as an older backup may have them.
    Players sign in again.
    """
    from segue.api.accounts import Accounts
    from segue.api.forgetting import forget_again
    from segue.api.mirror import Mirror
    from segue.connections.mongo import database

    with database() as opened:
        restored, deleted = Mirror(get_settings(), opened).restore()
        Accounts(opened).create_indexes()
        gone = {"accounts": deleted, **forget_again(opened)}
    counts = ", ".join(f"{count:,} {what}" for what, count in gone.items())
    typer.echo(f"Restored {restored:,} accounts. Deleted what was removed before: {counts}.")


@contextmanager
def _lake(settings: Settings) -> Iterator[Iterable[Listen]]:
    """Open the events of the lake, if it has any."""
    from segue.connections import spark, storage
    from segue.listens.lake_table import TABLE, ListensTable
    from segue.listens.rebuilding import in_lake
    from segue.stack import spark_conf

    if not storage.names(f"{settings.lake_uri}/{TABLE}/_delta_log"):
        yield ()
        return
    os.environ.update(spark_conf.environment(settings))
    with spark.job("rebuild") as session:
        yield in_lake(ListensTable(session, settings.lake_uri))
