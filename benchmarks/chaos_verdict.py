"""What a campaign has shown: the faults by kind, and whether all stores have the same listens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import chaos_damage
from chaos_attacks import Attacks
from chaos_schedule import Fault
from killed import INTERPRETED, run_spark_job
from listens_killed import LAKE_JOB, Load, in_lake, stale
from rich.table import Table

from segue.connections import mongo
from segue.listens import rebuilding
from segue.listens.events import Listen
from segue.settings import Settings


@dataclass
class Record:
    """What has happened so far.

    Parameters
    ----------
    skipped : dict of str to str
        Why kinds of faults are not injected, by kind.
    injected, attacks : Counter
        Number of faults and of attacks by kind.
    recovered_s : dict of str to float
        Longest time from the end of a fault until all services were healthy, by kind.
    wrong : list of str
        A sentence for each thing that must not happen.
    """

    skipped: dict[str, str]
    injected: Counter[str] = field(default_factory=Counter)
    recovered_s: dict[str, float] = field(default_factory=dict)
    attacks: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, fault: Fault, recovered_s: float) -> None:
        """Add a fault that was injected."""
        self.injected[fault.kind] += 1
        self.attacks[fault.attack] += 1
        self.recovered_s[fault.kind] = max(self.recovered_s.get(fault.kind, 0.0), recovered_s)

    def tables(self, planned: Sequence[Fault]) -> Iterator[Table]:
        """Make the tables of faults and of attacks."""
        faults = Table("fault", "injected", "longest recovery", "skipped", title="Faults", title_justify="left")
        for kind, count in sorted(Counter(fault.kind for fault in planned).items()):
            skipped = f"{count}, {self.skipped[kind]}" if kind in self.skipped else ""
            recovery = f"{self.recovered_s[kind]:.1f} s" if kind in self.recovered_s else ""
            faults.add_row(kind, f"{self.injected[kind]}", recovery, skipped)
        yield faults
        attacks = Table("attack", "times", title="Attacks beside them", title_justify="left")
        for name, count in sorted(self.attacks.items()):
            attacks.add_row(name, f"{count}")
        yield attacks


@dataclass(frozen=True)
class Check:
    """One line of the result: what was expected, and what was found."""

    what: str
    expected: int
    found: int

    @property
    def holds(self) -> bool:
        """Whether the campaign may call this a success."""
        return self.expected == self.found


def checks(settings: Settings, load: Load, attacks: Attacks) -> list[Check]:
    """Compare the stores with the answers. The services must be healthy, and the clients must have ended.

    A listen that was never answered with 200 may be stored, because its user's token ended before the client could
    repeat it. Such a listen must then be in all stores.
    """
    log = settings.home / "lake-job.log"
    chaos_damage.wait_until_stored(settings)
    run_spark_job(settings, log, *LAKE_JOB, properties=INTERPRETED)
    rows = in_lake(settings)
    with mongo.client(settings.mongo) as client:
        database = client[settings.mongo_database]
        kafka = {_played(event) for event in rebuilding.in_kafka(settings)}
        stored = [_played(event) for event in rebuilding.in_mongodb(database)]
        names = {
            each["_id"] for name in ("accounts", "recommendations") for each in database[name].find({}, {"_id": 1})
        }
    forgotten = attacks.forgotten
    answered = {each for each in load.answered | attacks.answered if each[0] not in forgotten}
    allowed = answered | attacks.sent
    standing = {each for each in kafka if each[0] not in forgotten}
    mongodb, lake = set(stored), set(rows)
    left = [each for each in stored + rows if each[0] in forgotten]
    return [
        Check("listens answered with 200 that are in Kafka", len(answered), len(answered & standing)),
        Check("listens answered with 200 that are in MongoDB", len(answered), len(answered & mongodb)),
        Check("listens answered with 200 that are in the lake", len(answered), len(answered & lake)),
        Check("different listens in Kafka and in MongoDB", len(standing), len(mongodb)),
        Check("different listens in Kafka and in the lake", len(standing), len(lake)),
        Check("listens that differ between the stores", 0, len((standing ^ mongodb) | (standing ^ lake))),
        Check("listens that nobody has sent", 0, len(standing - allowed)),
        Check("documents in MongoDB and rows in the lake", len(stored), len(rows)),
        Check("repeated documents and rows", 0, len(stored) - len(mongodb) + len(rows) - len(lake)),
        Check("listens, accounts and lists of forgotten users", 0, len(left) + len(forgotten & names)),
        Check("ended tokens that work", 0, len(attacks.ended_tokens_that_work())),
        Check("listeners with old recommendations", 0, len(stale(settings, load.last))),
        Check("other wrong answers", 0, len(attacks.wrong)),
    ]


def _played(event: Listen) -> tuple[str, int]:
    return event.user_name, event.listened_at


def table(found: Sequence[Check]) -> Table:
    """Make the table of checks."""
    made = Table("check", "expected", "found", "", title="Checks", title_justify="left")
    for check in found:
        made.add_row(check.what, f"{check.expected:,}", f"{check.found:,}", "" if check.holds else "DIFFERS")
    return made
