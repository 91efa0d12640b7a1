"""How much each class weighs, so that the rare ones count as much as the common ones.

The cleaning report states the weights of what a run has integrated. That may be a single day, and holds duplicates
too; so a training weighs the tracks that it learns from anew, by the same function.
"""

from __future__ import annotations

from collections.abc import Mapping


def class_weights(counts: Mapping[str, float]) -> dict[str, float]:
    """Weigh each row of a class so that all classes weigh the same, and a row one on average.

    scikit-learn calls it "balanced" (King and Zeng, 2001).

    Parameters
    ----------
    counts : mapping of str to float
        Rows of each class, or its share of them; above zero.

    Examples
    --------
    >>> class_weights({"jig": 30, "reel": 90})
    {'jig': 2.0, 'reel': 0.6666666666666666}
    """
    total = sum(counts.values())
    return {name: total / (len(counts) * count) for name, count in counts.items()}
