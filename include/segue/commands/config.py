"""``segue init`` and ``segue config``: write and show the settings that a project remembers."""

from __future__ import annotations

import json
import os
import re
from hashlib import blake2b
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr
from rich import box
from rich.table import Table

from segue import private
from segue.console import PlainConsole
from segue.errors import ConfigurationError
from segue.settings import FILE_VARIABLE, Settings, get_settings, read_settings, settings_file, source
from segue.settings_file import OF_ONE_CORPUS, changed, check_name

EFFECTIVE = {
    "music": "music_dir",
    "lake": "lake_uri",
    "jars": "jars_dir",
    "kafka_bootstrap_servers": "kafka_bootstrap",
    "mongo_uri": "mongo",
    "airflow_database": "airflow_uri",
    "mlflow_tracking_uri": "mlflow_uri",
    "tuning_storage": "tuning",
}
"""Property of `Settings` that has the effective value of a setting, by the name of the setting."""

STACK_VARIABLES = {FILE_VARIABLE, "SEGUE_STACK", "SEGUE_STACK_SERVICE"}
"""Variables with Segue's prefix that are not settings."""


def init(
    music: Annotated[str | None, typer.Option(help="Folder of your music, or a URL such as s3://bucket.")] = None,
    corpus: Annotated[
        str | None, typer.Option(help="Name of the corpus. Default: derived from the folder of music.")
    ] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Return to the sample corpus.")] = False,
    values: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Another setting; can be repeated.")
    ] = None,
) -> None:
    """Write settings to segue.toml, so that every command and every new shell uses them.

    Settings that are not named keep their values. `NAME=` without a value removes a setting from the file.
    """
    if sample and (music or corpus):
        raise typer.BadParameter("give --sample, or your own corpus, not both.")
    changes: dict[str, str | None] = {}
    for pair in values or []:
        name, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"{pair!r} is not of the form NAME=VALUE.", param_hint="--set")
        changes[name] = value or None
    if sample:
        changes |= {"corpus": "sample", "music": None}
    if music:
        changes |= {"corpus": corpus_name(music), "music": music}
    if corpus:
        changes["corpus"] = corpus
    settings = remember(changes)
    typer.echo(f"Wrote {settings_file()}: corpus {settings.corpus}, music in {settings.music_dir}.")
    typer.echo("`segue up` starts its stack, and `segue config` shows all settings.")


def remember(changes: dict[str, str | None]) -> Settings:
    """Write settings to the settings file, after checking them.

    Parameters
    ----------
    changes : dict of str to str or None
        New value of each setting. None removes it from the file. If the corpus changes, the settings that belong
        to the old corpus are removed too.

    Returns
    -------
    Settings
        The settings from now on.

    Raises
    ------
    ConfigurationError
        If a value cannot work, there is no such folder of music, or a variable of the environment would win over
        the file. The file then stays as it is.
    """
    file = settings_file()
    if file is None:
        raise ConfigurationError(f"{FILE_VARIABLE} is empty, so no settings file is used. Unset it.")
    for name in changes:
        check_name(Settings, name, "--set")
    given = {name: value for name, value in changes.items() if value is not None}
    checked = read_settings(**given)
    if "music" in given and isinstance(checked.music, Path) and not checked.music.is_dir():
        raise ConfigurationError(f"There is no folder {checked.music}.")
    for name, value in given.items():
        variable = f"SEGUE_{name.upper()}"
        if os.environ.get(variable, value) != value:
            raise ConfigurationError(
                f"{variable}={os.environ[variable]!r} is set in the environment and wins over {file.name}. "
                "Unset it first."
            )
    other = "corpus" in changes and checked.corpus != read_settings().corpus
    dropped: dict[str, object] = dict.fromkeys(OF_ONE_CORPUS - changes.keys()) if other else {}
    written = {name: None if value is None else getattr(checked, name) for name, value in changes.items()}
    private.write(file, changed(file.read_text(encoding="utf-8") if file.exists() else "", dropped | written))
    get_settings.cache_clear()
    return get_settings()


def config(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: value and source by name.")] = False,
    passwords: Annotated[bool, typer.Option("--passwords", help="Show passwords, too.")] = False,
) -> None:
    """Show every setting with its value and where the value comes from.

    An environment variable wins over segue.toml. Passwords are shown only with --passwords.
    """
    settings, console = get_settings(), PlainConsole()
    rows = {name: (_shown(settings, name, passwords=passwords), source(name)) for name in Settings.model_fields}
    unknown = sorted(
        name
        for name in os.environ
        if name.startswith("SEGUE_")
        and name not in STACK_VARIABLES
        and name.removeprefix("SEGUE_").lower() not in Settings.model_fields
    )
    if as_json:
        typer.echo(
            json.dumps({name: {"value": value, "source": of} for name, (value, of) in rows.items()}, indent=2)
        )
    else:
        file = settings_file()
        table = Table("Setting", box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("Value", overflow="fold")
        table.add_column("From", no_wrap=True)
        for name, (value, of) in rows.items():
            table.add_row(name, "" if value is None else value, file.name if file and of == str(file) else of)
        console.print(table)
        console.print(f"Corpus {settings.corpus} in {settings.state_dir}", soft_wrap=True)
        there = "" if file and file.exists() else ", which does not exist: `segue init` writes it"
        console.print(f"Settings file: {file or 'none'}{there if file else ''}", soft_wrap=True)
    for name in unknown:
        typer.echo(f"{name} is not a setting of Segue, and has no effect.", err=True)


def _shown(settings: Settings, name: str, *, passwords: bool) -> str | None:
    value = getattr(settings, EFFECTIVE.get(name, name))
    if value is None:
        return None
    if isinstance(value, SecretStr):
        return value.get_secret_value() if passwords else "********"
    if passwords:
        return str(value)
    return re.sub(r"(?<=://)([^/:@]*):[^/@]*@", r"\1:********@", str(value))


def corpus_name(music: str) -> str:
    """Return a readable corpus name that is unique for a folder or URL.

    Examples
    --------
    >>> corpus_name("/home/me/My Müsic")
    'my-m-sic-771b27'
    """
    place = music.rstrip("/") if "://" in music else str(Path(music).expanduser().resolve())
    words = re.sub(r"[^a-z0-9]+", "-", place.rpartition("/")[2].lower()).strip("-")[:40].strip("-")
    digest = blake2b(os.fsencode(place), digest_size=3).hexdigest()
    return f"{words}-{digest}" if words else digest
