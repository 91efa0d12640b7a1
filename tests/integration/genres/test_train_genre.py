"""The Spark job `train_genre` on corpora that no model can be learned from, and with a server that is killed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from segue import locks
from segue.audio.definition import N_FEATURES
from segue.genres.reports import GenreReport
from segue.runs import summaries
from segue.settings import Settings
from segue.stack import documents as server
from segue.stack import lifecycle, supervisor
from segue.tracks import reading
from segue.tracks.vectors import pack

pytestmark = pytest.mark.integration

Job = Callable[..., Callable[[], None]]


def publish(mongo: Any, *genres: str | None, tracks: int = 60) -> None:
    """Publish tracks by 15 artists a genre; every feature tells the genres apart."""
    random = np.random.default_rng(0)
    rows = [
        {
            "_id": f"{genre}-{i}",
            "artist": f"band {i % 15} {genre}",
            "genre": genre,
            "features": pack(random.normal(size=N_FEATURES) + number)[0],
            "flags": [],
        }
        for number, genre in enumerate(genres)
        for i in range(tracks)
    ]
    mongo["tracks"].insert_many(rows, bypass_document_validation=True)


@pytest.mark.parametrize(
    ("genres", "reason"),
    [
        ([], "No published track has a genre"),
        ([None], "No published track has a genre"),
        (["jig"], "needs two genres of at least 10 tracks each. The corpus has: jig 60"),
    ],
)
def test_a_corpus_with_nothing_to_learn_from_is_skipped_with_the_reason(
    job: Job, mongo: Any, genres: list[str | None], reason: str
) -> None:
    if genres:
        publish(mongo, *genres)
    job("train_genre")()
    told = summaries.require("a/nothing", GenreReport, source=mongo)
    assert told.decision == "skipped"
    assert reason in told.reason
    assert told.predictions.reason == "there is no genre champion yet"


def test_a_server_killed_while_the_tracks_are_read_fails_the_job_and_the_retry_completes(
    job: Job, mongo: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(mongo, "jig", "reel")
    main = job("train_genre", "--trials", "1")
    with monkeypatch.context() as patch:
        snapshot = reading.snapshot

        def kill_and_read(tracks: Any) -> dict[str, str]:
            process = server.service(settings).process()
            assert process is not None
            process.kill()
            process.wait()
            return snapshot(tracks)

        patch.setattr(reading, "snapshot", kill_and_read)
        # Tests before this one may have started the supervisor, which would start the server again.
        with locks.exclusive(settings.home / supervisor.LOCK), pytest.raises(Exception, match=r"(?i)mongo"):
            main()
    lifecycle.up(settings, ["mongo"])
    main()
    told = summaries.require("a/nothing", GenreReport, source=mongo)
    assert (told.decision, told.model) == ("promoted", "genre/1")
    assert told.trained is not None
    assert sum(told.trained.tracks.values()) == 120
