"""Publish days of the integrated dataset to MongoDB, and announce on Kafka which of them have changed."""

from __future__ import annotations

from segue.corpus import days
from segue.corpus.jobs import application


def main() -> None:
    """Run the job."""
    with application("publish", days.parser(__doc__).parse_args()) as run:
        run.publish()


if __name__ == "__main__":
    main()
