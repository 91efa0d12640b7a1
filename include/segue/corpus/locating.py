"""Find the files that the rows of a metadata table name, even if the table writes the names in another way.

People write their tables with other tools, on other computers. So these differences are ignored: composed and
decomposed letters of Unicode, case, ``./``, backslashes, blanks around names, and the folder above the music in
absolute paths.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

_ABSOLUTE = re.compile(r"^(?:file:|[\\/]|[A-Za-z]:[\\/])")


def locate(names: Sequence[str], paths: Iterable[str]) -> list[str | None]:
    """Find the file of each name.

    Parameters
    ----------
    names : sequence of str
        As a table has them.
    paths : iterable of str
        All files of the corpus, as `segue.corpus.listing.AudioFile` has them.

    Returns
    -------
    list of (str or None)
        The path for each name. None if there is no such file. None also if the name is not exact, and the paths
        of several files match it.
    """
    exact = set(paths)
    folded: dict[tuple[str, ...], str | None] = {}
    for path in exact:
        key = _key(path)
        folded[key] = None if key in folded else path
    found = [name if name in exact else folded.get(_key(name)) for name in names]
    root = _common_root([name for name, path in zip(names, found, strict=True) if path is None], folded)
    if root is None:
        return found
    return [
        folded.get(key[len(root) :])
        if path is None and _ABSOLUTE.match(name) and (key := _key(name))[: len(root)] == root
        else path
        for name, path in zip(names, found, strict=True)
    ]


def _key(path: str) -> tuple[str, ...]:
    """Return the parts of a path, normalised so that the ignored differences disappear."""
    text = unicodedata.normalize("NFC", path).replace("\\", "/").casefold()
    return tuple(part for each in text.split("/") if (part := each.strip()) not in ("", "."))


def _common_root(names: Iterable[str], folded: dict[tuple[str, ...], str | None]) -> tuple[str, ...] | None:
    """Find the folder to remove from the absolute names, so that as many as possible are files of the corpus."""
    roots: Counter[tuple[str, ...]] = Counter()
    for name in names:
        if _ABSOLUTE.match(name):
            key = _key(name)
            roots.update(key[:cut] for cut in range(1, len(key)) if folded.get(key[cut:]))
    return max(roots, key=lambda root: (roots[root], -len(root)), default=None)
