"""Which faults a campaign injects, and when: a pure function of its seed and its length.

The faults come in rounds. Each round has every kind of fault in a random order, some of them several times, each
with a random target and length. An attack over HTTP runs beside each fault.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SLOT_S = 15.0
"""From the start of one fault to that of the next. If the stack recovers more slowly, the next fault waits."""

LONG_MINUTES = 10.0
"""Campaigns from this length on also have the kinds of faults that take a minute."""

SERVICES = ("kafka", "mongo", "listens-api", "live")
STORES_AND_API = ("kafka", "mongo", "listens-api")


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Parameters
    ----------
    name : str
    targets : sequence of str
        What it may hit.
    each_round : int
        How often it occurs in a round.
    seconds : tuple of float
        Shortest and longest duration.
    loses : bool
        Whether it takes data from a store that only another store still has. No attack may send listens meanwhile.
    long : bool
        Whether only long campaigns have it.
    """

    name: str
    targets: Sequence[str] = ("",)
    each_round: int = 1
    seconds: tuple[float, float] = (0.0, 0.0)
    loses: bool = False
    long: bool = False


KINDS = (
    Kind("kill", SERVICES, each_round=2),
    Kind("pause", SERVICES, seconds=(3, 12)),
    Kind("cut connections", STORES_AND_API),
    Kind("network down", seconds=(2, 6)),
    Kind("clock step", ("+1 h", "-1 h", "+1 day", "-1 day"), seconds=(4, 8)),
    Kind("disk full", seconds=(3, 8)),
    Kind("cut segment", loses=True),
    Kind("lost index", ("index", "timeindex")),
    Kind("damaged file", SERVICES),
    Kind("lost database", loses=True, long=True),
    Kind("kill lake job", seconds=(5, 40), long=True),
)

HARMLESS = ("hostile uploads", "flood", "silent connections")
"""Attacks that send no valid listen and change no account."""

ENDINGS = ("revoke", "rotate", "forget")
"""Attacks by a user whose token ends meanwhile."""

ATTACKS = (*HARMLESS, *ENDINGS)


@dataclass(frozen=True)
class Fault:
    """One fault of a campaign.

    Parameters
    ----------
    number : int
        Counted from 0.
    at_s : float
        When it starts at the earliest, in seconds from the start of the campaign.
    kind, target : str
        See `KINDS`.
    seconds : float
        How long it lasts. 0 for faults that have no duration.
    attack : str
        One of `ATTACKS`.
    """

    number: int
    at_s: float
    kind: str
    target: str
    seconds: float
    attack: str

    def __str__(self) -> str:
        """Return one line for the log."""
        lasts = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.kind} {self.target}".rstrip() + f"{lasts}, beside: {self.attack}"


def schedule(seed: int, minutes: float) -> list[Fault]:
    """Draw the faults of a campaign.

    Parameters
    ----------
    seed : int
    minutes : float
        Length of the campaign.

    Returns
    -------
    list of Fault
        The same for the same arguments. A longer campaign of the same class begins with the same faults.
    """
    chance = random.Random(seed)
    faults, attacks = _rounds(_kinds(minutes), chance), _attacks(chance)
    drawn = []
    for number in range(int(minutes * 60 / SLOT_S)):
        kind, attack = next(faults), next(attacks)
        if kind.loses and attack not in HARMLESS:
            attack = chance.choice(HARMLESS)
        seconds = round(chance.uniform(*kind.seconds), 1)
        drawn.append(Fault(number, number * SLOT_S, kind.name, chance.choice(kind.targets), seconds, attack))
    return drawn


def round_size(minutes: float) -> int:
    """Return the number of faults of one round in a campaign of this length."""
    return sum(kind.each_round for kind in _kinds(minutes))


def _kinds(minutes: float) -> list[Kind]:
    return [kind for kind in KINDS if not kind.long or minutes >= LONG_MINUTES]


def _rounds(kinds: Sequence[Kind], chance: random.Random) -> Iterator[Kind]:
    while True:
        one = [kind for kind in kinds for _ in range(kind.each_round)]
        chance.shuffle(one)
        yield from one


def _attacks(chance: random.Random) -> Iterator[str]:
    while True:
        one = list(ATTACKS)
        chance.shuffle(one)
        yield from one
