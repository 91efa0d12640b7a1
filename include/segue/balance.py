"""Class weights. They make rare classes count as much as common ones.

The cleaning report states the weights of the tracks that a run has integrated. These tracks may be those of a
single day, and may include duplicates. So each training computes the weights of its own tracks, with the same
function.
"""

from __future__ import annotations

from collections.abc import Mapping


def class_weights(counts: Mapping[str, float]) -> dict[str, float]:
    """Compute a weight for the rows of each class. All classes then weigh the same, and the mean weight is 1.

    scikit-learn calls these weights "balanced" (King and Zeng, 2001).

    Parameters
    ----------
    counts : mapping of str to float
        Number of rows of each class, or its share of them; above zero.

    Returns
    -------
    dict of str to float

    Examples
    --------
    >>> class_weights({"jig": 30, "reel": 90})
    {'jig': 2.0, 'reel': 0.6666666666666666}
    """
    total = sum(counts.values())
    return {name: total / (len(counts) * count) for name, count in counts.items()}
