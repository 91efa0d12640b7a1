"""``segue users``: manage the accounts of the listens API."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from segue.api.accounts import Accounts
from segue.console import PlainConsole
from segue.errors import SegueError, ServiceUnavailableError
from segue.listens.lake_table import TABLE, ListensTable
from segue.listens.removals import user_key
from segue.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Manage the accounts of the listens API.")

Name = Annotated[str, typer.Argument(help="The user's name.")]


@contextmanager
def _accounts() -> Iterator[Accounts]:
    from segue.connections.mongo import database

    with database() as opened:
        yield Accounts(opened)


def _show(token: str) -> None:
    typer.echo(token)
    typer.echo("The token is shown only once: copy it to the player now.", err=True)


@app.command()
def add(name: Name) -> None:
    """Create an account and print its token. The token cannot be shown again."""
    with _accounts() as accounts:
        _show(accounts.add(name))


@app.command()
def link(name: Name) -> None:
    """Print a link to a user's page that signs a browser in. It works once, within 10 minutes."""
    from segue.api.sessions import page_address
    from segue.connections.mongo import database
    from segue.settings import get_settings

    with database() as opened:
        typer.echo(page_address(opened, get_settings(), name))


@app.command("list")
def list_() -> None:
    """List the accounts."""
    table = Table("user", "since", "token", "listens readable")
    with _accounts() as accounts:
        for account in accounts.all():
            table.add_row(
                account.user_name,
                f"{account.created_at:%Y-%m-%d %H:%M}",
                "valid" if account.active else "revoked",
                "by everybody" if account.public else "by the user",
            )
    PlainConsole().print(table)


@app.command()
def public(name: Name) -> None:
    """Make the listens, statistics and feedback of a user readable without a token.

    Some players send no token when they read. Everybody who can reach the API can then read the data.
    """
    with _accounts() as accounts:
        accounts.set_public(name, True)
    typer.echo(
        f"Everybody can read the listens, statistics and feedback of {name}. `segue users private` undoes this."
    )


@app.command()
def private(name: Name) -> None:
    """Make the listens of a user readable with the user's token only. This is the default."""
    with _accounts() as accounts:
        accounts.set_public(name, False)
    typer.echo(f"The listens, statistics and feedback of {name} can be read with the user's token only.")


@app.command()
def rotate(name: Name) -> None:
    """Replace the token of a user and print the new one. The old token becomes invalid."""
    with _accounts() as accounts:
        _show(accounts.rotate(name))


@app.command()
def md5(
    name: Name,
    forbid: Annotated[
        bool, typer.Option("--forbid/--allow", help="Forbid it again, and end the sessions that were opened so.")
    ] = False,
) -> None:
    """Let old players sign in with the MD5 of the token. The command asks for the token.

    Players with version 1.2 of Last.fm's protocol, and some with version 2.0, send an MD5 of the password instead
    of the password. Segue must then store the MD5 of the token. Anybody who can read the database can sign in with
    it.
    """
    from segue.api.sessions import Sessions
    from segue.connections.mongo import database

    with database() as opened:
        if forbid:
            Sessions(opened).forbid_md5(name)
        else:
            Sessions(opened).allow_md5(name, typer.prompt("Token", hide_input=True, err=True))
    typer.echo(f"{name} {'can no longer' if forbid else 'can now'} sign in with the MD5 of the token.")


@app.command()
def forget(
    name: Annotated[str | None, typer.Argument(help="The user's name.")] = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Delete all simulated listeners, in place of one user.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete a user with all listens from the database, the lake and the notes of imports on this machine.

    Kafka keeps its messages until their retention ends, but Segue ignores them. The DAG `listens` deletes the old
    files of the lake seven days later. A model that has learned from the listens is replaced by the next training.
    """
    from segue.api.forgetting import forget_in_database, simulated_listeners
    from segue.api.mirror import Mirror
    from segue.connections.mongo import database
    from segue.listens.importing import Progress
    from segue.settings import get_settings

    if simulated == (name is not None):
        raise typer.BadParameter("give either a name or --simulated")
    settings = get_settings()
    with database() as opened:
        names = simulated_listeners(opened) if name is None else [name]
        if not names:
            raise SegueError("There are no simulated listeners.")
        whom = name or f"{len(names):,} simulated listeners"
        if not yes:
            typer.confirm(f"Delete {whom} and all their listens?", abort=True)
        gone = forget_in_database(opened, *names)
        try:
            Mirror(settings, opened).sync()
        except ServiceUnavailableError:
            typer.echo("Kafka does not answer. The API deletes the mirrored account as soon as it does.", err=True)
    for each in names:
        Progress(settings.state_dir / "imports.json").forget(each)
    gone["listens in the lake"] = _forget_in_lake(settings, names)
    if not sum(gone.values()):
        raise SegueError(f"There is no user {name!r}, and nothing of this name to delete.")
    typer.echo("Deleted: " + ", ".join(f"{count:,} {what}" for what, count in gone.items()) + ".")


def _forget_in_lake(settings: Settings, names: Sequence[str]) -> int:
    """Delete the rows of users now, instead of with the next run of the DAG `listens`."""
    if "://" not in settings.lake_uri and not (Path(settings.lake_uri) / TABLE).exists():
        return 0
    from segue.connections import spark
    from segue.stack import spark_conf

    os.environ.update(spark_conf.environment(settings))
    with spark.job("forget") as session:
        table, now = ListensTable(session, settings.lake_uri), time.time()
        keys = session.createDataFrame([(user_key(name), now) for name in names], "key string, removed_at double")
        return table.remove(keys)


@app.command()
def revoke(name: Name) -> None:
    """Delete the token of a user. The listens stay."""
    with _accounts() as accounts:
        accounts.revoke(name)
    typer.echo(f"The token of {name} is no longer valid.")
