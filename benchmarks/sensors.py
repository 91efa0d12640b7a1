"""Measure the cost of idle Kafka sensors in a triggerer, and how soon one wakes up.

    .venv/bin/python benchmarks/sensors.py [--sensors 100] [--seconds 60] [--wakes 10]

The benchmark starts its own broker. The triggers share one event loop in this process, as in a triggerer. Each
waits for the backlog of a separate consumer group. The cost is CPU time and resident memory of this process.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import sys
import time

import numpy as np
import psutil
from kafka import KafkaProducer
from killed import console, own_stack

from segue.connections import for_airflow, offsets, topics
from segue.connections.kafka import config as kafka_config
from segue.settings import PROJECT_DIR, Settings

TOPIC = "sensors"
NEVER = 2**31


def trigger(group: str, min_events: int):
    """Make the sensor's trigger, with its default interval."""
    from segue_kafka import KafkaBacklogTrigger

    return KafkaBacklogTrigger(
        topic=TOPIC,
        group=group,
        min_events=min_events,
        deadline=time.time() + 86_400,
        poll_interval_s=5,
        kafka_conn_id="kafka_default",
    )


async def idle(sensors: int, seconds: float) -> tuple[float, float]:
    """Let sensors wait; return the CPU seconds used meanwhile and the resident MB at the end."""
    waiting = []
    for number in range(sensors):
        waiting.append(asyncio.create_task(anext(trigger(f"idle-{number}", NEVER).run())))
        await asyncio.sleep(5 / sensors)  # spread over the interval
    process = psutil.Process()
    before = sum(process.cpu_times()[:2])
    await asyncio.sleep(seconds)
    used, resident = sum(process.cpu_times()[:2]) - before, process.memory_info().rss / 2**20
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    return used, resident


async def wake(settings: Settings, number: int) -> float:
    """Return the seconds from the acknowledgement of the one event that is needed until the trigger fires."""
    group = f"wake-{number}"
    config = kafka_config(settings)
    await asyncio.to_thread(offsets.commit, config, group, offsets.whole_topic(config, TOPIC))
    waiting = asyncio.create_task(anext(trigger(group, 1).run()))
    await asyncio.sleep(random.uniform(5, 10))

    def send() -> None:
        with KafkaProducer(**config, acks="all") as producer:
            producer.send(TOPIC, b"x").get()

    await asyncio.to_thread(send)
    began = time.monotonic()
    await waiting
    return time.monotonic() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sensors", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--wakes", type=int, default=10)
    arguments = parser.parse_args()
    sys.path.insert(0, str(PROJECT_DIR / "plugins"))
    logging.disable(logging.INFO)
    with own_stack(["kafka"]) as settings:
        os.environ["AIRFLOW_HOME"] = str(settings.home / "airflow")
        os.environ |= for_airflow.variables(settings)
        topics.create_listens_topic(kafka_config(settings), TOPIC)
        for sensors in (1, arguments.sensors):
            used, resident = asyncio.run(idle(sensors, arguments.seconds))
            share = 100 * used / arguments.seconds
            console.print(f"{sensors:3} idle sensors: {share:.1f} % of a core, {resident:.0f} MB resident")
        delays = [asyncio.run(wake(settings, number)) for number in range(arguments.wakes)]
        console.print(f"wake-up of {len(delays)}: median {np.median(delays):.1f} s, worst {max(delays):.1f} s")


if __name__ == "__main__":
    main()
