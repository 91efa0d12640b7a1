"""``segue rejects``: list the rejected files of the corpus, with reason and remedy."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table

from segue.console import PlainConsole
from segue.settings import get_settings


def rejects(
    reason: Annotated[
        str | None, typer.Option(help="Only files with this reason code, such as TRUNCATED.")
    ] = None,
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only files that entered the corpus on this day.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a file.")] = False,
) -> None:
    """List the rejected files, each with its path, its reason, what is wrong with it, and what to do."""
    from segue.corpus import rejected

    only = day.date() if day else None
    files = rejected.find(get_settings().lake_uri, reason=reason, first=only, last=only)
    if as_json:
        for file in files:
            typer.echo(json.dumps(file.document(), ensure_ascii=False))
        return
    if not files:
        typer.echo("No file was rejected." if reason is None and day is None else "No such file was rejected.")
        return
    console = PlainConsole()
    # Paths are printed whole, one a line, so that they can be copied, whatever the width of the terminal.
    for file in files:
        console.print(f"{file.day}  {file.reason:<17}  {file.path}", soft_wrap=True)
        console.print(f"    {file.message}", soft_wrap=True)
    table = Table("reason", "files", "what to do")
    for code, number in rejected.by_reason(files).items():
        table.add_row(code, f"{number:,}", rejected.remedy(code))
    console.print(table)
