"""Train the genre model on the published tracks, judge it, and let the better one be the champion."""

from __future__ import annotations

import argparse
import time

from segue import spark, summaries
from segue.models import genre_release
from segue.models.documents import read_tracks
from segue.models.registry import Registry
from segue.settings import get_settings


def main() -> None:
    """Read the arguments, run, print and keep the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-id", required=True, help="<dag_id>/<run_id> of the summary")
    parser.add_argument("--seed", type=int, default=0, help="of the random forest")
    arguments = parser.parse_args()
    started = time.monotonic()

    with spark.job("train-genre") as session:
        tracks = read_tracks(session, "artist", "genre", "features", "flags")
        outcome = genre_release.train(tracks, Registry(get_settings()), seed=arguments.seed)
        outcome |= {"seconds": time.monotonic() - started}
        summaries.report(arguments.run_id, "train_genre", outcome)


if __name__ == "__main__":
    main()
