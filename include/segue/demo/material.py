"""Find the material of the sample corpus: the scores of music21 and the SoundFont of pretty_midi."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from segue.errors import PrerequisiteError

_INSTALL = "uv sync --extra embedded"


def corpus_dir() -> Path:
    """Return the folder of the scores that music21 ships.

    Raises
    ------
    PrerequisiteError
        If music21 is not installed, or is a build without its corpus.
    """
    folder = _package("music21") / "corpus"
    if not (folder / "ryansMammoth").is_dir():
        raise PrerequisiteError(
            f"The installed music21 has no scores ({folder}). Run: {_INSTALL} --reinstall-package music21"
        )
    return folder


def soundfont() -> Path:
    """Return the General MIDI SoundFont that ships in pretty_midi.

    Raises
    ------
    PrerequisiteError
        If the SoundFont or tinysoundfont, which plays it, is not installed.
    """
    _package("tinysoundfont")
    path = _package("pretty_midi") / "TimGM6mb.sf2"
    if not path.is_file():
        raise PrerequisiteError(
            f"The SoundFont {path} is missing. Run: {_INSTALL} --reinstall-package pretty-midi"
        )
    return path


def _package(name: str) -> Path:
    """Return the folder of an installed package without importing it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise PrerequisiteError(f"The sample corpus needs {name}, which is not installed. Run: {_INSTALL}")
    return Path(spec.origin).parent
