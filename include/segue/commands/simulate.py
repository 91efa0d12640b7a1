"""``segue simulate``: send the listens of simulated listeners."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated

import numpy as np
import typer

from segue.listens.events import SIMULATED
from segue.listens.matching import CatalogueEntry, TrackIndex
from segue.listens.plays import Play, event_of
from segue.listens.writer import EventWriter, NotWritten, Record
from segue.settings import get_settings

SKIP_SHARE = 0.15  # share of skipped tracks; players send no listen for them
REPLAYED = timedelta(days=30)  # time of the listeners' lives that is replayed
TICK_S = 0.1


def simulate(
    rate: Annotated[float, typer.Option(min=0.1, max=10_000, help="Listens per second.")] = 5,
    duration: Annotated[float, typer.Option(min=1, help="Duration in seconds.")] = 60,
    listeners: Annotated[int, typer.Option(min=1, help="Number of listeners.")] = 50,
    seed: Annotated[int, typer.Option(help="Seed of the listeners and their tastes.")] = 0,
) -> None:
    """Send listens of simulated listeners to Kafka.

    The listeners have tastes (genres and sounds), listen in sessions, skip, repeat, and prefer popular tracks. A
    month of their lives is replayed at the given rate. Every event has the source "simulated" and a user "sim-…".
    """
    from segue.connections import kafka
    from segue.connections.mongo import database
    from segue.connections.topics import create_topics
    from segue.demo.listeners import audience_of
    from segue.listens import catalogue

    settings = get_settings()
    audience = audience_of(settings, listeners=listeners, seed=seed)
    with database() as opened:
        entries = {entry.track_id: entry for entry in catalogue.entries(opened)}
    create_topics(settings)
    now, count = datetime.now(UTC), round(rate * duration)
    begun = audience.play(events=round(count / (1 - SKIP_SHARE)) + 1, start=now - REPLAYED, end=now)
    random = np.random.default_rng(seed)
    plays = [play for play in sorted(begun, key=lambda play: play.listened_at) if random.random() >= SKIP_SHARE]
    people = [(play.user_name, entries[play.track_id]) for play in plays if play.track_id in entries][:count]
    index = TrackIndex([CatalogueEntry(track_id, "", "") for track_id in entries])
    writer = EventWriter(kafka.config(settings))
    writer.start()
    try:
        sent, refused = asyncio.run(_send(writer, settings.listens_topic, _records(people, index), rate))
    finally:
        writer.close()
    typer.echo(
        f"Kafka has {sent:,} simulated listens of {listeners:,} listeners; it did not acknowledge {refused:,}."
    )
    if not sent:
        raise typer.Exit(1)


def _records(people: list[tuple[str, CatalogueEntry]], index: TrackIndex) -> Iterator[Record]:
    for user_name, track in people:
        info = {"segue_track_id": track.track_id, "media_player": SIMULATED}
        play = Play(int(time.time()), track.artist or "unknown", track.title or track.track_id, None, info)
        event = event_of(user_name, play, index, source=SIMULATED)
        yield user_name.encode(), event.model_dump_json(exclude_none=True).encode()


async def _send(writer: EventWriter, topic: str, records: Iterator[Record], rate: float) -> tuple[int, int]:
    """Send records at a rate that does not depend on Kafka's answers.

    Returns
    -------
    acknowledged, refused : int
        Number of records that Kafka has acknowledged, and of the others.
    """
    began, sizes, waiting = time.monotonic(), list[int](), list[asyncio.Task[None]]()
    while True:
        due = int((time.monotonic() - began) * rate) + 1 - sum(sizes)
        batch = list(islice(records, max(due, 0)))
        if due > 0 and not batch:
            break
        sizes.append(len(batch))
        waiting.append(asyncio.create_task(writer.write(topic, batch)))
        await asyncio.sleep(TICK_S)
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    refused = sum(size for size, answer in zip(sizes, answers, strict=True) if isinstance(answer, NotWritten))
    return sum(sizes) - refused, refused
