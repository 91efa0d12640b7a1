"""``segue users``: who may submit listens."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from segue.api.accounts import Accounts
from segue.listens.lake_table import TABLE, ListensTable
from segue.listens.removals import user_key
from segue.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Accounts of the listens API.")

Name = Annotated[str, typer.Argument(help="The user's name.")]


@contextmanager
def _accounts() -> Iterator[Accounts]:
    from segue.connections.mongo import database

    with database() as opened:
        yield Accounts(opened)


def _show(token: str) -> None:
    typer.echo(token)
    typer.echo("This is the only time that the token is shown: give it to the player now.", err=True)


@app.command()
def add(name: Name) -> None:
    """Make an account and print its token, once."""
    with _accounts() as accounts:
        _show(accounts.add(name))


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
    Console().print(table)


@app.command()
def public(name: Name) -> None:
    """Let everybody who reaches the API read the user's listens, counts and loves, without a token.

    Some players read them without one.
    """
    with _accounts() as accounts:
        accounts.set_public(name, True)
    typer.echo(f"Everybody can read the listens, counts and loves of {name}. `segue users private` ends it.")


@app.command()
def private(name: Name) -> None:
    """Let only the user's token read the user's listens; this is the default."""
    with _accounts() as accounts:
        accounts.set_public(name, False)
    typer.echo(f"Only the token of {name} can read their listens, counts and loves.")


@app.command()
def rotate(name: Name) -> None:
    """Print a new token; the old one is refused from now on."""
    with _accounts() as accounts:
        _show(accounts.rotate(name))


@app.command()
def md5(
    name: Name,
    forbid: Annotated[bool, typer.Option("--forbid", help="Forbid it again, and end those sessions.")] = False,
) -> None:
    """Let old players sign in by the MD5 of the token, which is asked for.

    Version 1.2 of Last.fm's protocol, and some players of version 2.0, send no password but an MD5 of it. Segue
    must then keep the MD5 of the token: whoever reads the database can sign in with it to these protocols.
    """
    from segue.api.sessions import Sessions
    from segue.connections.mongo import database

    with database() as opened:
        if forbid:
            Sessions(opened).forbid_md5(name)
        else:
            Sessions(opened).allow_md5(name, typer.prompt("Token", hide_input=True, err=True))
    typer.echo(f"{name} {'no longer signs' if forbid else 'can sign'} in by MD5.")


@app.command()
def forget(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a user and everything they have played: here, in the API's database and in the lake.

    What Kafka holds stays until its retention ends, and is ignored by what reads it here. The DAG
    `listens` deletes the lake's old files for good, seven days later.
    """
    from segue.api.forgetting import forget_in_database
    from segue.connections.mongo import database
    from segue.listens.importing import Progress
    from segue.settings import get_settings

    if not yes:
        typer.confirm(f"Remove {name} and all their listens?", abort=True)
    settings = get_settings()
    with database() as opened:
        gone = forget_in_database(opened, name)
    Progress(settings.state_dir / "imports.json").forget(name)
    gone["listens in the lake"] = _forget_in_lake(settings, name)
    typer.echo("Removed: " + ", ".join(f"{count:,} {what}" for what, count in gone.items()) + ".")


def _forget_in_lake(settings: Settings, name: str) -> int:
    """Remove a user's rows now, rather than at the next run of the DAG `listens`."""
    if "://" not in settings.lake_uri and not (Path(settings.lake_uri) / TABLE).exists():
        return 0
    from segue.connections import spark
    from segue.stack import spark_conf

    os.environ.update(spark_conf.environment(settings))
    with spark.job("forget") as session:
        table = ListensTable(session, settings.lake_uri)
        keys = session.createDataFrame([(user_key(name), time.time())], "key string, removed_at double")
        return table.remove(keys)


@app.command()
def revoke(name: Name) -> None:
    """Take the token away; the listens stay."""
    with _accounts() as accounts:
        accounts.revoke(name)
    typer.echo(f"The token of {name} is refused from now on.")
