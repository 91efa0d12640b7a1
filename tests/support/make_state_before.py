"""Make the state folder that `tests/integration/test_state_before.py` starts from: the version before issue 22.

Checks that version out with an environment of its own, takes a small corpus through all its DAGs but `new_tracks`,
and packs what is left when its stack has stopped. It takes about ten minutes::

    .venv/bin/python -m tests.support.make_state_before

The part below `fill` runs in that version's environment and calls its code.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile

COMMIT = "8ab91c5"
GENRES = ("Reel", "Chorale")
TRACKS_OF_GENRE, TRACKS_OF_ARTIST = 12, 2
SPLIT = ("training", "training", "validation", "test", "test", "test")
"""Part of each artist of a genre. With fewer test tracks no genre model is better than guessing beyond chance."""

LISTENERS = 12
SAMPLE_RATE = 8_000
LEFT_OUT = (
    *("airflow/airflow.cfg", "airflow/logs", "airflow/passwords.json", "airflow/secrets.json"),
    *("kafka/log4j2.properties", "kafka/server.properties", "logs", "run", "settings.json", "spark"),
)
"""Secrets, logs, and what every start writes anew."""


def main(folder: Path) -> None:
    """Make the archive; `folder` keeps the old version and its state."""
    from tests.support.state_before import CORPUS, EXPECTED, PLACEHOLDER

    from segue.stack import ports

    code, state_dir = folder / "code", folder / "home" / CORPUS
    if not code.exists():
        code.mkdir(parents=True)
        version = folder / "code.tar"
        subprocess.run(["git", "archive", "--output", version, COMMIT], check=True)
        with tarfile.open(version) as archive:
            archive.extractall(code, filter="data")
    subprocess.run(["make", "setup"], cwd=code, check=True)
    settings: dict[str, object] = {
        "home": state_dir.parent,
        "corpus": CORPUS,
        "jars": code / ".segue" / "jars",
        "spark_driver_memory_mb": 1024,
        **ports.for_a_stack(),
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SEGUE_")}
    subprocess.run(
        [code / ".venv/bin/python", __file__, "fill", str(state_dir / EXPECTED)],
        cwd=code,
        env=inherited | {f"SEGUE_{name.upper()}": str(value) for name, value in settings.items()},
        check=True,
    )
    pack(state_dir, {str(state_dir): PLACEHOLDER, str(code): "/segue/code"})


def pack(state_dir: Path, places: dict[str, str]) -> None:
    """Replace the places that the databases name, and write the archive."""
    from tests.support.state_before import ARCHIVE, replace_in_databases

    for made_in, written in places.items():
        replace_in_databases(state_dir, made_in, written)
    ARCHIVE.parent.mkdir(exist_ok=True)
    with tarfile.open(ARCHIVE, "w:xz", preset=9) as archive:
        archive.add(state_dir, ".", filter=_packed)
    print(f"{ARCHIVE} has {ARCHIVE.stat().st_size:,} bytes.")


def _packed(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = member.name.removeprefix("./")
    if any(name == left or name.startswith(f"{left}/") for left in LEFT_OUT):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def fill(described: Path) -> None:
    """Start the old stack, let it do what it is for, write down what it says, and stop it."""
    from rich.console import Console
    from segue.serving.accounts import Accounts
    from segue.serving.forgetting import forget_in_database
    from segue.summaries import database

    from segue.demo import listeners
    from segue.demo.airflow_api import AirflowApi
    from segue.demo.watch import follow, wait_for_dags, wait_until_deferred
    from segue.settings import get_settings
    from segue.stack import airflow, lifecycle

    settings, console = get_settings(), Console()
    write_music(settings.state_dir / "music")
    lifecycle.up(settings, say=print)
    try:
        login, now = airflow.login(settings), datetime.now(UTC)
        with AirflowApi(login.url, login.username, login.password) as api, database() as opened:

            def run(dag_id: str, params: dict[str, Any]) -> None:
                run_id = api.trigger(dag_id, params)
                api.set_paused(dag_id, paused=False)
                follow(api, dag_id, run_id, console)
                api.set_paused(dag_id, paused=True)

            wait_for_dags(api, {"corpus", "listens", "genre_model", "recommender", "incremental_retraining"})
            run("corpus", {})
            audience = listeners.Audience(listeners.published_tracks(settings), listeners=LISTENERS, seed=22)
            listeners.produce(
                settings, audience.play(events=300, start=now - timedelta(days=60), end=now - timedelta(days=1))
            )
            tokens = {name: Accounts(opened).add(name) for name in ("ann", "bob", "gone")}
            url = f"http://127.0.0.1:{settings.api_port}"
            for number, (user, token) in enumerate(tokens.items()):
                with httpx.Client(base_url=url, headers={"Authorization": f"Token {token}"}, timeout=60) as player:
                    use(player, user, number, int((now - timedelta(days=2)).timestamp()))
            forget_in_database(opened, "gone")
            run("listens", {})
            run("genre_model", {"trials": 1, "minutes": 0, "search": "warm"})
            run("recommender", {"trials": 1})
            listeners.produce(settings, audience.play(events=60, start=now - timedelta(hours=5), end=now))
            run("incremental_retraining", {"min_events": 1, "max_wait_minutes": 0})
            api.set_paused("incremental_retraining", paused=False)
            wait_until_deferred(api, "incremental_retraining")
            with httpx.Client(base_url=url, timeout=60) as reader:
                described.write_text(json.dumps(describe(opened, reader, tokens)))
    finally:
        lifecycle.down(settings, say=print)


def write_music(folder: Path) -> None:
    """Write clips of two genres that differ in sound, one clip without a genre, and one file that is no audio."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(22)
    rows = ["track_id,file,title,artist,genre,date_created,split"]
    at = np.arange(int(1.5 * SAMPLE_RATE)) / SAMPLE_RATE
    for genre in range(len(GENRES)):
        for number in range(TRACKS_OF_GENRE):
            name = f"t{genre}{number:02}"
            pitches = random.uniform(200, 900, 3 + 3 * genre)
            sound = sum(np.sin(2 * np.pi * pitch * at) for pitch in pitches) / len(pitches)
            sound *= np.sin(np.pi * (2 + 6 * (1 - genre)) * at) ** 2
            sound += random.normal(0, 0.02 + 0.1 * genre, len(at))
            soundfile.write(folder / f"{name}.ogg", 0.5 * sound, SAMPLE_RATE)
            labelled = GENRES[genre] if (genre, number) != (0, 0) else ""
            artist = f"Artist {genre}{number // TRACKS_OF_ARTIST}"
            part = SPLIT[number // TRACKS_OF_ARTIST]
            rows.append(
                f"{name},{name}.ogg,Title {genre} {number},{artist},{labelled},2026-03-0{1 + genre},{part}"
            )
    (folder / "broken.mp3").write_bytes(b"no audio")
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n")


def use(player: httpx.Client, user: str, number: int, since: int) -> None:
    """Send listens, one of a track that the corpus does not have; delete one; love one track and hate another."""
    listens = [
        {
            "listened_at": since + 300 * place,
            "track_metadata": {
                "artist_name": f"Artist {number % 2}{place // TRACKS_OF_ARTIST}",
                "track_name": f"Title {number % 2} {place}",
                "release_name": "An Album",
                "additional_info": {"submission_client": "a player", "tracknumber": place},
            },
        }
        for place in range(10)
    ]
    listens[9]["track_metadata"] = {"artist_name": "Nobody", "track_name": "Not in the corpus"}
    answer = player.post("/1/submit-listens", json={"listen_type": "import", "payload": listens})
    answer.raise_for_status()

    def shown() -> list[dict[str, Any]]:
        return player.get(f"/1/user/{user}/listens", params={"count": 100}).json()["payload"]["listens"]

    eventually(lambda: len(shown()) == len(listens))
    loved, hated, deleted, *_ = [each["recording_msid"] for each in reversed(shown())]
    for msid, score in ((loved, 1), (hated, -1)):
        player.post(
            "/1/feedback/recording-feedback", json={"recording_msid": msid, "score": score}
        ).raise_for_status()
    gone = {"listened_at": listens[2]["listened_at"], "recording_msid": deleted}
    player.post("/1/delete-listen", json=gone).raise_for_status()


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    until = time.monotonic() + 120
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError("The listens did not arrive.")
        time.sleep(0.5)


def describe(database: Any, reader: httpx.Client, tokens: dict[str, str]) -> dict[str, Any]:
    """Return what the old version holds and answers, in terms that the new one must agree with."""

    def ids(collection: str, query: dict[str, Any] | None = None) -> list[str]:
        return sorted(str(found["_id"]) for found in database[collection].find(query or {}, {"_id": 1}))

    users = [user for user in tokens if user != "gone"]
    return {
        "tokens": {user: tokens[user] for user in users},
        "plays": sorted(
            [play["user_name"], play["listened_at"], play["track_id"]] for play in database["plays"].find()
        ),
        "listens": {
            user: reader.get(
                f"/1/user/{user}/listens",
                params={"count": 100},
                headers={"Authorization": f"Token {tokens[user]}"},
            ).json()["payload"]["listens"]
            for user in users
        },
        "feedback": {
            user: reader.get(
                f"/1/feedback/user/{user}/get-feedback", headers={"Authorization": f"Token {tokens[user]}"}
            ).json()["feedback"]
            for user in users
        },
        "recommendations": {
            found["_id"]: [item["track_id"] for item in found["items"]]
            for found in database["recommendations"].find()
        },
        "tracks": ids("tracks"),
        "genre_predicted": ids("tracks", {"genre_predicted": {"$exists": True}}),
        "reports": ids("reports"),
        "run_summaries": ids("run_summaries"),
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["fill"]:
        fill(Path(sys.argv[2]))
    else:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="segue-before-")).resolve())
