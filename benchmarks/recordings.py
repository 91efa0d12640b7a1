"""Measure the grouping of recordings: precision and recall over planted copies and other recordings.

    .venv/bin/python benchmarks/recordings.py [--planted 6] [--apart 60] [--pieces FOLDER] [--home FOLDER]
    .venv/bin/python benchmarks/recordings.py --rows 106574

Pieces of a sample corpus are the originals. Beside each of the first `--planted` pieces, `planted.plant` puts
copies, which are the same recording, and other recordings. All of them have the artist and the title of the
original, and no ids. So only length and sound tell them apart. Of `--apart` other pieces, half are called
"Prelude" and are by one composer. The other half are "[untitled]" by "[unknown]". None of them are the same
recording.

The features are extracted from the files and grouped as by the DAG `corpus`, but without Spark. The table shows
how many pairs of each kind are grouped, and the largest or smallest differences of sound. The features are kept in
`--home`, so a second run only groups.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
from planted import COPIES, Piece, pieces, plant
from rich.console import Console
from rich.table import Table

from segue.audio.definition import N_FEATURES
from segue.audio.extract import Rejection, extract
from segue.audio.likeness import MAX_DYNAMICS, MAX_HARMONY, MAX_TIMBRE, MAX_TIMBRE_ACROSS_RATES, differences
from segue.corpus import recordings
from segue.demo.sample import render
from segue.demo.workers import run_in_processes

ORIGINAL = "original"
BATCH = 2_000
USUAL_RATES = (44_100, 48_000)
FEWEST_PIECES = 24
"""A sample corpus has at least this many."""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--planted", type=int, default=6, help="pieces beside which tracks are planted")
    parser.add_argument("--apart", type=int, default=60, help="pieces that have the same name and nothing else")
    parser.add_argument(
        "--seed", type=int, default=2026, help="of the sample corpus; another one has other pieces"
    )
    parser.add_argument("--pieces", type=Path, help="folder of a sample corpus; default: render one")
    parser.add_argument("--home", type=Path, default=Path(tempfile.gettempdir()) / "segue-recordings")
    parser.add_argument("--rows", type=int, help="only measure so many made-up rows, 10 percent copies")
    arguments = parser.parse_args()
    if arguments.rows:
        print_cost(arguments.rows)
        return
    folder = arguments.pieces or arguments.home / "pieces"
    count = arguments.planted + arguments.apart
    if not arguments.pieces:
        render(folder, pieces=max(count, FEWEST_PIECES), seed=arguments.seed)
    arguments.home.mkdir(parents=True, exist_ok=True)
    chosen = pieces(folder, count)
    jobs = [(number, piece, number < arguments.planted) for number, piece in enumerate(chosen)]
    kept = [path for path in run_in_processes(partial(describe, arguments.home), jobs) if path]
    tracks = sorted((track for path in kept for track in read(path)), key=lambda track: track["track_id"])
    for track in tracks:
        number = track["number"]
        if number >= arguments.planted:
            is_even = number % 2 == 0
            track["title"], track["artist"] = ("Prelude", "One") if is_even else ("[untitled]", "[unknown]")
    started = time.process_time()
    found = group(tracks)
    cpu_s = time.process_time() - started
    Console().print(table_of(tracks, found))
    print_figures("All", tracks, found)
    usual = [track for track in tracks if track["sample_rate"] in USUAL_RATES]
    print_figures("At 44.1 and 48 kHz", usual, group(usual))
    print(f"CPU of the grouping: {cpu_s:.1f} s.")


def describe(home: Path, job: tuple[int, Piece, bool]) -> Path | None:
    """Extract the features of a piece, and of all that is planted beside it, unless that is done already."""
    number, piece, is_planted = job
    place = home / f"{number:03}-{piece.file.stem}-{is_planted}.npz"
    if place.exists():
        return place
    with tempfile.TemporaryDirectory(dir=home) as folder:
        files = [(ORIGINAL, piece.file), *(plant(piece, Path(folder)) if is_planted else ())]
        found = [(kind, extract(file)) for kind, file in files]
    if rejected := [each for _, each in found if isinstance(each, Rejection)]:
        raise SystemExit(f"{rejected[0].path}: {rejected[0].message}")
    np.savez(
        place.with_suffix(".part.npz"),
        number=number,
        names=[piece.title, piece.artist],
        kinds=[kind for kind, _ in found],
        seconds=[track.duration_s for _, track in found],
        audio=[track.audio_hash for _, track in found],
        rates=[track.sample_rate for _, track in found],
        features=np.stack([track.features for _, track in found]),
    )
    return shutil.move(place.with_suffix(".part.npz"), place)


def read(path: Path) -> list[dict]:
    """Read what `describe` has kept."""
    with np.load(path) as kept:
        title, artist = kept["names"].tolist()
        number = int(kept["number"])
        columns = (kept[name].tolist() for name in ("kinds", "seconds", "rates", "audio"))
        return [
            {
                "track_id": f"{number:03}/{place:02}",
                "number": number,
                "kind": kind,
                "title": title,
                "artist": artist,
                "duration_s": seconds,
                "sample_rate": rate,
                "audio_hash": audio,
                "features": features,
            }
            for place, (kind, seconds, rate, audio, features) in enumerate(
                zip(*columns, kept["features"], strict=True)
            )
        ]


def truth(track: dict) -> tuple[int, str]:
    """Return what all copies of a recording have in common."""
    return track["number"], ORIGINAL if track["kind"] in COPIES else track["kind"]


def group(tracks: list[dict]) -> dict[str, str]:
    """Group the tracks with the functions that Spark's workers and driver call. Return the recording of each."""
    vectors = {track["track_id"]: track["features"] for track in tracks}
    batches = (in_arrow(tracks[at : at + BATCH]) for at in range(0, len(tracks), BATCH))
    keyed = pa.Table.from_batches(recordings.with_keys(batches)).to_pandas()
    shared = pa.Table.from_pandas(keyed[keyed.duplicated("key", keep=False)], recordings.COMPARABLE)
    shared = shared.append_column("features", pa.array([vectors[each.as_py()] for each in shared["track_id"]]))
    in_order = shared.sort_by([(name, "ascending") for name in ("key", "duration_s", "track_id")])
    members = pa.Table.from_batches(recordings.compare_neighbours(in_order.to_batches()))
    copies = recordings.merge(members).to_pylist()
    return {track: track for track in vectors} | {each["track_id"]: each["recording"] for each in copies}


def in_arrow(tracks: list[dict]) -> pa.RecordBatch:
    """Convert what the grouping reads of tracks, without their features."""
    names = (*recordings.NAMED, "artist", "title")
    rows = [{name: track.get(name) for name in names} for track in tracks]
    return pa.RecordBatch.from_pylist([row | {"content_hash": row["track_id"], "day": 0} for row in rows])


def print_cost(rows: int) -> None:
    """Print the CPU time and the memory for grouping made-up tracks without Spark. Every tenth is a copy."""
    rng = np.random.default_rng(0)
    sounds = rng.uniform(1, 2, (-(-rows // 10), N_FEATURES)).astype(np.float32)
    tracks = [
        {
            "track_id": f"{row:07}",
            "audio_hash": f"audio {row}",
            "title": f"Title {row - (row % 10 == 9)} (feat. Somebody)",
            "artist": f"Artist {row // 60}",
            "duration_s": 200.0 + row // 10 % 100,
            "sample_rate": 44_100,
            "features": sounds[row // 10],
        }
        for row in range(rows)
    ]
    before_s, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    copies = sum(track != recording for track, recording in group(tracks).items())
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"{rows:,} tracks, {copies:,} copies: {time.process_time() - before_s:.1f} s of CPU, {more:,.0f} MiB more"
    )


def table_of(tracks: list[dict], found: dict[str, str]) -> Table:
    """Compare each kind with its original."""
    shown = Table("kind", "same recording", "grouped with the original", "harmony", "timbre", "dynamics")
    originals = {track["number"]: track for track in tracks if track["kind"] == ORIGINAL}
    for kind in dict.fromkeys(track["kind"] for track in tracks if track["kind"] != ORIGINAL):
        of_kind = [track for track in tracks if track["kind"] == kind]
        others = [originals[track["number"]] for track in of_kind]
        grouped = sum(
            found[one["track_id"]] == found[two["track_id"]] for one, two in zip(of_kind, others, strict=True)
        )
        vectors = (np.stack([track["features"] for track in each]) for each in (of_kind, others))
        rates = (np.array([track["sample_rate"] for track in each], np.int32) for each in (of_kind, others))
        extreme = max if kind in COPIES else min
        largest = (f"{extreme(each):.3f}" for each in differences(*vectors, *rates))
        shown.add_row(kind, "yes" if kind in COPIES else "no", f"{grouped} of {len(of_kind)}", *largest)
    limits = f"{MAX_HARMONY}, {MAX_TIMBRE} (another sample rate: {MAX_TIMBRE_ACROSS_RATES}) and {MAX_DYNAMICS}"
    shown.caption = f"Largest differences of copies, smallest of others. Limits: {limits}."
    return shown


def print_figures(name: str, tracks: list[dict], found: dict[str, str]) -> None:
    """Print precision and recall over all pairs of tracks."""
    right = joined = both = 0
    for one, other in combinations(tracks, 2):
        is_same = truth(one) == truth(other)
        is_joined = found[one["track_id"]] == found[other["track_id"]]
        right, joined, both = right + is_same, joined + is_joined, both + (is_same and is_joined)
    print(
        f"{name}: {len(tracks)} tracks of {len({truth(track) for track in tracks})} recordings, in "
        f"{len(set(found.values()))} groups. Of {joined} grouped pairs {both} are right (precision "
        f"{both / max(joined, 1):.4f}), of {right} pairs of copies {both} are grouped (recall "
        f"{both / max(right, 1):.4f})."
    )


if __name__ == "__main__":
    main()
