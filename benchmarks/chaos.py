"""A campaign of faults on a stack of its own, which anybody can run: nothing may be lost, and nobody may get in.

    make chaos MINUTES=60 SEED=1
    .venv/bin/python benchmarks/chaos.py [--minutes 2.5] [--seed 1] [--list]

The benchmark starts Kafka, MongoDB, the API, the live recommendations and the supervisor in a temporary folder, on
free ports. Clients send listens all the time, and repeat each until it is answered with 200. Meanwhile faults are
injected one after the other: kills, suspensions, connections that break, a network that is down, steps of the
clock, a full disk, damaged files, a lost database. Beside each fault somebody attacks the API, or the token of a
user ends. After each fault the services must become healthy by themselves.

The seed decides which faults come, in which order, and for how long; ``--list`` prints them. Faults that this
machine does not allow are skipped and named. When the given minutes are over, no more faults are injected, but at
least one round of all kinds is.

At the end the listens that were answered are compared with Kafka, MongoDB and the lake. The benchmark exits with 1
if a count differs, if a token worked that had ended, or if a service needed help.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Sequence

import chaos_ground
import chaos_verdict
from chaos_attacks import Attacks
from chaos_faults import Beside, Ground, inject
from chaos_schedule import Fault, round_size, schedule
from chaos_verdict import Record
from killed import own_stack, restart
from listens_killed import CLIENTS, Load, add_users
from synthetic import publish

from segue.api.accounts import Accounts
from segue.connections import mongo
from segue.console import PlainConsole
from segue.settings import PROJECT_DIR, Settings
from segue.stack import lifecycle, listens_api
from segue.stack.service import State

PARTS = ("kafka", "mongo", "api", "live", "supervisor")
PAUSE_S = 1.0
"""Pause of each client between two requests."""
BEFORE = 500
"""Number of listens that are answered before the first fault."""
RECOVERY_S = 900.0
"""Services that are not healthy by then get `segue up`. A busy machine may need minutes instead of seconds."""
KEPT_LOGS = PROJECT_DIR / ".segue" / "chaos"

console = PlainConsole()


def main() -> None:
    """Run a campaign, print its tables, and exit with 1 if something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--minutes", type=float, default=2.5, help="for a round of all kinds; from 10 on there are more kinds"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="print the faults and exit")
    arguments = parser.parse_args()
    planned = schedule(arguments.seed, arguments.minutes)
    if arguments.list:
        for fault in planned:
            console.print(f"{fault.at_s:6.0f} s  {fault}")
        return
    chaos_ground.enter()
    console.print(f"Seed {arguments.seed}, {arguments.minutes:g} minutes, {len(planned)} faults")
    with chaos_ground.disk() as disk, own_stack(PARTS, inside=disk.folder) as settings:
        holds = campaign(settings, disk, planned, arguments.minutes)
        if not holds:
            kept = KEPT_LOGS / f"seed-{arguments.seed}"
            shutil.copytree(settings.state_dir / "logs", kept, dirs_exist_ok=True)
            console.print(f"The logs of the services are in {kept}.")
    sys.exit(0 if holds else 1)


def campaign(settings: Settings, disk: chaos_ground.Disk, planned: Sequence[Fault], minutes: float) -> bool:
    """Inject the faults under load, then compare the stores. Return whether everything holds."""
    record = Record(chaos_ground.skipped())
    users = add_users(settings, CLIENTS)
    with mongo.client(settings.mongo) as client:
        token = Accounts(client[settings.mongo_database]).add("prober")
    publish(settings, CLIENTS)
    restart(settings, PARTS, listens_api.service(settings))  # the API looks for new tracks when it starts
    attacks = Attacks(settings, planned)
    with Load(settings, users, PAUSE_S) as load:
        while len(load.answered) < BEFORE:  # a fault must have something to damage
            time.sleep(0.5)
        ground = Ground(settings, disk, load, token)
        _run(ground, attacks, planned, minutes, record)
        time.sleep(2)
    found = chaos_verdict.checks(settings, load, attacks)
    attacks.close()
    for made in (*record.tables(planned), chaos_verdict.table(found)):
        console.print(made)
    answers = ", ".join(f"{count:,} x {code}" for code, count in sorted(attacks.answers.items()))
    sent = ", ".join(f"{count:,} {what}" for what, count in sorted(attacks.requests.items()))
    console.print(
        f"{len(load.answered):,} listens answered in {load.tries:,} requests. Attacks: {sent}; {answers}"
    )
    for sentence in record.wrong + attacks.wrong:
        console.print(sentence, soft_wrap=True)
    return all(check.holds for check in found) and not record.wrong


def _run(ground: Ground, attacks: Attacks, planned: Sequence[Fault], minutes: float, record: Record) -> None:
    began = time.monotonic()
    for fault in planned:
        if fault.kind in record.skipped:
            continue
        if time.monotonic() - began > minutes * 60 and fault.number >= round_size(minutes):
            console.print(f"Time is up: {len(planned) - fault.number} of {len(planned)} faults are left out.")
            break
        time.sleep(max(0.0, began + fault.at_s - time.monotonic()))
        console.print(f"{time.monotonic() - began:6.0f} s  {fault.number}: {fault}")
        try:
            with Beside(lambda over, fault=fault: attacks.run(fault, over)):  # type: ignore[misc]
                inject(ground, fault)
                recovered_s = _recover(ground.settings, record, fault)
        except Exception as error:  # noqa: BLE001 - the campaign goes on, and fails at its end
            record.wrong.append(f"{fault.number}: {fault}: {type(error).__name__}: {error}")
            recovered_s = _recover(ground.settings, record, fault)
        record.add(fault, recovered_s)


def _recover(settings: Settings, record: Record, fault: Fault) -> float:
    """Wait until all services are healthy, and return how long it took. Help if it takes too long."""
    began = time.monotonic()
    while ill := [each.name for each in lifecycle.services(settings, PARTS) if each.state() is not State.HEALTHY]:
        if time.monotonic() - began > RECOVERY_S:
            record.wrong.append(f"{fault.number}: {fault}: {', '.join(ill)} needed `segue up`")
            lifecycle.up(settings, PARTS)
            break
        time.sleep(1)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
