"""Find the audio file of a published track, for people who want to hear it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pymongo.database import Database

from segue.corpus.parts import is_part
from segue.corpus.paths import from_text
from segue.errors import CorpusError
from segue.settings import Settings


def find(database: Database[Any], settings: Settings, track_id: str) -> Path:
    """Return the path of the audio file of a track.

    Parameters
    ----------
    database : pymongo.database.Database
    settings : Settings
        Where the music is.
    track_id : str

    Returns
    -------
    Path
        A file below the folder of the music.

    Raises
    ------
    CorpusError
        If there is no such track or file, or no whole local file of it.
    """
    found = database["tracks"].find_one({"_id": track_id}, {"path": 1})
    if found is None:
        raise CorpusError(f"Cannot find track: {track_id}")
    return locate(settings, track_id, str(found["path"]))


def locate(settings: Settings, track_id: str, name: str) -> Path:
    """Return the path of the audio file of a track whose document is known.

    Parameters
    ----------
    settings, track_id
        As for `find`.
    name : str
        The field ``path`` of the document.

    Raises
    ------
    CorpusError
        If there is no whole local file of it.
    """
    root = settings.music_dir
    if not isinstance(root, Path):
        raise CorpusError("The music is in an object store. Segue serves files from a local folder only.")
    if is_part(name):
        raise CorpusError(f"Track {track_id} is a part of the file of an album. Segue sends whole files only.")
    path = (root / from_text(name)).resolve()
    if not path.is_relative_to(root.resolve()) or not path.is_file():
        raise CorpusError(f"The file of track {track_id} is not in the music folder.")
    return path
