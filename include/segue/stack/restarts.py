"""Record when the supervisor has started a service again, for `segue status`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from segue.stack import journal

KEPT = 100
SHOWN_S = 24 * 60 * 60


@dataclass(frozen=True)
class Restart:
    """An end of a service that nobody asked for.

    Parameters
    ----------
    service : str
    at : float
        When the supervisor noticed it, in seconds since 1970.
    given_up : bool
        Whether the service had ended too often, and was not started again.
    """

    service: str
    at: float
    given_up: bool = False


def record(state_dir: Path, restart: Restart) -> None:
    """Add a restart to the record, which keeps the last `KEPT`."""
    journal.add(_file(state_dir), restart, KEPT)


def remarks(state_dir: Path, now: float | None = None) -> list[str]:
    """Describe the restarts of the last day, one sentence or two for each service.

    Parameters
    ----------
    state_dir : Path
        Folder of the stack.
    now : float, optional
        In seconds since 1970. Default: now.
    """
    since = (time.time() if now is None else now) - SHOWN_S
    by_service: dict[str, list[Restart]] = {}
    for restart in journal.read(_file(state_dir), Restart):
        if restart.at > since:
            by_service.setdefault(restart.service, []).append(restart)
    return [_remark(name, found) for name, found in sorted(by_service.items())]


def _remark(name: str, found: list[Restart]) -> str:
    last = f"at {datetime.fromtimestamp(found[-1].at, UTC):%H:%M} UTC"
    log = f"`segue logs {name}` shows why."
    if found[-1].given_up:
        return f"{name} ended again and again, and was given up {last}. {log} `segue up` starts it again."
    if len(found) == 1:
        return f"{name} ended and was started again {last}. {log}"
    return f"{name} ended and was started again {len(found)} times in the last day, most recently {last}. {log}"


def _file(state_dir: Path) -> Path:
    return state_dir / "restarts.json"
