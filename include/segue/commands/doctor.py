"""``segue doctor``: find what keeps Segue from working, and repair damaged files."""

from __future__ import annotations

from typing import Annotated

import typer

from segue.console import PlainConsole
from segue.settings import get_settings


def doctor(
    repair: Annotated[
        bool, typer.Option("--repair/--no-repair", help="Repair what can be repaired. The stack must be stopped.")
    ] = False,
) -> None:
    """Look for what keeps Segue from working on this machine, and for damaged files, and say what to do.

    It examines Java, memory, packages, disk, ports, rights and clock. It writes and reads a record in Kafka and
    MongoDB, and opens MLflow, if they run or are elsewhere. A full disk or a loss of power may have cut
    files short, so it also examines settings, secrets, the databases of Airflow and MLflow, the newest commits of
    the lake, and the models that serve. It exits with 1 if something is wrong and was not repaired.
    """
    from segue.stack import doctor

    settings, console = get_settings(), PlainConsole()

    def say(sentence: str) -> None:
        console.print(sentence, soft_wrap=True)

    if repair:
        whole = doctor.repair(settings, say)
    else:
        found = list(doctor.examine(settings))
        for finding in found:
            say(finding.sentence)
        if any(finding.repair for finding in found):
            say("`segue down` and `segue doctor --repair` repair what can be repaired.")
        whole = not found
    if not whole:
        raise typer.Exit(1)
    say("Nothing is wrong with what was examined.")
