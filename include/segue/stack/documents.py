"""SecantusDB: the document server that speaks MongoDB's protocol."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import chain
from pathlib import Path

from segue.settings import Settings
from segue.stack.service import Service


def service(settings: Settings) -> Service:
    """Describe the document server.

    Returns
    -------
    Service
        Named ``mongo``, after the protocol.
    """
    folder = settings.state_dir / "mongo"
    options = {
        "--config": str(_config(settings)),
        "--host": "127.0.0.1",
        "--port": str(settings.mongo_port),
        "--storage-path": str(folder / "data"),
        "--cache-size": "256M",
        "--log-level": "WARNING",
    }
    program = str(Path(sys.prefix) / "bin" / "secantusd-py")
    return Service(
        name="mongo",
        state_dir=settings.state_dir,
        data=folder,
        command=(program, *chain.from_iterable(options.items())),
        check=lambda _: _is_ready(settings.mongo_port),
        ports={"SEGUE_MONGO_PORT": settings.mongo_port},
    )


def start(settings: Settings, bring_up: Callable[[Service], None]) -> None:
    """Bring the document server up."""
    config = _config(settings)
    config.parent.mkdir(parents=True, exist_ok=True)
    config.touch()  # without an own file, though empty, the server takes a user's from the home folder
    bring_up(service(settings))


def _config(settings: Settings) -> Path:
    return settings.state_dir / "mongo" / "secantusd.toml"


def _is_ready(port: int) -> bool:
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    with MongoClient[dict[str, object]](
        "127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=500, socketTimeoutMS=3000
    ) as client:
        try:
            client.admin.command("ping")
        except PyMongoError:
            return False
    return True
