from __future__ import annotations

import random
from pathlib import Path

import pytest

from segue.audio.extract import Rejection, extract
from segue.demo.damage import DAMAGES
from segue.demo.material import corpus_dir, soundfont
from segue.demo.scores import Score
from segue.demo.synthesis import Performance, encode_mp3, perform, read_notes


@pytest.fixture(scope="module")
def mp3(scores: dict[str, list[Score]]) -> bytes:
    notes, length = read_notes(corpus_dir(), scores["Jig"][0])
    return encode_mp3(perform(notes, length, Performance("brass", 100.0, -20.0), soundfont()))


@pytest.mark.parametrize("kind", sorted(DAMAGES))
def test_damage_is_rejected_for_a_stated_reason(tmp_path: Path, mp3: bytes, kind: str) -> None:
    damage = DAMAGES[kind]
    path = tmp_path / f"damaged{damage.suffix}"
    path.write_bytes(damage.apply(mp3, random.Random(1)))
    outcome = extract(path)
    assert isinstance(outcome, Rejection)
    assert outcome.reason in damage.reasons


@pytest.mark.parametrize("kind", sorted(DAMAGES))
def test_damage_is_the_same_at_every_rendering(mp3: bytes, kind: str) -> None:
    apply = DAMAGES[kind].apply
    assert apply(mp3, random.Random(1)) == apply(mp3, random.Random(1))
