"""Extract the audio features of some days' files."""

from __future__ import annotations

from segue.connections import spark
from segue.corpus import days, extraction
from segue.corpus.lake import Lake
from segue.corpus.plan import Mode
from segue.runs import summaries
from segue.settings import get_settings


def main() -> None:
    """Run the job."""
    parser = days.parser(__doc__)
    parser.add_argument("--mode", type=Mode, choices=list(Mode), default=Mode.SKIP)
    arguments = parser.parse_args()
    with spark.job("extract") as session:
        settings = get_settings()
        lake = Lake(session, settings.lake_uri)
        chosen = days.chosen(arguments, summaries.read(arguments.run_id))
        summary = extraction.run(lake, settings.music_dir, chosen, arguments.mode)
        summaries.report(arguments.run_id, "extract", summary)


if __name__ == "__main__":
    main()
