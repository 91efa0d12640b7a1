"""``segue service``: start the stack at boot, by systemd."""

from __future__ import annotations

from typing import Annotated

import typer

from segue.errors import StackError

app = typer.Typer(no_args_is_help=True, help="Start the stack at boot, by a unit of systemd.")

User = Annotated[
    bool, typer.Option("--user/--system", help="Your own systemd, or that of the machine, which needs root.")
]


@app.command()
def install(user: User = True) -> None:
    """Write the unit, and print the commands that start it.

    The services get the SEGUE_ variables of this shell. Run the command again after you have changed them.
    """
    from segue.stack.unit import Unit

    unit = Unit(of_user=user)
    commands = unit.install()
    typer.echo(f"Wrote {unit.file}. Start it now and at every boot:")
    for command in commands:
        typer.echo(f"  {command}")


@app.command()
def show(user: User = True) -> None:
    """Print the unit that `install` would write."""
    from segue.stack.unit import Unit

    typer.echo(Unit(of_user=user).text)


@app.command()
def remove(user: User = True) -> None:
    """Delete the unit. If it is active, stop it first, with `systemctl --user disable --now segue`."""
    from segue.stack.unit import Unit

    unit = Unit(of_user=user)
    if not unit.remove():
        raise StackError(f"There is no {unit.file}.")
    typer.echo(f"Removed {unit.file}.")
