"""The secrets of one stack, and the passwords file of its Airflow."""

from __future__ import annotations

import json
from pathlib import Path

from segue import private
from segue import secrets as stored
from segue.secrets import Secrets
from segue.settings import Settings

USERNAME = "admin"


def load(settings: Settings) -> Secrets:
    """Read the secrets. The first call creates them. See :func:`segue.secrets.load`."""
    return stored.load(settings.state_dir)


def passwords_file(settings: Settings) -> Path:
    """Return the passwords file of Airflow's simple auth manager. It is written if it is missing or damaged."""
    file = settings.state_dir / "airflow" / stored.PASSWORDS
    if not _is_json(file):
        private.write(file, json.dumps({USERNAME: load(settings).password}))
    return file


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return True
