"""Positions in a Kafka topic: offsets by partition, and the window between two of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

TOPIC_ID = "topic_id"
"""Key of the topic's id beside the partitions, in JSON."""


class Offsets(Mapping[int, int]):
    """One offset for each partition of a topic. It cannot be changed.

    The name of a variable of this type says which offsets it holds:

    - ``committed``: the offsets that a consumer group has committed;
    - ``end_offsets``: the ends of the partitions;
    - ``learned``: the offsets up to which a model has learned.

    Parameters
    ----------
    by_partition : mapping of int to int
        Offset by partition. Partitions may also be strings, as in JSON.
    topic_id : str, optional
        Id of the topic that the offsets belong to. Kafka gives each topic a new id, even if an earlier topic had
        the same name. None if it is not known, as in offsets that the previous version has stored. ``==`` does not
        compare it.

    Examples
    --------
    >>> end_offsets = Offsets({0: 120, 3: 7})
    >>> end_offsets.to_json(), end_offsets[3], end_offsets.ahead_of(Offsets({0: 100}))
    ('{"0": 120, "3": 7}', 7, 27)
    """

    def __init__(self, by_partition: Mapping[int, int] | Mapping[str, int], topic_id: str | None = None) -> None:
        self._by_partition = {int(partition): offset for partition, offset in by_partition.items()}
        self.topic_id = topic_id

    def __getitem__(self, partition: int) -> int:
        return self._by_partition[partition]

    def __iter__(self) -> Iterator[int]:
        return iter(self._by_partition)

    def __len__(self) -> int:
        return len(self._by_partition)

    def __repr__(self) -> str:
        return f"Offsets({self._by_partition})"

    def __str__(self) -> str:
        return str(self._by_partition)

    def ahead_of(self, others: Mapping[int, int]) -> int:
        """Count the offsets by which these are ahead of others.

        A partition missing in `others` counts from 0. So do all partitions if `others` belong to another topic.
        """
        if isinstance(others, Offsets) and differ(self.topic_id, others.topic_id):
            others = {}
        return sum(max(offset - others.get(partition, 0), 0) for partition, offset in self.items())

    def to_json(self) -> str:
        """Write as ``{"0": 120, …}``. If the topic's id is known, add ``"topic_id"`` beside the partitions."""
        return json.dumps(self._by_partition | _stated(self.topic_id))

    @classmethod
    def from_json(cls, text: str) -> Offsets:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        ValueError
            If the text is not a JSON object of partitions and whole numbers; the message shows the form.
        """
        wrong = f'{text!r} is not offsets by partition such as {{"0": 120}}'
        try:
            stated = json.loads(text)
            topic_id = stated.pop(TOPIC_ID, None)
            offsets = cls(stated, topic_id)
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(wrong) from error
        if not all(type(offset) is int for offset in offsets.values()):
            raise ValueError(wrong)
        return offsets


@dataclass(frozen=True)
class OffsetWindow:
    """The exact messages that a run works on: for each partition, the half-open span [start, end) of offsets.

    Parameters
    ----------
    topic
        Name of the topic.
    spans
        (start, end) by partition: offsets start ≤ offset < end.
    lost
        Number of offsets of the window that retention deleted before they were read.
    topic_id
        As for `Offsets`.
    """

    topic: str
    spans: Mapping[int, tuple[int, int]]
    lost: int = 0
    topic_id: str | None = field(default=None, compare=False)

    @property
    def size(self) -> int:
        """Number of offsets in the window. If the topic is compacted, the window may have fewer messages."""
        return sum(end - start for start, end in self.spans.values())

    @property
    def starts(self) -> Offsets:
        """The first offset of the window in each partition."""
        return Offsets({partition: start for partition, (start, _) in self.spans.items()}, self.topic_id)

    @property
    def ends(self) -> Offsets:
        """The offset after the last one of the window in each partition."""
        return Offsets({partition: end for partition, (_, end) in self.spans.items()}, self.topic_id)

    def to_json(self) -> str:
        """Write as ``{"topic": {"0": [start, end], …}}``.

        Add ``"lost"`` beside the partitions if it is not 0, and ``"topic_id"`` if it is known.
        """
        told: dict[str, object] = {str(partition): list(span) for partition, span in self.spans.items()}
        lost = {"lost": self.lost} if self.lost else {}
        return json.dumps({self.topic: told | lost | _stated(self.topic_id)})

    def is_of(self, topic: OffsetWindow) -> bool:
        """Return whether the window belongs to a topic, and not to an earlier one of the same name."""
        return not differ(self.topic_id, topic.topic_id)

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
            lost, topic_id = int(partitions.pop("lost", 0)), partitions.pop(TOPIC_ID, None)
            spans = {int(partition): (int(start), int(end)) for partition, (start, end) in partitions.items()}
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(f'{text!r} is no window such as {{"listens": {{"0": [0, 500]}}}}') from error
        wrong = [partition for partition, (start, end) in spans.items() if not 0 <= start <= end]
        if wrong:
            raise ValueError(f"{text!r}: partition {wrong[0]} starts below 0 or ends before it starts")
        return cls(topic, spans, lost, topic_id)


def differ(one: str | None, other: str | None) -> bool:
    """Return whether two topic ids are known and differ. Topics of the same name are then different topics."""
    return bool(one and other and one != other)


def _stated(topic_id: str | None) -> dict[str, str]:
    return {TOPIC_ID: topic_id} if topic_id else {}
