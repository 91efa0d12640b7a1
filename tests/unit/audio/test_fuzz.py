"""Mutated files break nothing.

``FUZZ_FILES=2000 FUZZ_SEED=7 pytest -s tests/unit/audio/test_fuzz.py`` tries 2,000 others of each format.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

import psutil
import pytest
from tests.support.audio_files import music, write_any
from tests.support.own_process import call_in_own_process

from segue.audio.isolation.extractor import IsolatedExtractor
from segue.audio.limits import Limits
from segue.audio.reasons import Reason
from segue.audio.results import Track

FILES = int(os.environ.get("FUZZ_FILES", "300"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))

INTERESTING = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF]
"""Numbers at which sizes and counts overflow."""


CULPRITS = {Reason.EXTRACTION_FAILED, Reason.DECODER_CRASHED, Reason.TIMED_OUT, Reason.OUT_OF_MEMORY}
"""Outcomes that the mutant is kept for."""


def mutate(content: bytes, rng: random.Random) -> bytes:
    """Damage a file in one to eight places, half of them in its first or last 512 bytes, where the headers are."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        if not data:
            break
        edge = rng.randrange(min(512, len(data)))
        place = rng.choice([edge, len(data) - 1 - edge, rng.randrange(len(data)), rng.randrange(len(data))])
        length = rng.choice([1, 2, 4, 16, 256, 4096])
        match rng.randrange(7):
            case 0:
                data[place] ^= 1 << rng.randrange(8)
            case 1:
                data[place : place + length] = rng.randbytes(length)
            case 2:
                data[place : place + length] = bytes(length)
            case 3:
                del data[place : place + length]
            case 4:
                data[place:place] = data[place : place + length]
            case 5:
                width = rng.choice([1, 2, 4])
                number = rng.choice(INTERESTING) & (1 << 8 * width) - 1
                data[place : place + width] = number.to_bytes(width, rng.choice(["big", "little"]))
            case 6 if rng.random() < 0.2:
                del data[place:]
    return bytes(data)


def fuzz(folder: Path, suffix: str) -> Counter[str]:
    """Extract the features of mutants of one file; check that nothing of it is left in this process."""
    original = write_any(folder / f"original.{suffix}", music(1.5)).read_bytes()
    path = folder / f"mutant.{suffix}"
    rng = random.Random(f"{SEED} {suffix}")
    me = psutil.Process()
    handles, processes = me.num_fds(), set(me.children(recursive=True))
    outcomes: Counter[str] = Counter()
    with IsolatedExtractor(Limits(timeout_s=20.0)) as extractor:
        for number in range(FILES):
            path.write_bytes(mutate(original, rng))
            result = extractor.extract(path)
            if isinstance(result, Track):
                outcomes[f"extracted by {result.decoder}"] += 1
                continue
            outcomes[result.reason.value] += 1
            if result.reason in CULPRITS:
                path.rename(folder / f"{result.reason}-{number}.{suffix}")
                print(f"{result.reason} by mutant {number}: {result.message}")
        if extractor.pid is not None:
            child = psutil.Process(extractor.pid)
            assert not child.children()
            assert not any(file.path.startswith(str(folder)) for file in child.open_files())
    assert me.num_fds() == handles
    assert set(me.children(recursive=True)) == processes
    return outcomes


@pytest.mark.parametrize("suffix", ["mp3", "flac", "ogg", "wav", "m4a"])
def test_mutated_files_break_nothing(tmp_path: Path, suffix: str) -> None:
    outcomes = call_in_own_process(fuzz, tmp_path, suffix)
    print(f"{suffix}: {dict(outcomes)}")
    assert sum(outcomes.values()) == FILES
    assert outcomes[Reason.EXTRACTION_FAILED] == 0
