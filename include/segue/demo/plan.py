"""The plan of the sample corpus: the score, file, performance and day of each piece."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta

from segue.demo.damage import DAMAGES
from segue.demo.scores import GENRES, Score
from segue.demo.synthesis import Performance
from segue.errors import CorpusError

FIRST_DAY = date(2026, 10, 1)
DAYS = 30
_FIRST_TRACK_ID = 1001


@dataclass(frozen=True)
class Piece:
    """One file of the corpus.

    Attributes
    ----------
    path
        Relative to the music folder, with forward slashes.
    created
        Day on which the track enters the corpus: its partition.
    damage
        Key of `segue.demo.damage.DAMAGES`; None for undamaged pieces.
    labelled
        Whether the tags and the table state its genre.
    listed
        Whether the metadata table has a row for it.
    """

    track_id: str
    path: str
    score: Score
    performance: Performance
    created: date
    damage: str | None
    labelled: bool
    listed: bool


def draw(scores: dict[str, list[Score]], pieces: int, seed: int) -> list[Piece]:
    """Plan a corpus. The same arguments give the same plan.

    Parameters
    ----------
    scores
        Scores by genre, see `segue.demo.scores.catalogue`.
    pieces
        Number of undamaged pieces, divided among the genres as equally as possible. Damaged files are added: one
        for every forty pieces, at least two.
    seed
        Seed of every random choice.

    Raises
    ------
    CorpusError
        If there are fewer scores than pieces, or fewer than three pieces for each genre.
    """
    damaged = max(2, round(pieces / 40))
    total = pieces + damaged
    least = 3 * len(GENRES)
    most = len(GENRES) * (min(len(group) for group in scores.values()) * 40 // 42)
    if not least <= pieces <= most:
        raise CorpusError(
            f"A sample corpus has {least} to {most} pieces, not {pieces}. Choose a number in between."
        )

    chosen = {
        genre.name: iter(_spread_over_artists(scores[genre.name], -(-total // len(GENRES)), seed))
        for genre in GENRES
    }
    kinds = {(2 * n + 1) * total // (2 * damaged): list(DAMAGES)[n % len(DAMAGES)] for n in range(damaged)}
    oddities = random.Random(f"{seed}/oddities").sample(
        sorted(set(range(total)) - kinds.keys()), k=max(2, total // 30)
    )
    unlisted, unlabelled = set(oddities[::2]), set(oddities[1::2])

    plan = []
    for position in range(total):
        # The performance is drawn from the position alone, so it does not depend on the genre.
        performance = Performance.draw(random.Random(f"{seed}/{position}"))
        genre = GENRES[position % len(GENRES)]
        damage = kinds.get(position)
        suffix = DAMAGES[damage].suffix if damage else ".mp3"
        track_id = str(_FIRST_TRACK_ID + position)
        plan.append(
            Piece(
                track_id=track_id,
                path=f"{genre.folder}/{track_id:0>6}{suffix}",
                score=next(chosen[genre.name]),
                performance=performance,
                created=FIRST_DAY + timedelta(days=position * DAYS // total),
                damage=damage,
                labelled=position not in unlabelled,
                listed=position not in unlisted,
            )
        )
    return plan


def _spread_over_artists(scores: list[Score], count: int, seed: int) -> list[Score]:
    """Choose scores in turn from the larger artists, then from the others.

    The larger artists are those with the most scores: one for every three scores to choose, and at least four.
    """
    by_artist: dict[str, list[Score]] = defaultdict(list)
    for score in random.Random(f"{seed}/{scores[0].genre}").sample(scores, k=len(scores)):
        by_artist[score.artist].append(score)
    artists = sorted(by_artist.values(), key=lambda group: (-len(group), group[0].artist))
    many = max(4, count // 3)
    return [*_in_turn(artists[:many]), *_in_turn(artists[many:])][:count]


def _in_turn(groups: list[list[Score]]) -> list[Score]:
    longest = max(map(len, groups), default=0)
    return [group[turn] for turn in range(longest) for group in groups if turn < len(group)]
