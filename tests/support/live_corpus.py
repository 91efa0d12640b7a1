"""A made-up corpus with a champion that knows it, listeners of it, and the worker that recommends live."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
from liblistenbrainz import Listen as ClientListen
from liblistenbrainz import ListenBrainz
from pymongo.database import Database
from scipy import sparse
from tests.support.api_server import free_port
from tests.support.shared_secrets import share_secrets

from segue.audio.definition import N_FEATURES
from segue.connections.registry import Registry
from segue.connections.windows import Offsets
from segue.recommender.candidate import Lineage
from segue.recommender.components.als import Hyperparameters
from segue.recommender.components.blend import Blend
from segue.recommender.components.factors import Factors
from segue.recommender.components.neighbours import Neighbours
from segue.recommender.components.popularity import Popularity
from segue.recommender.interactions import Interactions
from segue.recommender.material import Material
from segue.recommender.model import NAME, Catalogue, Recommender
from segue.recommender.recipe import Audio, Recipe
from segue.settings import Settings
from segue.tracks import sounds
from segue.tracks.vectors import pack

TRACKS = 40
LISTENERS = 5


def settings_of(settings: Settings, name: str) -> Settings:
    """Settings of a corpus of its own, with its own topics, database and registry, on shared services."""
    changed = {
        "corpus": name,
        "api_port": free_port(),
        "mongo_database": f"segue-{name}",
        "listens_topic": f"{name}-listens",
        "feedback_topic": f"{name}-feedback",
        "dead_letters_topic": f"{name}-listens.dlq",
        "accounts_topic": f"{name}-accounts",
        "recommendations_topic": f"{name}-recommendations",
        "live_group": f"segue-{name}",
        "api_requests_per_window": 100_000,
        "music": settings.home / f"{name}-music",
    }
    made = settings.model_copy(update=changed)
    share_secrets(settings, made)
    return made


def model(seed: int, rank: int = 2) -> Recommender:
    """Two kinds of tracks, even and odd; who plays one kind is recommended it."""
    random = np.random.default_rng(seed)
    kind = np.arange(TRACKS) % 2
    factors = (np.eye(rank)[kind] + random.normal(0, 0.05, (TRACKS, rank))).astype(np.float32)
    near = sparse.csr_matrix((kind[:, None] == kind[None, :]) & ~np.eye(TRACKS, dtype=bool), dtype=np.float32)
    components = {
        "factors": Factors(factors, 10.0, 0.01),
        "popularity": Popularity(np.linspace(1, 2, TRACKS, dtype=np.float32)),
        "sound": Neighbours(near),
    }
    weights = {"factors": 0.8, "popularity": 0.1, "sound": 0.1}
    recipe = Recipe(Hyperparameters(rank=rank), 10.0, 0.5, 0.0, weights, 0.5, 0.0)
    names = [f"t{i:02}" for i in range(TRACKS)]
    catalogue = Catalogue(names, [f"Title {i}" for i in range(TRACKS)], [f"Artist {i}" for i in range(TRACKS)])
    return Recommender(catalogue, Blend(components, weights), recipe)


def material(catalogue: Catalogue) -> Material:
    """Let each of `LISTENERS` play two tracks."""
    user = np.repeat(np.arange(LISTENERS), 2)
    item = np.arange(2 * LISTENERS) % len(catalogue)
    names = np.array([f"listener {i}" for i in range(LISTENERS)])
    ones, times = np.ones(len(user), dtype=np.float32), np.arange(len(user), dtype=np.float64)
    plays = Interactions(user, item, ones, times, names, np.asarray(catalogue.track_ids, dtype=str))
    sounds = np.eye(len(catalogue), dtype=np.float32)
    return Material(plays, np.zeros((len(user), 2), np.int32), catalogue, Audio(sounds, catalogue.artists))


def promote(settings: Settings, seed: int, rank: int = 2) -> str:
    registry = Registry(settings)
    tags = Lineage(Offsets({})).tags()
    version = registry.register(NAME, model(seed, rank).save, parameters={}, metrics={}, tags=tags, report={})
    registry.promote(version)
    return str(version)


def publish(database: Database[dict[str, Any]]) -> None:
    """Publish tracks of two sounds, even and odd; every fourth has a MusicBrainz id."""
    catalogue, random = model(0).catalogue, np.random.default_rng(0)
    kinds = random.normal(size=(2, N_FEATURES))
    features = pack(kinds[np.arange(TRACKS) % 2] + random.normal(0, 0.3, (TRACKS, N_FEATURES)))
    database["tracks"].insert_many(
        {"_id": i, "title": t, "artist": a, "path": f"{i}.mp3", "partition_date": "2026-01-01"}
        | {"features": features[number], "duration_s": 200.0, "genre": ("Jazz", "Rock")[number % 2]}
        | ({} if number % 4 else {"recording_mbid": mbid_of(number)})
        for number, (i, t, a) in enumerate(
            zip(catalogue.track_ids, catalogue.titles, catalogue.artists, strict=True)
        )
    )
    database["announced"].insert_one({"_id": "2026-01-01", "day": "2026-01-01", "tracks": TRACKS, "digest": 1})
    sounds.update(database)


def mbid_of(track: int) -> str:
    """Make up a MusicBrainz id, in capitals, as some tags have it."""
    return f"ABCDEF00-0000-4000-8000-{track:012}"


class Worker:
    """One member of the group that recommends live."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "segue.recommender.serving.live"]
        self._process = subprocess.Popen(command, env=dict(environment(self._settings)))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)


def environment(settings: Settings) -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("SEGUE_")} | {
        f"SEGUE_{name.upper()}": str(value) for name, value in settings if value is not None
    }


def play(api: str, token: str, *tracks: int, ago_s: int = 60) -> None:
    """Scrobble as a player does, with the real client."""
    player = ListenBrainz(api_base_url=api)
    player.set_auth_token(token)
    catalogue = model(0).catalogue
    for i, track in enumerate(tracks):
        player.submit_single_listen(
            ClientListen(
                track_name=catalogue.titles[track],
                artist_name=catalogue.artists[track],
                listened_at=int(time.time()) - ago_s - i,
            )
        )
