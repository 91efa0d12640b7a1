"""Find the audio files below a folder."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass
from hashlib import blake2b
from pathlib import Path

from upath import UPath

from segue.connections import storage
from segue.corpus.paths import to_text
from segue.errors import CorpusError

AUDIO_SUFFIXES = frozenset(
    {".aac", ".aif", ".aiff", ".alac", ".flac", ".m4a", ".m4b", ".mp3", ".oga", ".ogg", ".opus", ".wav", ".wma"}
)


@dataclass(frozen=True)
class AudioFile:
    """One audio file of a corpus.

    Attributes
    ----------
    path : str
        Relative to the music folder, as `segue.corpus.paths.to_text` writes it.
    size_bytes : int
        0 for a broken link. The extraction rejects it as unreadable.
    mtime_ns : int
        Time of the last change, nanoseconds since 1970.
    """

    path: str
    size_bytes: int
    mtime_ns: int


def file_id(path: str) -> str:
    """Return the track id of a file that no metadata table names.

    Parameters
    ----------
    path : str
        As in `AudioFile`.

    Returns
    -------
    str
        ``f`` and 16 hexadecimal digits. The same path always has the same id.
    """
    return "f" + blake2b(path.encode(), digest_size=8).hexdigest()


def digest(files: Iterable[AudioFile]) -> str:
    """Return a digest of a listing. Any difference between two listings changes it.

    Parameters
    ----------
    files : iterable of AudioFile
        The listing, in its order.

    Returns
    -------
    str
        SHA-256 of paths, sizes and modification times, as hexadecimal digits.
    """
    made = hashlib.sha256()
    for file in files:
        made.update(repr(astuple(file)).encode())
    return made.hexdigest()


def list_audio(
    music_dir: Path | UPath, through: Callable[[Iterator[AudioFile]], Iterator[AudioFile]] = iter
) -> list[AudioFile]:
    """List every audio file below a folder, by suffix.

    - Links to files and folders are followed; a folder reached twice (a loop) is listed once.
    - Files and folders whose names begin with a dot are left out. They are files of the system (``._song.mp3``).

    Parameters
    ----------
    music_dir : Path or UPath
        Root of the corpus.
    through : callable, optional
        Receives the files as they are found, and yields them again. For example, it may count them.

    Returns
    -------
    list of AudioFile
        Sorted by path; never empty.

    Raises
    ------
    CorpusError
        If the folder does not exist, cannot be read, is empty, or holds no audio.
    """
    if not music_dir.is_dir():
        raise CorpusError(f"There is no folder {music_dir}. Set SEGUE_MUSIC to the folder that holds your music.")
    files = _walk(str(music_dir), "", set()) if isinstance(music_dir, Path) else _objects(music_dir)
    found = sorted(through(files), key=lambda file: file.path)
    if not found:
        what = "holds no audio file" if any(music_dir.iterdir()) else "is empty"
        raise CorpusError(
            f"The folder {music_dir} {what}. Put files of these types into it, or set SEGUE_MUSIC to "
            f"another folder: {', '.join(sorted(AUDIO_SUFFIXES))}."
        )
    return found


def _objects(music_dir: UPath) -> Iterator[AudioFile]:
    for path, size_bytes, mtime_ns in storage.walk(music_dir):
        is_hidden = any(part.startswith(".") for part in path.split("/"))
        if not is_hidden and os.path.splitext(path)[1].lower() in AUDIO_SUFFIXES:  # noqa: PTH122
            yield AudioFile(to_text(path), size_bytes, mtime_ns)


def _walk(root: str, relative: str, visited: set[tuple[int, int]]) -> Iterator[AudioFile]:
    folder = os.path.join(root, relative)  # noqa: PTH118 - pathlib is many times slower over 100,000 files
    try:
        status = os.stat(folder)  # noqa: PTH116
        if (status.st_dev, status.st_ino) in visited:
            return
        visited.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            children = sorted((entry for entry in entries if entry.name[0] != "."), key=lambda entry: entry.name)
    except OSError as error:
        raise CorpusError(
            f"Cannot list the folder {folder!r}: {error.strerror}. "
            "Let the user who runs Segue read it, or move it out of the music folder."
        ) from error
    for child in children:
        path = os.path.join(relative, child.name)  # noqa: PTH118
        is_audio = os.path.splitext(child.name)[1].lower() in AUDIO_SUFFIXES  # noqa: PTH122
        try:
            status = child.stat()
        except OSError:  # a broken link, or a link to itself
            if is_audio:
                yield AudioFile(to_text(path), 0, 0)
            continue
        if stat.S_ISDIR(status.st_mode):
            yield from _walk(root, path, visited)
        elif is_audio and stat.S_ISREG(status.st_mode):
            yield AudioFile(to_text(path), status.st_size, status.st_mtime_ns)
