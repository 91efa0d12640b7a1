"""List the audio files below a folder, and count what is left out."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path, PurePosixPath

from upath import UPath

from segue.audio.files import SUFFIXES, is_audio, is_sheet, is_system_folder
from segue.connections import storage
from segue.corpus.paths import to_text
from segue.errors import CorpusError

MAX_SUFFIX = 8
"""In characters. A longer text after the last dot of a name is not a suffix."""

LATEST_NS, EARLIEST_NS = 2**63 - 1, -(2**63)
"""Bounds of a 64-bit integer: the years 1677 to 2262. Damaged file systems state times beyond them."""


@dataclass(frozen=True, slots=True)
class AudioFile:
    """One audio file of a corpus.

    Attributes
    ----------
    path : str
        Relative to the music folder, as `segue.corpus.paths.to_text` writes it.
    size_bytes : int
        0 for a link that leads nowhere, and for a file whose properties the file system does not report.
    mtime_ns : int
        Time of the last change, nanoseconds since 1970. Impossible times become the nearest 64-bit integer.
    part : str
        A `segue.corpus.parts.Part` as text, if the track is only a part of the file. Otherwise blank.
    """

    path: str
    size_bytes: int
    mtime_ns: int
    part: str = ""

    @property
    def is_out_of_reach(self) -> bool:
        """Whether the file system cannot report the file's properties, as for a link to a disconnected disk."""
        return self.size_bytes == self.mtime_ns == 0


@dataclass(frozen=True)
class Listing:
    """The audio files of a corpus, and what else is in its folder.

    Attributes
    ----------
    root : Path or UPath
        The folder.
    files : list of AudioFile
        Sorted by path.
    sheets : list of AudioFile
        CUE sheets, sorted by path.
    unreadable : dict of str to str
        Folders that cannot be entered, each with the reason. A link that leads nowhere counts as a folder, unless
        it has the suffix of an audio file.
    left_out : Counter of str
        Other files by suffix.
    system_folders : int
        Folders that are left out, see `segue.audio.files.SYSTEM_FOLDERS`.
    """

    root: Path | UPath
    files: list[AudioFile] = field(default_factory=list)
    sheets: list[AudioFile] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    system_folders: int = 0

    def hides(self, path: str) -> bool:
        """Return whether a file is below a folder that cannot be entered.

        Parameters
        ----------
        path : str
            As in `AudioFile`.
        """
        return any(str(folder) in self.unreadable for folder in PurePosixPath(path).parents)


def file_id(path: str) -> str:
    """Return the track id of a new file that no metadata table names.

    Parameters
    ----------
    path : str
        As in `AudioFile`.

    Returns
    -------
    str
        ``f`` and 16 hexadecimal digits, the same for the same path. The track keeps it if the file is moved.
    """
    return "f" + blake2b(path.encode(), digest_size=8).hexdigest()


def digest(files: Iterable[AudioFile]) -> str:
    """Return a digest of a listing. Any difference between two listings changes it.

    Parameters
    ----------
    files : iterable of AudioFile
        The listing, in its order: the audio files, and the CUE sheets after them.

    Returns
    -------
    str
        SHA-256 of paths, sizes and modification times, as hexadecimal digits.
    """
    made = hashlib.sha256()
    for file in files:
        made.update(repr((file.path, file.size_bytes, file.mtime_ns)).encode())
    return made.hexdigest()


def list_audio(
    music_dir: Path | UPath, through: Callable[[Iterator[AudioFile]], Iterator[AudioFile]] = iter
) -> Listing:
    """List every audio file below a folder, by suffix.

    - Links to files and folders are followed; a folder reached twice (a loop) is listed once.
    - Folders of the system and AppleDouble files are left out (`segue.audio.files`).
    - A folder that cannot be entered is noted, and the others are listed.

    Parameters
    ----------
    music_dir : Path or UPath
        Root of the corpus.
    through : callable, optional
        Receives the files as they are found, and yields them again. For example, it may count them.

    Returns
    -------
    Listing
        It has at least one file.

    Raises
    ------
    CorpusError
        If the folder does not exist, cannot be read, is empty, or holds no audio.
    """
    if not music_dir.is_dir():
        raise CorpusError(f"There is no folder {music_dir}. Set SEGUE_MUSIC to the folder that holds your music.")
    walk = _FolderWalk(str(music_dir)) if isinstance(music_dir, Path) else _ObjectWalk(music_dir)
    files = sorted(through(walk.files()), key=lambda file: file.path)
    if not files:
        what = "holds no audio file" if any(music_dir.iterdir()) else "is empty"
        raise CorpusError(
            f"The folder {music_dir} {what}. Put files of these types into it, or set SEGUE_MUSIC to "
            f"another folder: {', '.join(sorted(SUFFIXES))}."
        )
    listed_sheets = sorted(walk.sheets, key=lambda sheet: sheet.path)
    return Listing(music_dir, files, listed_sheets, walk.unreadable, walk.left_out, walk.system_folders)


class _Walk:
    """The counts of a walk."""

    def __init__(self) -> None:
        self.unreadable: dict[str, str] = {}
        self.left_out: Counter[str] = Counter()
        self.system_folders = 0
        self.sheets: list[AudioFile] = []

    def leave_out(self, name: str) -> None:
        suffix = os.path.splitext(name)[1][1:].lower()  # noqa: PTH122
        is_suffix = suffix.isalnum() and len(suffix) <= MAX_SUFFIX
        self.left_out[suffix if is_suffix else "other"] += 1


class _ObjectWalk(_Walk):
    """Lists the objects of a bucket."""

    def __init__(self, root: UPath) -> None:
        super().__init__()
        self._root = root

    def files(self) -> Iterator[AudioFile]:
        systems = set()
        for path, size_bytes, mtime_ns in storage.walk(self._root):
            *folders, name = path.split("/")
            depth = next((depth for depth, folder in enumerate(folders, 1) if is_system_folder(folder)), 0)
            if depth:
                systems.add(tuple(folders[:depth]))
            elif is_audio(name):
                yield _audio_file(path, size_bytes, mtime_ns)
            else:
                self.leave_out(name)
                if is_sheet(name):
                    self.sheets.append(_audio_file(path, size_bytes, mtime_ns))
        self.system_folders = len(systems)


class _FolderWalk(_Walk):
    """Lists a folder of this machine, without recursion, since folders may be nested a thousand deep."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self._root = root
        self._to_visit = [""]
        self._visited: set[tuple[int, int]] = set()

    def files(self) -> Iterator[AudioFile]:
        while self._to_visit:
            relative = self._to_visit.pop()
            try:
                yield from self._files_of(relative)
            except OSError as error:
                if not relative:
                    raise CorpusError(
                        f"Cannot list the folder {self._root!r}: {error.strerror}. "
                        "Let the user who runs Segue read and enter it."
                    ) from error
                self.unreadable[to_text(relative)] = error.strerror or str(error)

    def _files_of(self, relative: str) -> Iterator[AudioFile]:
        folder = os.path.join(self._root, relative)  # noqa: PTH118 - pathlib is many times slower over 100,000 files
        status = os.stat(folder)  # noqa: PTH116
        if (status.st_dev, status.st_ino) in self._visited:
            return
        self._visited.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            children = list(entries)
        for child in children:
            path = os.path.join(relative, child.name)  # noqa: PTH118
            try:
                status = child.stat()
            except OSError as error:
                if error.errno == errno.EACCES and not child.is_symlink():
                    raise  # the user may read this folder but not enter it
                if is_audio(child.name):
                    yield AudioFile(to_text(path), 0, 0)
                else:
                    self.unreadable[to_text(path)] = error.strerror or str(error)
                continue
            if stat.S_ISDIR(status.st_mode):
                if is_system_folder(child.name):
                    self.system_folders += 1
                else:
                    self._to_visit.append(path)
            elif stat.S_ISREG(status.st_mode) and is_audio(child.name):
                yield _audio_file(path, status.st_size, status.st_mtime_ns)
            else:
                self.leave_out(child.name)
                if stat.S_ISREG(status.st_mode) and is_sheet(child.name):
                    self.sheets.append(_audio_file(path, status.st_size, status.st_mtime_ns))


def _audio_file(path: str, size_bytes: int, mtime_ns: int) -> AudioFile:
    return AudioFile(to_text(path), size_bytes, min(max(mtime_ns, EARLIEST_NS), LATEST_NS))
