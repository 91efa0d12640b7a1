"""Free ports, for a second stack on this machine."""

from __future__ import annotations

import random
import socket

from segue.settings import Settings

LOWEST, HIGHEST = 20_000, 32_000
"""Systems choose ports for clients from a range above these. So the port of a restarted service is still free."""


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


def for_a_stack() -> dict[str, int]:
    """Find a free port for each port setting.

    Returns
    -------
    dict of str to int
        By name of the setting, such as ``kafka_port``; keyword arguments of `Settings`.
    """
    names = [name for name in Settings.model_fields if name.endswith("_port")]
    return dict(zip(names, find_free(len(names)), strict=True))
