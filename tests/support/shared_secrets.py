"""Lets a corpus of its own use the Kafka broker and the document server of another one."""

from __future__ import annotations

from segue import private, secrets
from segue.settings import Settings


def share_secrets(running: Settings, other: Settings) -> None:
    """Give `other` the passwords of the stack of `running`."""
    secrets.load(running.state_dir)
    private.write(secrets.path(other.state_dir), secrets.path(running.state_dir).read_text())
