"""A sensor that waits for messages in Kafka without taking a worker, and an operator that commits offsets."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, BaseOperator, BaseSensorOperator
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowNotFoundException,
    AirflowRuntimeError,
    AirflowSkipException,
)
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from segue.connections import for_airflow, kafka_options
from segue.connections import offsets as broker
from segue.connections.windows import Offsets, OffsetWindow
from segue.errors import ServiceUnavailableError
from segue_connections import checked
from segue_tasks import RETRYING, TIME_LIMIT

if TYPE_CHECKING:
    from airflow.sdk import Connection, Context

POLL_INTERVAL_S = 5.0
HOLD_S = 15.0
"""How long a trigger waits before it looks for the first time.

A task that is resumed while the process that deferred it still runs fails: Airflow then reads the end of that
process as the end of the task. On a busy machine, a process takes some seconds to end.
"""


def client_config(connection: Connection) -> dict[str, Any]:
    """Read kafka-python's configuration from the extra of an Airflow connection.

    The extra is the same as for Airflow's Kafka provider:
    ``{"bootstrap.servers": "host:port", "security.protocol": …}``.
    """
    extra: dict[str, Any] = connection.extra_dejson
    if "bootstrap.servers" not in extra:
        raise ValueError(
            f"Connection {connection.conn_id!r} names no brokers: "
            'set its extra to {"bootstrap.servers": "host:port"}.'
        )
    checked(connection, for_airflow.KAFKA)
    return kafka_options.for_python(extra)


class KafkaBacklogTrigger(BaseTrigger):
    """Fire when a consumer group's backlog on a topic is large enough, or old enough.

    - Waits `hold_s`, because the sensor has just looked and its process has to end.
    - Reads the offsets every `poll_interval_s`, in a thread because kafka-python blocks.
    - If the topic, the broker or the connection is missing or does not answer, waits for it and names it in the
      log.
    - Joins no group and commits nothing. After a restart of the triggerer it starts again.
    - Fires without a window (None) if another run of its DAG is queued. Its DAG always has one active run, and
      only one. Without this rule, a run that is triggered by hand would have to wait until enough events arrive
      for the active run.

    Parameters
    ----------
    topic, group : str
    min_events : int
        Size of the backlog at which the trigger fires.
    deadline : float
        Time in seconds since 1970. From this time on, a single event suffices.
    poll_interval_s : float
    kafka_conn_id : str
    hold_s : float
        Time before the first look, in seconds.
    """

    def __init__(
        self,
        *,
        topic: str,
        group: str,
        min_events: int,
        deadline: float,
        poll_interval_s: float,
        kafka_conn_id: str,
        hold_s: float = HOLD_S,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # it has no types
        self.topic = topic
        self.group = group
        self.min_events = min_events
        self.deadline = deadline
        self.poll_interval_s = poll_interval_s
        self.kafka_conn_id = kafka_conn_id
        self.hold_s = hold_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and the arguments from which the triggerer creates this trigger again."""
        names = ("topic", "group", "min_events", "deadline", "poll_interval_s", "kafka_conn_id", "hold_s")
        return f"{__name__}.{type(self).__name__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Read the offsets until the backlog is large enough, and yield the window as JSON."""
        # The triggerer ignores namespace_levels. Without this line, kafka-python would log two lines at each poll.
        logging.getLogger("kafka").setLevel(logging.CRITICAL)
        config: dict[str, Any] = {}
        reported: object = None
        await asyncio.sleep(self.hold_s)
        while True:
            try:
                config = config or client_config(await BaseHook.aget_connection(self.kafka_conn_id))
                window = await asyncio.to_thread(broker.backlog, config, self.topic, self.group)
                state: object = window.size
            # While the API server is away, Airflow reports that the connection isn't defined.
            except (ServiceUnavailableError, AirflowNotFoundException, AirflowRuntimeError) as error:
                window, state = None, str(error)
            if window and window.size >= wanted(self.min_events, self.deadline):
                yield TriggerEvent(window.to_json())
                return
            if await self._another_run_is_queued():
                yield TriggerEvent(None)
                return
            if state != reported:
                waiting = f"{window.size} of {self.min_events} events" if window else f"Still waiting: {state}"
                self.log.info("%s: %s", self.topic, waiting)
                reported = state
            await asyncio.sleep(self.poll_interval_s)

    async def _another_run_is_queued(self) -> bool:
        if self.task_instance is None:  # not in a triggerer
            return False
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        try:
            count = await sync_to_async(RuntimeTaskInstance.get_dr_count)(
                dag_id=self.task_instance.dag_id, states=["queued"]
            )
        except AirflowRuntimeError:  # the API server is away; the next poll asks again
            return False
        return count > 0


def wanted(min_events: int, deadline: float) -> int:
    """Return how many events suffice now."""
    return min_events if time.time() < deadline else 1


class KafkaBacklogSensor(BaseSensorOperator):
    """Wait until a consumer group's backlog on a topic is large enough.

    - Looks once, and returns at once if the backlog is large enough.
    - Takes no worker while it waits: see :class:`KafkaBacklogTrigger`. Its time limit (`execution_timeout`) counts
      only the time on a worker.
    - Returns the window ``{topic: {partition: [start, end]}}``, the offsets of the backlog when the trigger fired.
      Messages that arrive later belong to the next run.
    - Never commits: see :class:`KafkaCommitOperator`. If a run fails, the next one gets its messages.
    - Skips its run if another run of its DAG is queued. Such a run was triggered by hand.
    - Does not wait if `replay_from` or `replay_offsets` is set. The window then reaches from there to the end of
      the topic.
    - If retention has deleted the first messages of the window, the log and the window say how many:
      ``{topic: {…, "lost": 3}}``.

    Parameters
    ----------
    topic, group : str
        Templated, like all parameters.
    min_events : int or str
        Size of the backlog that suffices.
    max_wait_s : float or str
        Seconds after which a single event suffices.
    replay_from : str
        Time of the first message to replay (ISO 8601, in UTC unless it has an offset). Empty: no replay.
    replay_offsets : str
        First offset to replay by partition, as JSON ``{partition: offset}``. A partition that is not named starts
        at its committed offset. Empty: no replay.
    kafka_conn_id : str
        Connection whose extra has ``bootstrap.servers``.
    """

    template_fields = (
        "topic",
        "group",
        "min_events",
        "max_wait_s",
        "replay_from",
        "replay_offsets",
        "kafka_conn_id",
    )
    ui_color = "#d8d0f0"

    def __init__(
        self,
        *,
        topic: str,
        group: str,
        min_events: int | str = 1,
        max_wait_s: float | str = 3600,
        replay_from: str = "",
        replay_offsets: str = "",
        kafka_conn_id: str = for_airflow.KAFKA,
        **kwargs: Any,
    ) -> None:
        doc = f"Wait until Kafka has enough events of the topic `{topic}` that `{group}` has not committed."
        super().__init__(**{"execution_timeout": TIME_LIMIT, "doc_md": doc, **RETRYING} | kwargs)
        self.topic = topic
        self.group = group
        self.min_events = min_events
        self.max_wait_s = max_wait_s
        self.replay_from = replay_from
        self.replay_offsets = replay_offsets
        self.kafka_conn_id = kafka_conn_id

    def execute(self, context: Context) -> dict[str, Any] | None:  # noqa: ARG002
        """Look once, then defer to the trigger. A replay does not wait."""
        if self.replay_from or self.replay_offsets:
            self.log.info("Find the events of %r since %s.", self.topic, self.replay_from or self.replay_offsets)
            return self._returned(self._replay())
        min_events, deadline = int(self.min_events), time.time() + float(self.max_wait_s)
        window = self._look()
        if window and window.size >= wanted(min_events, deadline):
            return self._returned(window)
        until = datetime.fromtimestamp(deadline, UTC)
        self.log.info(
            "Waiting for %s events of %r; %s have arrived. From %s UTC on, one suffices.",
            f"{min_events:,}",
            self.topic,
            f"{window.size:,}" if window else "an unknown number",
            f"{until:%Y-%m-%d %H:%M}",
        )
        self.defer(
            trigger=KafkaBacklogTrigger(
                topic=self.topic,
                group=self.group,
                min_events=min_events,
                deadline=deadline,
                poll_interval_s=POLL_INTERVAL_S,
                kafka_conn_id=self.kafka_conn_id,
            ),
            method_name=self.execute_complete.__name__,
        )
        return None

    def execute_complete(self, context: Context, event: str | None) -> dict[str, Any]:  # noqa: ARG002
        """Return the window that the trigger found."""
        if event is None:
            said = "Skipped: another run was triggered and goes first. This one has committed nothing."
            self.log.info(said)
            raise AirflowSkipException(said)
        return self._returned(OffsetWindow.from_json(event))

    def _look(self) -> OffsetWindow | None:
        """Return the backlog, or None if the broker or the topic is away. The trigger then waits for it."""
        logging.getLogger("kafka").setLevel(logging.CRITICAL)  # the line below says what is wrong
        try:
            config = client_config(BaseHook.get_connection(self.kafka_conn_id))
            return broker.backlog(config, self.topic, self.group)
        except (ServiceUnavailableError, AirflowNotFoundException, AirflowRuntimeError) as error:
            self.log.info("%s: still waiting: %s", self.topic, error)
            return None

    def _replay(self) -> OffsetWindow:
        start = replay_start(self.replay_from, self.replay_offsets)
        config = client_config(BaseHook.get_connection(self.kafka_conn_id))
        param = "replay_from" if self.replay_from else "replay_offsets"
        try:
            window = broker.replay(config, self.topic, self.group, start)
        except ValueError as error:
            raise AirflowFailException(f"{param}: {error}.") from None
        if not window.size:
            raise AirflowFailException(f"{param}: there is nothing to replay, as {self.topic!r} ends before it.")
        return window

    def _returned(self, window: OffsetWindow) -> dict[str, Any]:
        text = window.to_json()
        self.log.info("Group %r has a backlog of %s events of %r: %s", self.group, window.size, self.topic, text)
        if window.lost:
            self.log.warning(
                "%s events before them are lost: retention had deleted them from %r.", window.lost, self.topic
            )
        returned: dict[str, Any] = json.loads(text)
        return returned


def replay_start(replay_from: str, replay_offsets: str) -> datetime | Offsets:
    """Read where a replay starts.

    Parameters
    ----------
    replay_from, replay_offsets : str
        As in :class:`KafkaBacklogSensor`.

    Returns
    -------
    datetime or Offsets
        The time, or the offset by partition.

    Raises
    ------
    AirflowFailException
        If both are given, or if the given one cannot be read. The message names the param.
    """
    if replay_from and replay_offsets:
        raise AirflowFailException("Give replay_from or replay_offsets, not both.")
    if replay_from:
        try:
            start = datetime.fromisoformat(replay_from)
        except ValueError:
            raise AirflowFailException(
                f"replay_from is {replay_from!r}, which is no time such as 2026-11-23T08:00:00Z."
            ) from None
        return start if start.tzinfo else start.replace(tzinfo=UTC)
    with suppress(ValueError):
        if offsets := Offsets.from_json(replay_offsets):
            return offsets
    raise AirflowFailException(
        f'replay_offsets is {replay_offsets}, and not offsets by partition such as {{"0": 120}}.'
    )


class KafkaCommitOperator(BaseOperator):
    """Commit the end of a window to a consumer group, after the work on the window has succeeded.

    - It never moves a group back.
    - It commits nothing if the window is empty, or if the topic was deleted and created again since the window was
      found.

    Parameters
    ----------
    window : str
        JSON as the sensor returns it (templated).
    group : str
    kafka_conn_id : str
        Templated, like the others.
    """

    template_fields = ("window", "group", "kafka_conn_id")

    def __init__(self, *, window: str, group: str, kafka_conn_id: str = for_airflow.KAFKA, **kwargs: Any) -> None:
        doc = f"Commit the offsets of the events that were processed to the group `{group}`."
        super().__init__(**{"execution_timeout": TIME_LIMIT, "doc_md": doc, **RETRYING} | kwargs)
        self.window = window
        self.group = group
        self.kafka_conn_id = kafka_conn_id

    def execute(self, context: Context) -> None:  # noqa: ARG002
        """Commit."""
        window = OffsetWindow.from_json(self.window)
        self.log.info("Commit the offsets of %s events of %r.", f"{window.size:,}", window.topic)
        if broker.commit(client_config(BaseHook.get_connection(self.kafka_conn_id)), self.group, window):
            self.log.info("Group %r has committed %r up to %s.", self.group, window.topic, window.ends)
        else:
            self.log.warning(
                "Group %r has committed nothing: %s was deleted and created again. The next run reads it from its "
                "beginning.",
                self.group,
                window.topic,
            )
