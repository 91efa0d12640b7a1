"""One flow for every retraining of the recommender: read, screen, collect, decide, publish.

There are three retrainings:

- a full training (:mod:`.training`);
- an update with the listens that the champion has not learned (:mod:`.incremental`);
- an update with the tracks that are new in the corpus (:mod:`.new_tracks`).

They differ in which listens they read and in how they decide. Each is a `Retraining`, and :func:`retrain` runs it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from segue.connections import kafka, offsets
from segue.connections.registry import Registry
from segue.connections.windows import Offsets, OffsetWindow
from segue.errors import TrainingError
from segue.listens.removals import Removals
from segue.listens.screening import Screened, screen
from segue.recommender.candidate import Lineage, PromotionDecision
from segue.recommender.material import Material
from segue.recommender.model import NAME
from segue.recommender.reports import Figures, RetrainingReport
from segue.recommender.serving import release
from segue.runs.progress import step
from segue.tracks.reading import read_tracks
from segue.tracks.sound_vectors import fields_of, find_columns

if TYPE_CHECKING:
    from pymongo.database import Database
    from pyspark.sql import DataFrame, SparkSession

    from segue.connections.model_version import Version
    from segue.settings import Settings


@dataclass(frozen=True)
class Start:
    """What a retraining starts from, looked up once before anything is read.

    Parameters
    ----------
    registry : Registry
    champion : Version or None
        The version that served when the retraining started.
    topic : OffsetWindow
        All messages that the topic of listens held at that time. A retraining that reads only the lake does not
        ask Kafka. In that case, `topic` has no partitions.
    window : OffsetWindow
        The messages that the retraining works on. It learns from them and from everything before them.
    removed : mapping of str to float
        The listens and users that were removed: see :meth:`segue.listens.removals.Removals.all`.
    """

    registry: Registry
    champion: Version | None
    topic: OffsetWindow
    window: OffsetWindow
    removed: Mapping[str, float] = field(default_factory=dict)

    @property
    def end_offsets(self) -> Offsets:
        """The end offsets of the topic of listens."""
        return self.topic.ends

    @property
    def learned(self) -> Offsets:
        """The offsets up to which the champion has learned the topic.

        If the topic ends before these offsets, it was deleted and created again. The champion has learned nothing
        of the new topic.
        """
        learned = Lineage.of(self.champion).learned if self.champion else Offsets({})
        return Offsets({}) if learned.ahead_of(self.end_offsets) else learned

    def keep(self, reason: str, figures: Figures | None = None, html: str | None = None) -> PromotionDecision:
        """Decide that the champion goes on serving."""
        return PromotionDecision(False, str(self.champion or "none"), reason, figures=figures, html=html)


@dataclass(frozen=True)
class Retrained:
    """What a retraining has done.

    Parameters
    ----------
    start : Start
    decision : PromotionDecision
    screened : Screened or None
        None if no listens were read.
    listeners_served : int
        Listeners who got new recommendations.
    """

    start: Start
    decision: PromotionDecision
    screened: Screened | None = None
    listeners_served: int = 0

    def fields(self) -> dict[str, Any]:
        """Return the fields that all reports have: those of `RetrainingReport`, except the seconds."""
        return {
            "decision": "promoted" if self.decision.promoted else "kept",
            "reason": self.decision.reason,
            "model": self.decision.version,
            "listeners_served": self.listeners_served,
            "screened": self.screened and self.screened.counts(),
        }


class Retraining(ABC):
    """What distinguishes one retraining from another."""

    @property
    def reads_topic(self) -> bool:
        """Whether listens are read from Kafka as well as from the lake."""
        return True

    def window_in(self, topic: OffsetWindow) -> OffsetWindow:
        """Return the messages to work on, given all that the topic of listens holds."""
        return topic

    def nothing_to_do(self, start: Start) -> str | None:
        """Return the reason to keep the champion without reading anything; None if the retraining is to go on."""
        del start
        return None

    @abstractmethod
    def read(self, spark: SparkSession, settings: Settings, start: Start) -> DataFrame:
        """Read the listens, with the columns of :func:`segue.listens.training_data.read_until`."""

    @abstractmethod
    def decide(self, spark: SparkSession, start: Start, material: Material) -> PromotionDecision:
        """Make a candidate, and promote it or keep the champion."""

    @abstractmethod
    def report(self, retrained: Retrained, seconds: float) -> RetrainingReport:
        """Return the report of a job that has taken some seconds."""


def retrain(
    retraining: Retraining, spark: SparkSession, database: Database[dict[str, Any]], settings: Settings
) -> Retrained:
    """Run a retraining. It commits no offsets.

    A run that was stopped between promotion and publication is completed by the next run, whatever it decides.

    Parameters
    ----------
    retraining : Retraining
    spark : SparkSession
    database : pymongo.database.Database
        The corpus' database.
    settings : Settings

    Raises
    ------
    TrainingError
        If there is no topic of listens, or there are no listens, or too few to learn from.
    CorpusError
        If no track has one of the vectors that the settings name.
    """
    start = look_up(retraining, database, settings)
    if reason := retraining.nothing_to_do(start):
        return Retrained(start, start.keep(reason))
    if retraining.reads_topic and not start.topic.spans:
        raise TrainingError(f"There is no Kafka topic {start.topic.topic!r}: `segue up` makes it.")
    messages = retraining.read(spark, settings, start)
    vectors = find_columns(database, settings.vector_columns)
    fields = fields_of(vectors)
    tracks = read_tracks(spark, "title", "artist", "recording", *fields).cache()
    with step("Reading and screening the listens"):
        screened = screen(messages, tracks, start.removed, skip_weight=settings.skip_weight)
    if not screened.read:
        raise TrainingError(
            f"Neither the Kafka topic {start.topic.topic!r} nor the lake holds listens. Send some, such as those "
            "of simulated listeners (`segue demo` does), and run again."
        )
    material = Material.read(screened.listens, tracks, vectors)
    if retraining.reads_topic:  # what is loved and hated now was not known on a past day
        material = material.with_feedback(*release.rated_by_all(database, material.interactions.users.tolist()))
    tracks.unpersist()  # from here on ALS needs the memory of Spark
    decision = retraining.decide(spark, start, material)
    listeners = 0
    # The lists leave out tracks that were just played. Listens up to a past day do not show which these are.
    if retraining.reads_topic and (
        served := release.unpublished(database, start.registry, decision, material.catalogue)
    ):
        listeners = release.publish(spark, database, settings, served, material, start.removed)
    return Retrained(start, decision, screened, listeners)


def look_up(retraining: Retraining, database: Database[dict[str, Any]], settings: Settings) -> Start:
    """Look up what a retraining starts from: the topic, the champion and the removals."""
    registry = Registry(settings)
    # Look up the champion before the topic. The topic then ends at or after all that the champion has learned.
    champion = registry.champion(NAME)
    topic = OffsetWindow(settings.listens_topic, {})
    if retraining.reads_topic:
        topic = offsets.whole_topic(kafka.config(settings), topic.topic)
    removed = Removals(database).all()
    return Start(registry, champion, topic, retraining.window_in(topic), removed)
