"""Decide which known track a file is, and give ids to new tracks. Content decides first, and the path second.

- A file whose bytes or whose audio is known is the same track, whatever its path and its tags are now.
- A file with new content at a known path is still the track of that path. For example, it was encoded again.
- A copy beside its original is a track of its own.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import count

from segue.corpus.listing import file_id


@dataclass(frozen=True)
class Content:
    """The content of a file.

    Attributes
    ----------
    path : str
        As in `segue.corpus.listing.AudioFile`.
    content_hash : str or None
        Hash of the bytes. None if they were never read.
    audio_hash : str or None
        Hash of the audio without the tags. None or blank if it is not known.
    """

    path: str
    content_hash: str | None = None
    audio_hash: str | None = None

    def is_of(self, other: Content) -> bool:
        """Return whether two files have the same bytes or the same audio."""
        pairs = ((self.content_hash, other.content_hash), (self.audio_hash, other.audio_hash))
        return any(mine and mine == theirs for mine, theirs in pairs)


@dataclass(frozen=True)
class Absent(Content):
    """A track whose file is no longer as it was. It is gone, or another one lies at its path.

    Attributes
    ----------
    track_id : str
    partition_date : date
    first_seen_us : int
        Microseconds since 1970.
    has_departed : bool
        Whether the file was gone before.
    """

    track_id: str = ""
    partition_date: date = date.min
    first_seen_us: int = 0
    has_departed: bool = False


Key = tuple[str, ...] | None

TIERS: tuple[Callable[[Content], Key], ...] = (
    lambda file: (file.path, file.content_hash) if file.content_hash else None,
    lambda file: (file.path, file.audio_hash) if file.audio_hash else None,
    lambda file: (file.content_hash,) if file.content_hash else None,
    lambda file: (file.audio_hash,) if file.audio_hash else None,
    lambda file: (file.path,),
)
"""What a file and a track must have in common, the strongest evidence first."""


def recognise(files: Iterable[Content], tracks: Iterable[Absent]) -> dict[str, Absent]:
    """Find the track of each file. Every track is found once at most.

    Parameters
    ----------
    files : iterable of Content
        New and changed files.
    tracks : iterable of Absent

    Returns
    -------
    dict of str to Absent
        Track by path of the file. Of several identical files and tracks, the first file by path gets the first
        track by path, and so on. Tracks that were gone before come last.
    """
    found: dict[str, Absent] = {}
    waiting = sorted(files, key=lambda file: file.path)
    left = sorted(tracks, key=lambda track: (track.has_departed, track.path, track.track_id))
    for key in TIERS:
        by_key: dict[Key, deque[Absent]] = defaultdict(deque)
        for track in left:
            by_key[key(track)].append(track)
        by_key.pop(None, None)
        for file in waiting:
            if same := by_key.get(key(file)):
                found[file.path] = same.popleft()
        taken = {track.track_id for track in found.values()}
        waiting = [file for file in waiting if file.path not in found]
        left = [track for track in left if track.track_id not in taken]
    return found


def assign_ids(
    paths: Iterable[str], kept: Mapping[str, str], stated: Mapping[str, str], reserved: Collection[str]
) -> dict[str, str]:
    """Assign each file its track id. No id occurs twice.

    Parameters
    ----------
    paths : iterable of str
    kept : mapping of str to str
        Id by path of files that are known tracks.
    stated : mapping of str to str
        Id by path that the metadata table states. It goes before the kept one, which then is free for no other
        file.
    reserved : collection of str
        Ids of tracks without a file.

    Returns
    -------
    dict of str to str
        A file without a stated or kept id gets `file_id` of its path. If another track has this id, the file gets
        that of its path and a number.
    """
    listed = sorted(set(paths))
    ids = {path: stated[path] for path in listed if path in stated}
    taken = set(ids.values())
    for path in listed:
        if path not in ids and path in kept and kept[path] not in taken:
            ids[path] = kept[path]
            taken.add(kept[path])
    taken |= {*kept.values(), *stated.values(), *reserved}
    for path in listed:
        if path not in ids:
            ids[path] = next(track_id for track_id in _possible_ids(path) if track_id not in taken)
            taken.add(ids[path])
    return ids


def _possible_ids(path: str) -> Iterator[str]:
    yield file_id(path)
    yield from (file_id(f"{path}\0{number}") for number in count(1))
