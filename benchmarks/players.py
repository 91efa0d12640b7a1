"""Replay buffered listens as Navidrome sends them, and count what is lost.

    .venv/bin/python benchmarks/players.py [--listens 10000]

The benchmark needs a stack (`segue up`) with the default limits. It sends the listens of a separate account
without pauses, one request each. A listen is lost if the API did not accept it and Navidrome did not keep it.
"""

from __future__ import annotations

import argparse
import sys
import time

from rich.console import Console

from segue.api.accounts import Accounts
from segue.connections.mongo import database
from segue.settings import PROJECT_DIR, get_settings

sys.path.insert(0, str(PROJECT_DIR))

from tests.support.api_server import in_kafka
from tests.support.navidrome import Drained, drain


def main() -> None:
    """Replay the listens and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listens", type=int, default=10_000)
    count = parser.parse_args().listens
    settings, user = get_settings(), f"navidrome-{time.time_ns()}"
    with database() as opened:
        token = Accounts(opened).add(user)
    listens = [
        {
            "listened_at": 1_700_000_000 + 200 * number,
            "track_metadata": {"artist_name": "Ina Vogel", "track_name": f"Lied {number}"},
        }
        for number in range(count)
    ]
    tally, began = Drained(), time.monotonic()
    drain(f"http://{settings.api_host}:{settings.api_port}", token, listens, tally)
    elapsed_s = time.monotonic() - began
    kept = len({event.event_id for event in in_kafka(settings, user)})
    Console(highlight=False).print(
        f"{count:,} buffered listens in {elapsed_s:.0f} s: {tally.sent:,} accepted, {tally.retried:,} answers of "
        f"500 or 503, thrown away {tally.discarded or 'none'}; in Kafka {kept:,}, lost {count - kept:,}",
        soft_wrap=True,
    )


if __name__ == "__main__":
    main()
