"""Extract the audio features of some days' files."""

from __future__ import annotations

from segue.connections import spark
from segue.corpus import days, extraction
from segue.corpus.lake import Lake
from segue.corpus.plan import Mode
from segue.corpus.reports import InventoryReport
from segue.runs import summaries
from segue.settings import get_settings


def main() -> None:
    """Run the job."""
    parser = days.parser(__doc__)
    parser.add_argument("--mode", type=Mode, choices=list(Mode), default=Mode.SKIP)
    arguments = parser.parse_args()
    with spark.job("extract") as session:
        settings = get_settings()
        lake, music = Lake(session, settings.lake_uri), settings.music_dir
        chosen = days.chosen(arguments, summaries.find(arguments.run_id, InventoryReport))
        if arguments.mode is Mode.PING:
            summaries.finish(arguments.run_id, extraction.ping(lake, chosen))
        else:
            summaries.finish(arguments.run_id, extraction.run(lake, music, chosen, arguments.mode))


if __name__ == "__main__":
    main()
