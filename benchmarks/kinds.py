"""Print what Segue makes of the kinds of files, tables and exports that people have reported, before and after.

    .venv/bin/python benchmarks/kinds.py [--write]

The inputs are small files in tests/. "Before" is what was reported of the version before commit 7bdd27d.
"After" is computed. With --write, the table in docs/kinds.md is replaced. A test compares the two.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from io import FileIO
from pathlib import Path
from typing import Final

from segue.audio.extract import extract, extract_spans
from segue.audio.limits import Limits
from segue.audio.results import Rejection, Track
from segue.audio.tags import read_tags
from segue.corpus.listing import list_audio
from segue.corpus.parts import span_of
from segue.corpus.rules import tidy
from segue.corpus.sheets import tracks_of
from segue.corpus.sources.table import MetadataTable
from segue.listens.exports.lastfm import lastfm
from segue.listens.exports.lines import Line
from segue.listens.exports.listenbrainz import listenbrainz
from segue.listens.exports.spotify import spotify
from segue.listens.matching import CatalogueEntry, TrackIndex
from segue.listens.skips import is_skip
from segue.settings import PROJECT_DIR

UNIT: Final = PROJECT_DIR / "tests" / "unit"
AUDIO: Final = UNIT / "audio" / "files"
TABLES: Final = UNIT / "corpus" / "sources" / "reported"
EXPORTS: Final = UNIT / "listens" / "exports" / "reported"

PAGE: Final = PROJECT_DIR / "docs" / "kinds.md"
HEAD: Final = "| kind | input | before | after |"


After = Callable[[str], str]
"""Takes the input."""


@dataclass(frozen=True)
class Kind:
    """A kind of input, what the version before made of it, and what Segue makes of it now."""

    name: str
    input: str
    before: str
    after: After


def length(name: str) -> str:
    """Extract a file. Return its length."""
    return _described(extract(AUDIO / name))


def divided(sheet: str) -> str:
    """Divide an album by the sheet beside it. Return the lengths of the tracks."""
    found, _ = tracks_of(list_audio(AUDIO))
    [(file, tracks)] = [(file, tracks) for file, (used, tracks) in found.items() if used == sheet]
    outcomes = extract_spans(AUDIO / file, Limits(), [span_of(asdict(track)) for track in tracks])
    return f"{len(outcomes)} tracks: {', '.join(map(_described, outcomes))}"


def tags(*wanted: str) -> After:
    """Return a function that reads some tags of a file."""

    def after(name: str) -> str:
        with FileIO(AUDIO / name) as file:
            texts = read_tags(file, name).texts
        return ", ".join(f"{tag} “{texts[tag]}”" for tag in wanted if texts[tag]) or "nothing"

    return after


def column(name: str) -> After:
    """Return a function that reads the texts of a column of a table."""

    def after(table: str) -> str:
        texts = MetadataTable(TABLES / table).read(date(2026, 11, 28)).rows[name]
        return f"{name} {', '.join(f'“{tidy(text)}”' for text in texts)}"

    return after


def plays(read: Callable[[Path], Iterator[Line]]) -> After:
    """Return a function that counts the plays of an export."""

    def after(name: str) -> str:
        lines = list(read(EXPORTS / name))
        skips = sum(is_skip(line.play.additional_info, None) for line in lines if line.play)
        number = sum(line.play is not None for line in lines) - skips
        counts = [f"{number} play" + "s" * (number != 1), *([f"{skips} skip"] if skips else [])]
        return ", ".join(counts + [f"1 line left out ({line.wrong})" for line in lines if line.wrong])

    return after


def matched(played: tuple[str, str], tagged: tuple[str, str]) -> After:
    """Return a function that matches a play with a corpus of one track."""
    index = TrackIndex([CatalogueEntry("t", *tagged)])
    return lambda _: "no match" if index.match(*played) is None else "match"


def _described(outcome: Track | Rejection) -> str:
    if isinstance(outcome, Rejection):
        return f"{outcome.reason}: {outcome.message}"
    return f"{outcome.duration_s:.1f} s"


PAIRS: Final = (
    ("a remix of the original", ("Daft Punk", "Around (feat. Y) [Z Remix]"), ("Daft Punk", "Around"), "match"),
    ("an artist named “Feat”", ("Little Feat", "Willin"), ("Little", "Willin"), "match"),
    ("UTF-8 read as Latin-1", ("BjÃ¶rk", "JÃ³ga"), ("Björk", "Jóga"), "no match"),
)
"""Names of a play and of the only track. "Before" is computed, too: by the commit before 1a7ce8b."""

KINDS: Final = (
    Kind("FLAC of unknown length", "flac_unknown_total.flac", "TRUNCATED “of 209146758205323.72 s”", length),
    Kind("MP3 whose Xing header has 0 frames", "xing_frames0.mp3", "accepted as 2.2 s", length),
    Kind("three MP3s joined", "joined.mp3", "accepted as 6.0 s", length),
    Kind("an album in one file with a CUE sheet", "joined.cue", "one track", divided),
    Kind("APEv2 tags on MP3", "ape_only.mp3", "nothing", tags("title", "artist")),
    Kind("RIFF INFO", "wav_info.wav", "nothing", tags("title", "artist")),
    Kind("ID3 before ADTS", "adts.aac", "nothing", tags("title", "artist")),
    Kind("the same value twice", "wma_ffmpeg.wma", "artist “W Artist; W Artist”", tags("artist")),
    Kind("YEAR instead of DATE", "vorbis_year.flac", "nothing", tags("date")),
    Kind("MBID of the recording", "vorbis_mbid.flac", "nothing", tags("recording_mbid")),
    Kind("rows that end with a comma", "trailing_comma.csv", "columns shift by one", column("title")),
    Kind("lists in a column", "list_literals.csv", "genre “['rock'”", column("genre")),
    Kind("Last.fm with semicolons", "semi.csv", "no play, exit code 0", plays(lastfm)),
    Kind("Last.fm, times in milliseconds", "stats.csv", "no play, exit code 0", plays(lastfm)),
    Kind("ListenBrainz, one array", "lb.json", "no play, exit code 0", plays(listenbrainz)),
    Kind("an MBID that is a list", "mbid_list.jsonl", "traceback, nothing more sent", plays(listenbrainz)),
    Kind("a byte order mark", "bom.jsonl", "1 play", plays(listenbrainz)),
    Kind("Spotify, skipped after 1.6 s", "skipped.json", "1 play, 1 line left out", plays(spotify)),
    *(
        Kind(name, f"{played[0]}: {played[1]}, for {tagged[0]}: {tagged[1]}", before, matched(played, tagged))
        for name, played, tagged, before in PAIRS
    ),
)


def rendered() -> str:
    """Return the table in Markdown."""
    rows = (f"| {kind.name} | {kind.input} | {kind.before} | {kind.after(kind.input)} |" for kind in KINDS)
    return "\n".join((HEAD, "|---|---|---|---|", *rows))


def main() -> None:
    """Print the table, or write it into the docs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace the table in docs/kinds.md")
    if not parser.parse_args().write:
        print(rendered())
        return
    page = PAGE.read_text(encoding="utf-8")
    start = page.index(HEAD)
    end = page.index("\n\n", start)
    PAGE.write_text(page[:start] + rendered() + page[end:], encoding="utf-8")


if __name__ == "__main__":
    main()
