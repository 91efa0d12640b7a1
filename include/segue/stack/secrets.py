"""The secrets of one stack, and the passwords file of its Airflow."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from segue import private
from segue import secrets as stored
from segue.secrets import Secrets
from segue.settings import Settings

USERNAME = "admin"
VIEWER = "viewer"
"""Who may read everything in Airflow and change nothing."""


def load(settings: Settings) -> Secrets:
    """Read the secrets. The first call creates them. See :func:`segue.secrets.load`."""
    return stored.load(settings.state_dir)


def digest(settings: Settings) -> str:
    """Return a digest of the passwords of Kafka and the document server.

    Services that have read them are started again when it changes.
    """
    made = load(settings)
    return hashlib.sha256(f"{made.mongo_password} {made.kafka_password}".encode()).hexdigest()


def passwords_file(settings: Settings) -> Path:
    """Return the passwords file of Airflow's simple auth manager.

    It is written if it is missing or damaged, or lacks a user. Airflow itself would print the password that it
    creates for such a user.
    """
    file, made = settings.state_dir / "airflow" / stored.PASSWORDS, load(settings)
    try:
        chosen = dict(json.loads(file.read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        chosen = {}
    complete = {USERNAME: made.password, VIEWER: made.viewer_password} | chosen
    if complete != chosen:
        private.write(file, json.dumps(complete))
    return file
