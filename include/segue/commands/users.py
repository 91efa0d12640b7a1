"""``segue users``: who may submit listens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from segue.serving.accounts import Accounts

app = typer.Typer(no_args_is_help=True, help="Accounts of the listens API: add, list, rotate, revoke, forget.")

Name = Annotated[str, typer.Argument(help="The user's name.")]


@contextmanager
def _accounts() -> Iterator[Accounts]:
    from segue.summaries import database

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
    table = Table("user", "since", "token")
    with _accounts() as accounts:
        for account in accounts.all():
            table.add_row(
                account.user_name, f"{account.created_at:%Y-%m-%d %H:%M}", "valid" if account.active else "revoked"
            )
    Console().print(table)


@app.command()
def rotate(name: Name) -> None:
    """Print a new token; the old one is refused from now on."""
    with _accounts() as accounts:
        _show(accounts.rotate(name))


@app.command()
def revoke(name: Name) -> None:
    """Take the token away; the listens stay."""
    with _accounts() as accounts:
        accounts.revoke(name)
    typer.echo(f"The token of {name} is refused from now on.")
