"""``segue.toml``: the settings that a project remembers. Variables of the environment win over it."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import tomlkit
from pydantic import SecretStr
from pydantic_settings import BaseSettings, TomlConfigSettingsSource

from segue.errors import ConfigurationError

HEADER: Final = """\
# The settings of this project, one NAME = VALUE a line. `segue config` lists all names, values and their sources.
# An environment variable, such as SEGUE_CORPUS, wins over this file.
"""
OF_ONE_CORPUS: Final = frozenset({"music", "metadata", "metadata_columns", "lake"})
"""Settings that belong to the corpus of the file. They are ignored when the environment names another corpus."""

PLACES: Final = frozenset({"home", "music", "metadata", "lake", "jars", "kafka_ssl_cafile"})
"""Settings that are paths. Relative ones begin at the folder of the file."""


class SettingsFile(TomlConfigSettingsSource):
    """Read settings from a TOML file without tables.

    Parameters
    ----------
    settings_cls : type of BaseSettings
    path : Path or None
        The file. It need not exist. None: read nothing.

    Raises
    ------
    ConfigurationError
        If the file is not valid TOML, names an unknown setting, or holds a password.
    """

    def __init__(self, settings_cls: type[BaseSettings], path: Path | None) -> None:
        self.path = path
        try:
            super().__init__(settings_cls, path)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"{path} is not valid TOML: {error}. Write each setting as NAME = VALUE, with text in quotes."
            ) from None
        for name in self.toml_data:
            check_name(settings_cls, name, str(path))

    def __call__(self) -> dict[str, Any]:
        """Return the values that apply."""
        return self.values(self.current_state.get("corpus"))

    def values(self, corpus: str | None) -> dict[str, Any]:
        """Return the values that apply.

        Parameters
        ----------
        corpus : str or None
            Name of the corpus, if another source gives it. Settings of another corpus do not apply.
        """
        values = super().__call__()
        own = values.get("corpus", self.settings_cls.model_fields["corpus"].default)
        if corpus not in (None, own):
            values = {name: value for name, value in values.items() if name not in OF_ONE_CORPUS}
        return {name: self._anchored(name, value) for name, value in values.items()}

    def _anchored(self, name: str, value: Any) -> Any:
        """Make a relative path absolute."""
        if self.path is None or name not in PLACES or not isinstance(value, str) or "://" in value:
            return value
        return str(self.path.parent / Path(value).expanduser())


def check_name(settings_cls: type[BaseSettings], name: str, where: str) -> None:
    """Check that a file may hold the setting `name`.

    Raises
    ------
    ConfigurationError
        If there is no such setting, or if it is a password.
    """
    fields = settings_cls.model_fields
    if name not in fields:
        similar = get_close_matches(name, fields, 1)
        hint = f"Did you mean {similar[0]}?" if similar else "`segue config` lists all settings."
        raise ConfigurationError(f"{where}: there is no setting {name!r}. {hint}")
    if is_password(settings_cls, name):
        raise ConfigurationError(f"{where}: {name} is a password. Set the variable SEGUE_{name.upper()} instead.")


def is_password(settings_cls: type[BaseSettings], name: str) -> bool:
    """Return whether a setting is a password. Passwords come from the environment only, and no file has them."""
    return SecretStr in getattr(settings_cls.model_fields[name].annotation, "__args__", ())


def changed(text: str, changes: dict[str, object]) -> str:
    r"""Return the text of a settings file with other values. Other lines and comments stay.

    Parameters
    ----------
    text : str
        Present content. Empty if there is no file yet.
    changes : dict of str to object
        New value of each setting. None removes its line.

    Returns
    -------
    str

    Examples
    --------
    >>> print(changed("# Mine\ncorpus = 'old'\n", {"corpus": "new", "api_port": 8080}), end="")
    # Mine
    corpus = "new"
    api_port = 8080
    """
    document = tomlkit.parse(text or HEADER)
    for name, value in changes.items():
        if value is None:
            document.pop(name, None)
        else:
            document[name] = value if isinstance(value, (bool, int, float)) else str(value)
    return tomlkit.dumps(document)
