"""``segue extract``: compute the features of audio files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from segue.console import PlainColumn, PlainConsole
from segue.errors import CorpusError

if TYPE_CHECKING:
    from segue.audio.musical.definition import Musical
    from segue.audio.results import Rejection, Track


def extract(
    files: Annotated[list[Path], typer.Argument(help="Audio files, or folders to search for audio files.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each file.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the features to a CSV file in FMA's format.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of processes. Default: one for each core.")
    ] = None,
    reference: Annotated[
        bool,
        typer.Option(
            "--reference/--no-reference", help="Also compute with plain librosa (slow), and show the differences."
        ),
    ] = False,
) -> None:
    """Print the 518 features of audio files, or the reason why a file has none.

    The exit code is 1 if no file has features.
    """
    from segue.audio.files import find_audio, printable
    from segue.audio.fma_csv import write_fma_csv
    from segue.audio.isolation.pool import extract_all
    from segue.audio.results import Track

    paths = list(find_audio(files))
    if not paths:
        raise CorpusError(
            f"Found no audio in {', '.join(printable(str(path)) for path in files)}. Name audio files or folders."
        )
    if output is not None and not output.resolve().parent.is_dir():
        raise CorpusError(f"The folder {printable(str(output.resolve().parent))} does not exist. Create it first.")
    results: list[Track | Rejection] = []
    differences: list[dict[str, float]] = []
    with _progress(as_json) as progress:
        task = progress.add_task("extracting", total=len(paths))
        for result in extract_all(paths, workers=workers):
            differences.append(_differences(result) if reference else {})
            if as_json:
                typer.echo(_json(result, differences[-1]))
            results.append(result)
            progress.advance(task)
    tracks = [result for result in results if isinstance(result, Track)]
    if output is not None and tracks:
        write_fma_csv(tracks, output)
    if not as_json:
        console = PlainConsole()
        if len(results) == 1 and tracks:
            console.print(_feature_table(tracks[0]))
        console.print(_file_table(results))
        if reference and tracks:
            console.print(_difference_table(differences))
        console.print(f"{len(tracks)} of {len(results)} files extracted.")
    if not tracks:
        raise typer.Exit(1)


def _progress(as_json: bool) -> Progress:
    columns = (PlainColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(
        *columns,
        console=PlainConsole(stderr=True),
        transient=True,
        redirect_stdout=False,  # results go to stdout, even if only stderr is a terminal
        disable=as_json and sys.stdout.isatty(),
    )


def _differences(result: Track | Rejection) -> dict[str, float]:
    """Return the largest difference from librosa of each family; empty for a rejected file."""
    from segue.audio import reference
    from segue.audio.results import Track

    return reference.errors(result.features, reference.compute_of(result)) if isinstance(result, Track) else {}


def _difference_table(differences: list[dict[str, float]]) -> Table:
    from segue.audio.definition import FAMILIES

    title = "Largest difference from librosa, relative to the family's largest value"
    table = Table("family", title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("difference", justify="right")
    for family in FAMILIES:
        table.add_row(family, f"{max(each[family] for each in differences if each):.1e}")
    return table


def _json(result: Track | Rejection, differences: dict[str, float]) -> str:
    from segue.audio.definition import FEATURE_VERSION, feature_names
    from segue.audio.files import printable
    from segue.audio.musical.definition import MUSICAL_VERSION
    from segue.audio.results import Track

    document: dict[str, object] = {"path": printable(result.path)}
    document |= {
        name: value
        for name, value in vars(result).items()
        if name not in {"path", "features", "musical", "embedding"}
    }
    if isinstance(result, Track):
        if result.musical:
            document |= {"musical_version": MUSICAL_VERSION, "musical": vars(result.musical)}
        if found := result.embedding:
            vector = None if found.vector is None else found.vector.tolist()
            document |= {"embedding_version": found.version, "embedding": vector, "embedding_error": found.error}
        document["feature_version"] = FEATURE_VERSION
        document["features"] = dict(zip(feature_names(), result.features.tolist(), strict=True))
        if differences:
            document["difference_from_librosa"] = differences
    return json.dumps(document)


def _feature_table(track: Track) -> Table:
    from segue.audio.definition import FAMILIES, index

    statistics = ("mean", "std", "skew", "kurtosis", "median", "min", "max")
    table = Table("feature", box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False)
    for statistic in statistics:
        table.add_column(statistic, justify="right")
    for family, size in FAMILIES.items():
        for number in range(1, size + 1):
            values = [float(track.features[index(family, statistic, number)]) for statistic in statistics]
            label = family if size == 1 else f"{family} {number}"
            # Large values (Hz) without decimals, others with three significant digits: fits 80 columns.
            table.add_row(label, *(f"{v:.0f}" if abs(v) >= 1000 else f"{v:.3g}" for v in values))
    return table


def _described(musical: Musical | None) -> list[str]:
    """Return the musical descriptors that a file has, for people."""
    if musical is None:
        return []
    texts = (
        musical.tempo_bpm and f"{musical.tempo_bpm:.0f} BPM",
        musical.key_tonic and f"{musical.key_tonic} {musical.key_mode}",
        musical.loudness_lufs and f"{musical.loudness_lufs:.1f} LUFS",
    )
    return [text for text in texts if text]


def _file_table(results: list[Track | Rejection]) -> Table:
    from segue.audio.files import printable
    from segue.audio.results import Track

    table = Table("file", "outcome", "detail", box=box.SIMPLE_HEAD, pad_edge=False)
    for result in results:
        name = Text(printable(result.path), overflow="fold")
        if isinstance(result, Track):
            detail = f"{result.duration_s:.2f} s, {result.sample_rate} Hz, {result.channels} ch, {result.decoder}"
            table.add_row(name, Text("extracted", style="green"), ", ".join((detail, *_described(result.musical))))
        else:
            table.add_row(name, Text(result.reason, style="red"), Text(result.message))
    return table
