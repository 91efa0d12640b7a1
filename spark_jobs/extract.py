"""Extract the audio features of some days' files."""

from __future__ import annotations

from segue.corpus import days
from segue.corpus.jobs import application
from segue.corpus.plan import Mode


def main() -> None:
    """Run the job."""
    parser = days.parser(__doc__)
    parser.add_argument("--mode", type=Mode, choices=list(Mode), default=Mode.SKIP)
    arguments = parser.parse_args()
    with application("extract", arguments) as run:
        run.extract(arguments.mode)


if __name__ == "__main__":
    main()
