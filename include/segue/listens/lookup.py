"""A dictionary from names to numbers that takes 12 bytes an entry, where a `dict` of strings takes some 200."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np


class Lookup:
    """Finds the number of a key; immutable.

    Only 64-bit hashes of the keys are kept. With 100,000 keys, one look-up in 10¹⁴ of a key that is not there
    returns a number by mistake.

    Parameters
    ----------
    keys : iterable of hashable
        Their numbers are 0, 1, 2 …; a repeated key keeps its first number.
    numbers : iterable of int, optional
        Other numbers, as many as keys.
    """

    def __init__(self, keys: Iterable[Hashable], numbers: Iterable[int] | None = None) -> None:
        hashes = np.fromiter(map(hash, keys), dtype=np.int64)
        self._hashes, first = np.unique(hashes, return_index=True)
        found = first if numbers is None else np.fromiter(numbers, dtype=np.int64, count=len(hashes))[first]
        self._numbers = found.astype(np.int32)

    def __len__(self) -> int:
        """Count the keys."""
        return len(self._hashes)

    def get(self, key: Hashable) -> int | None:
        """Return the number of a key; None if it is not there."""
        wanted = hash(key)
        at = int(np.searchsorted(self._hashes, wanted))
        if at == len(self._hashes) or self._hashes[at] != wanted:
            return None
        return int(self._numbers[at])
