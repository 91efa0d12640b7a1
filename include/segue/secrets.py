"""The secrets of one stack: created once and stored in its state folder, readable only by their owner."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from segue import private
from segue.errors import StackError

USER: Final = "segue"
"""Name under which all of Segue logs in to the embedded Kafka broker and document server."""

PASSWORDS: Final = "passwords.json"
"""Name of the passwords file of Airflow's simple auth manager, beside the secrets."""


@dataclass(frozen=True, repr=False)
class Secrets:
    """The secrets that Airflow's components share, and the passwords of the embedded services.

    The file of an earlier version lacks the last ones. They are then empty, until `load` creates them.
    """

    password: str
    jwt_secret: str
    api_secret_key: str
    fernet_key: str
    viewer_password: str = ""
    mongo_password: str = ""
    kafka_password: str = ""
    kafka_broker_password: str = ""


def read(state_dir: Path) -> Secrets | None:
    """Read the secrets of a stack, or return None if it was never started.

    Raises
    ------
    StackError
        If the file is damaged.
    """
    file = path(state_dir)
    try:
        return Secrets(**json.loads(file.read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        raise StackError(
            f"{file} is damaged. Restore it from a backup. Without one, stop the stack with `segue down`, delete "
            f"{file} and {file.with_name(PASSWORDS)}, and run `segue up`: it creates new secrets and new "
            "passwords. Connections and variables that you have entered in Airflow must then be entered again."
        ) from None


def load(state_dir: Path) -> Secrets:
    """Read the secrets of a stack. The first call creates them, and those that an earlier version did not have.

    Raises
    ------
    StackError
        If the file is damaged. Segue does not replace it by itself, because Airflow's database has passwords of
        connections that only the key in this file can decrypt.
    """
    stored = read(state_dir)
    known = {name: value for name, value in asdict(stored).items() if value} if stored else {}
    complete = Secrets(**(asdict(_made()) | known))
    if complete != stored:
        private.write(path(state_dir), json.dumps(asdict(complete)))
    return complete


def path(state_dir: Path) -> Path:
    """Return the file of a stack's secrets."""
    return state_dir / "airflow" / "secrets.json"


def _made() -> Secrets:
    return Secrets(
        password=secrets.token_urlsafe(12),
        jwt_secret=secrets.token_urlsafe(64),
        api_secret_key=secrets.token_urlsafe(32),
        fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        viewer_password=secrets.token_urlsafe(12),
        mongo_password=secrets.token_urlsafe(32),
        kafka_password=secrets.token_urlsafe(32),
        kafka_broker_password=secrets.token_urlsafe(32),
    )
