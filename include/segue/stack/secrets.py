"""The secrets of one stack: created once and stored in its state folder, readable only by their owner."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from segue.errors import StackError
from segue.settings import Settings

USERNAME = "admin"
PASSWORDS = "passwords.json"


@dataclass(frozen=True)
class Secrets:
    """The secrets that Airflow's components share, and the password of its UI."""

    password: str
    jwt_secret: str
    api_secret_key: str
    fernet_key: str


def load(settings: Settings) -> Secrets:
    """Read the secrets. The first call creates them.

    Raises
    ------
    StackError
        If the file is damaged. Segue does not replace it by itself, because Airflow's database has passwords of
        connections that only the key in this file can decrypt.
    """
    file = settings.state_dir / "airflow" / "secrets.json"
    if not file.exists():
        made = Secrets(
            password=secrets.token_urlsafe(12),
            jwt_secret=secrets.token_urlsafe(64),
            api_secret_key=secrets.token_urlsafe(32),
            fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        )
        _write(file, asdict(made))
    try:
        return Secrets(**json.loads(file.read_bytes()))
    except (ValueError, TypeError):
        raise StackError(
            f"{file} is damaged. Restore it from a backup. Without one, stop the stack with `segue down`, delete "
            f"{file} and {file.with_name(PASSWORDS)}, and run `segue up`: it creates new secrets and a new "
            "password. Connections and variables that you have entered in Airflow must then be entered again."
        ) from None


def passwords_file(settings: Settings) -> Path:
    """Return the passwords file of Airflow's simple auth manager. It is written if it is missing or damaged."""
    file = settings.state_dir / "airflow" / PASSWORDS
    if not _is_json(file):
        _write(file, {USERNAME: load(settings).password})
    return file


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return True


def _write(file: Path, content: dict[str, str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        json.dump(content, stream)
    new.replace(file)
