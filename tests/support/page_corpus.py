"""A made-up library for the listener's page: sound, covers in the tags, genres, a champion, and a map."""

from __future__ import annotations

import io
import time
import wave
from pathlib import Path
from typing import Any

import numpy as np
from mutagen.id3 import APIC
from mutagen.wave import WAVE
from PIL import Image
from pymongo.database import Database
from scipy import sparse

from segue.audio.definition import N_FEATURES
from segue.connections.registry import Registry
from segue.connections.windows import Offsets
from segue.playlists import making
from segue.playlists.library import Library
from segue.recommender.candidate import Lineage
from segue.recommender.components.als import Hyperparameters
from segue.recommender.components.blend import Blend
from segue.recommender.components.factors import Factors
from segue.recommender.components.neighbours import Neighbours
from segue.recommender.components.popularity import Popularity
from segue.recommender.model import NAME, Catalogue, Recommender
from segue.recommender.recipe import Recipe
from segue.recommender.serving.champion import Served
from segue.settings import Settings
from segue.tracks import moods, sound_map, sounds
from segue.tracks.nearest import LiveSounds
from segue.tracks.vectors import pack

GENRES = ("Jazz", "Folk", "Electronic", "Rock", "Ambient", "Soul")
PER_ARTIST, ARTISTS = 8, 30
TRACKS = PER_ARTIST * ARTISTS
SECONDS, RATE_HZ = 16, 8_000
DAY = "2026-01-01"

FIRST = ("Paper", "Northern", "Velvet", "Slow", "Copper", "Night", "Glass", "Wild", "Silent", "Amber")
SECOND = (
    "Lanterns",
    "Ferry",
    "Orchard",
    "Machines",
    "Harbour",
    "Sparrows",
    "Quartet",
    "Static",
    "Rivers",
    "Gardens",
)
OPENING = ("Leaving", "After", "Under", "Letters from", "Half of", "Waiting for", "Nothing but", "Close to")
ENDING = ("the Rain", "October", "the Last Train", "Home", "Neon", "the Sea", "Tuesday", "Morning Light")

IDS = [f"p{i:03}" for i in range(TRACKS)]
ARTIST = [f"{FIRST[a % 10]} {SECOND[(3 * a + a // 10) % 10]}" for a in range(ARTISTS) for _ in range(PER_ARTIST)]
TITLE = [f"{OPENING[i % 8]} {ENDING[(i // 8 + 3 * i) % 8]}" for i in range(TRACKS)]
GENRE = [GENRES[i // PER_ARTIST % len(GENRES)] for i in range(TRACKS)]
WITH_COVER = [i // PER_ARTIST % 3 != 1 for i in range(TRACKS)]
"""Two thirds of the artists have covers."""

SILENT = 7
"""The one track without a file."""


def publish(database: Database[dict[str, Any]], music: Path) -> None:
    """Write the files, and publish the tracks. The map is drawn and the moods are found, too."""
    music.mkdir(parents=True)
    random = np.random.default_rng(5)
    kinds = random.normal(size=(len(GENRES), N_FEATURES))
    artists = random.normal(0, 0.6, (ARTISTS, N_FEATURES))
    genre = np.arange(TRACKS) // PER_ARTIST % len(GENRES)
    noise = random.normal(0, 2.4, (TRACKS, N_FEATURES))
    features = pack(kinds[genre] + artists[np.arange(TRACKS) // PER_ARTIST] + noise)
    for i in range(TRACKS):
        if i != SILENT:
            _write(music / f"{IDS[i]}.wav", i)
    database["tracks"].insert_many(
        {
            "_id": IDS[i],
            "title": TITLE[i],
            "artist": ARTIST[i],
            "album": f"{ARTIST[i].split()[1]} {1 + i % PER_ARTIST // 4}",
            "genre": GENRE[i],
            "path": f"{IDS[i]}.wav",
            "duration_s": float(SECONDS),
            "partition_date": DAY,
            "features": features[i],
            "tempo_bpm": 60.0 + 37 * i % 120,
            "beat_regularity": i * 7 % 100 / 100,
            "key_tonic": "G",
            "key_mode": "minor" if i % 3 else "major",
            "key_confidence": 0.4 + i % 50 / 100,
            "loudness_lufs": -30.0 + i * 11 % 24,
            "descriptors": {"spectral_centroid_hz": 900.0 + 13 * i},
        }
        for i in range(TRACKS)
    )
    database["announced"].insert_one({"_id": DAY, "day": DAY, "tracks": TRACKS, "digest": 1})
    sounds.update(database)
    sound_map.update(database)
    moods.update(database)


def model() -> Recommender:
    """Recommend a genre to those who play it."""
    random = np.random.default_rng(6)
    genre = np.arange(TRACKS) // PER_ARTIST % len(GENRES)
    factors = (np.eye(len(GENRES))[genre] + random.normal(0, 0.08, (TRACKS, len(GENRES)))).astype(np.float32)
    near = sparse.csr_matrix((genre[:, None] == genre) & ~np.eye(TRACKS, dtype=bool), dtype=np.float32)
    components = {
        "factors": Factors(factors, 10.0, 0.01),
        "popularity": Popularity(random.uniform(0, 0.1, TRACKS).astype(np.float32)),
        "sound": Neighbours(near),
    }
    weights = {"factors": 0.8, "popularity": 0.1, "sound": 0.1}
    recipe = Recipe(Hyperparameters(rank=len(GENRES)), 10.0, 0.5, 0.0, weights, 0.5, 0.0)
    return Recommender(Catalogue(IDS, TITLE, ARTIST), Blend(components, weights), recipe)


def promote(settings: Settings) -> None:
    """Register a champion."""
    registry, tags = Registry(settings), Lineage(Offsets({})).tags()
    registry.promote(registry.register(NAME, model().save, parameters={}, metrics={}, tags=tags, report={}))


def make_playlists(database: Database[dict[str, Any]]) -> None:
    """Make the daily playlists of all listeners."""
    sounds_now = LiveSounds(database)
    sounds_now.refresh()
    making.make_all(database, Library(database, sounds_now.index), Served("recommender/1", model()))


def listens(*, days: int = 28, seed: int = 3) -> list[dict[str, Any]]:
    """Make up what somebody has listened to, as a payload of submit-listens: Jazz, and less of Soul."""
    random, now = np.random.default_rng(seed), int(time.time())
    favourites = [i for i in range(TRACKS) if GENRE[i] == "Jazz"] * 2 + [
        i for i in range(TRACKS) if GENRE[i] == "Soul"
    ]
    played = []
    for day in range(days):
        for at_s in sorted(random.integers(60, 80_000, random.integers(0, 12)).tolist()):
            track = favourites[int(len(favourites) * random.random() ** 2)]
            names = {"artist_name": ARTIST[track], "track_name": TITLE[track]}
            known = {"additional_info": {"segue_track_id": IDS[track]}}
            played.append({"listened_at": now - 86_400 * day - at_s, "track_metadata": names | known})
    return played


def _write(path: Path, number: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 1, RATE_HZ, 0, "NONE", ""))
        tone = 128 + 20 * np.sin(np.arange(SECONDS * RATE_HZ) * (0.1 + 0.002 * (number % 50)))
        file.writeframes(tone.astype(np.uint8).tobytes())
    if WITH_COVER[number]:
        tagged = WAVE(path)
        tagged.add_tags()
        tagged.tags.add(APIC(encoding=3, mime="image/jpeg", type=3, desc="", data=cover(number // PER_ARTIST)))
        tagged.save()


def cover(number: int) -> bytes:
    """Paint a cover as a JPEG: soft circles on a gradient."""
    random, side = np.random.default_rng(number), 240
    x, y = np.meshgrid(np.linspace(0, 1, side), np.linspace(0, 1, side))
    colours = random.uniform(0.1, 0.95, (4, 3))
    painted = colours[0] * (1 - y[..., None]) + colours[1] * y[..., None]
    for colour in colours[2:]:
        middle, radius = random.uniform(0.1, 0.9, 2), random.uniform(0.15, 0.4)
        inside = np.hypot(x - middle[0], y - middle[1]) < radius
        painted[inside] = 0.25 * painted[inside] + 0.75 * colour
    written = io.BytesIO()
    Image.fromarray((255 * painted).astype(np.uint8)).save(written, "JPEG", quality=85)
    return written.getvalue()
