"""Merge features, metadata and tags of some days into the integrated dataset, and clean it."""

from __future__ import annotations

from segue.corpus import days
from segue.corpus.jobs import application


def main() -> None:
    """Run the job."""
    with application("integrate", days.parser(__doc__).parse_args()) as run:
        run.integrate()


if __name__ == "__main__":
    main()
