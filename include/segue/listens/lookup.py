"""An immutable mapping from names to numbers that takes 12 bytes an entry; a `dict` of strings takes some 200."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np


class Lookup:
    """Map keys to numbers.

    Only 64-bit hashes of the keys are stored. With 100,000 keys, one lookup in 10¹⁴ of a missing key returns a
    number by mistake.

    Parameters
    ----------
    keys : iterable of hashable
        By default, their numbers are 0, 1, 2 … A repeated key keeps its first number.
    numbers : iterable of int, optional
        The numbers of the keys, one for each key.
    """

    def __init__(self, keys: Iterable[Hashable], numbers: Iterable[int] | None = None) -> None:
        hashes = np.fromiter(map(hash, keys), dtype=np.int64)
        self._hashes, first = np.unique(hashes, return_index=True)
        found = first if numbers is None else np.fromiter(numbers, dtype=np.int64, count=len(hashes))[first]
        self._numbers = found.astype(np.int32)

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._hashes)

    def get(self, key: Hashable) -> int | None:
        """Return the number of a key, or None if the key is missing."""
        wanted = hash(key)
        at = int(np.searchsorted(self._hashes, wanted))
        if at == len(self._hashes) or self._hashes[at] != wanted:
            return None
        return int(self._numbers[at])
