"""A window of a Kafka topic: for each partition the half-open span [start, end) of offsets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class OffsetWindow:
    """Exactly which messages a run works on.

    Parameters
    ----------
    topic
        Name of the topic.
    spans
        Partition to (start, end): offsets start ≤ offset < end.
    lost
        How many offsets were to be in it, and were not, since retention had deleted them.
    """

    topic: str
    spans: Mapping[int, tuple[int, int]]
    lost: int = 0

    @property
    def size(self) -> int:
        """Number of offsets in the window: an upper bound of its messages where a topic is compacted."""
        return sum(end - start for start, end in self.spans.values())

    @property
    def starts(self) -> dict[int, int]:
        """Partition to the first offset of the window."""
        return {partition: start for partition, (start, _) in self.spans.items()}

    @property
    def ends(self) -> dict[int, int]:
        """Partition to the offset after the last of the window."""
        return {partition: end for partition, (_, end) in self.spans.items()}

    def to_json(self) -> str:
        """Write as ``{"topic": {"0": [start, end], …}}``; with ``"lost": n`` beside the partitions if any are."""
        told: dict[str, object] = {str(partition): list(span) for partition, span in self.spans.items()}
        return json.dumps({self.topic: told | ({"lost": self.lost} if self.lost else {})})

    @classmethod
    def from_json(cls, text: str) -> OffsetWindow:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        ValueError
            If the text is not one topic with a span per partition; the message shows the form.
        """
        try:
            [(topic, partitions)] = json.loads(text).items()
            lost = int(partitions.pop("lost", 0))
            spans = {int(partition): (int(start), int(end)) for partition, (start, end) in partitions.items()}
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(f'{text!r} is no window such as {{"listens": {{"0": [0, 500]}}}}') from error
        wrong = [partition for partition, (start, end) in spans.items() if not 0 <= start <= end]
        if wrong:
            raise ValueError(f"{text!r}: partition {wrong[0]} starts below 0 or ends before it starts")
        return cls(topic, spans, lost)
