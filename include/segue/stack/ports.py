"""Free ports, for a second stack on this machine."""

from __future__ import annotations

import random
import socket

from segue.settings import Settings

LOWEST, HIGHEST = 20_000, 32_000
"""Systems choose ports for clients from a range above these. So the port of a restarted service is still free."""


def settings_of() -> list[str]:
    """Return the names of the settings that are ports of the stack."""
    return [name for name in Settings.model_fields if name.endswith("_port")]


def find_free(count: int) -> list[int]:
    """Find different ports of 127.0.0.1 on which nobody listens.

    Parameters
    ----------
    count : int

    Returns
    -------
    list of int
    """
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(LOWEST, HIGHEST)  # noqa: S311 - a port is no secret
        with socket.socket() as probe:
            if port not in found and probe.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
    return found


def fault(port: int) -> str | None:
    """Return why a server cannot use a port of 127.0.0.1, or None if it can."""
    with socket.socket() as probe:
        # Like servers, regard a port in TIME_WAIT as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.strerror
    return None


def for_a_stack() -> dict[str, int]:
    """Find a free port for each port setting.

    Returns
    -------
    dict of str to int
        By name of the setting, such as ``kafka_port``; keyword arguments of `Settings`.
    """
    names = settings_of()
    return dict(zip(names, find_free(len(names)), strict=True))
