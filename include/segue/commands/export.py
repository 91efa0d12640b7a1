"""``segue export``: the corpus as a dataset for researchers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segue.console import PlainConsole
from segue.settings import get_settings
from segue.stack.spark_session import spark_session


def export(folder: Annotated[Path, typer.Argument(help="A new folder.", show_default=False)]) -> None:
    """Write features, metadata, splits and listens as Parquet files, which pandas and others read.

    Each listener has a pseudonym instead of a name. Audio files and their paths are left out.
    """
    from segue.export import dataset

    with spark_session() as spark:
        counts = dataset.export(spark, get_settings(), folder)
    rows = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    PlainConsole().print(f"Wrote {rows} and versions.json to {folder}.", soft_wrap=True)
