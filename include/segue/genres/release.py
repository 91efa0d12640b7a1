"""Let the better genre model serve: challenger against champion, on the same test tracks."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version as package_version
from typing import TYPE_CHECKING, Any

from segue.audio.definition import FEATURE_VERSION
from segue.errors import ModelError, TrainingError
from segue.genres import judging, report
from segue.genres.classifiers import Choice
from segue.genres.importance import by_family
from segue.genres.judging import Difference, Judged, judge
from segue.genres.labelled import TEST, Labelled
from segue.genres.studies import done
from segue.genres.training import Search, Trained, artists, train
from segue.runs.progress import Say, step
from segue.settings import PROJECT_DIR

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from segue.connections.registry import Registry, Version

NAME = "genre"

REMEMBERED = 3
"""Choices of the past that a search begins with."""


@dataclass(frozen=True)
class Decision:
    """What came of a training.

    Parameters
    ----------
    outcome : str
        ``promoted`` or ``kept``.
    reason : str
    model : str
        The champion now, such as ``genre/3``.
    challenger : str
        The version that was trained.
    against : str
        The rival that had to be beaten.
    difference : Difference
    page : str
        The report, in HTML.
    """

    outcome: str
    reason: str
    model: str
    challenger: str
    against: str
    difference: Difference
    page: str


def release(
    tracks: DataFrame,
    registry: Registry,
    how: Search,
    *,
    made_from: Mapping[str, str] | None = None,
    links: Mapping[str, str] | None = None,
    say: Say = print,
) -> tuple[Trained, Decision]:
    """Train a challenger, keep it as a version, and promote it if it is better than the champion beyond chance.

    Where there is no usable champion, it has to be better than guessing.

    Parameters
    ----------
    tracks : DataFrame
        As for `train`.
    registry : Registry
    how : Search
    made_from : mapping of str to str
        Versions of the data, kept with the model.
    links : mapping of str to str
        For the report: see `segue.runs.reports.links`.
    say : callable

    Raises
    ------
    TrainingError
        As `train`; and if the model is no better than guessing and there is no champion to keep.
    """
    versions = [version for version in registry.versions() if version.name == NAME]
    champion = registry.champion(NAME)
    by_track = sorted({genre for version in versions for genre in _split_by_track(version)})
    trained = train(tracks, how, known=_known(versions, champion), split_by_track=by_track, say=say)
    against, rival, moved = "guessing", trained.rivals["guessing"], set[str]()
    if champion and (incumbent := _incumbent(champion, trained, say)):
        against, rival, moved = f"champion {champion}", incumbent, divided_anew(champion, trained.data)
        trained = replace(trained, rivals={against: incumbent, **trained.rivals})
    difference, reason = weigh(trained.judged, rival, against, moved, how.seed)
    if not difference.better and champion is None:
        raise TrainingError(
            f"The genre model is no better than guessing ({reason}), and there is no champion to keep."
        )
    outcome = "promoted" if difference.better else "kept"
    origin = {"feature_version": FEATURE_VERSION, "code_version": code_version(), **(made_from or {})}
    verdict = f"{outcome.capitalize()}: {reason}." if difference.better else f"{champion} is kept: {reason}."
    with step("Measuring the importance of the families of features", say=say):
        importance = by_family(trained.model, trained.data, seed=how.seed)
    with step("Writing the report", say=say):
        page = report.page(trained, verdict, importance, {"Run": how.name, **origin}, links=links)
        differences = {
            name: difference if name == against else judging.compare(trained.judged, each, how.seed)
            for name, each in trained.rivals.items()
        }
    with step("Keeping the model in the registry", say=say):
        registry.prune(NAME)  # a version a night, each with its report
        version = _register(registry, trained, how, origin, page, differences)
    if difference.better:
        registry.promote(version)
    serving = str(version if difference.better else champion)
    return trained, Decision(outcome, reason, serving, str(version), against, difference, page)


def weigh(
    challenger: Judged, rival: Judged, against: str, moved: Collection[str], seed: int
) -> tuple[Difference, str]:
    """Compare a challenger with its rival, on test tracks that neither has learned from, and say what came of it.

    Parameters
    ----------
    challenger, rival : Judged
    against : str
        What the rival is called.
    moved : collection of str
        Genres whose tracks the rival may have learned from: see `divided_anew`.
    seed : int
    """
    challenger, rival = challenger.without(moved), rival.without(moved)
    difference = judging.compare(challenger, rival, seed)
    but = f", without {', '.join(sorted(moved))}, divided anew since it learned" if moved else ""
    return difference, (
        f"macro F1 {challenger.macro_f1:.3f} against {rival.macro_f1:.3f} of {against} on {len(rival.tracks)} "
        f"test tracks{but}: {'better' if difference.better else 'not better'} beyond chance "
        f"(at 95 % confidence the difference is above {difference.low:+.3f}; McNemar p = {difference.mcnemar:.2g})"
    )


def divided_anew(champion: Version, data: Labelled) -> set[str]:
    """Name the genres that were split by artist when the champion learned and are by track now, or the other way.

    What it has learned from can be in the test part now. Of a genre that it does not know it has seen no track.
    """
    known = set(json.loads(champion.tags.get("genres", "[]"))) & set(data.genres)
    return known & (set(_split_by_track(champion)) ^ set(data.split_by_track))


def nothing_to_refit(registry: Registry, made_from: Mapping[str, str]) -> str | None:
    """Tell why the champion's choice need not be fitted again; None if it must.

    Parameters
    ----------
    registry : Registry
    made_from : mapping of str to str
        What was read, as `segue.tracks.reading.snapshot` tells it.
    """
    if registry.champion(NAME) is None:
        return "there is no genre model yet; the nightly training makes the first"
    latest = next(version for version in registry.versions() if version.name == NAME)
    if made_from.items() <= latest.tags.items():
        return f"{latest} was made from the same tracks and labels"
    return None


def summary(trained: Trained, decision: Decision) -> dict[str, Any]:
    """Tell what belongs in the run's summary."""
    return {
        "decision": decision.outcome,
        "reason": decision.reason,
        "model": decision.model,
        "challenger": decision.challenger,
        "chosen": dict(trained.choice),
        "trials": len(done(trained.study)),
        "search_s": trained.search_s,
        "search_cpu_s": trained.search_cpu_s,
        "test": trained.judged.metrics(),
        "rivals": {name: rival.metrics()["macro_f1"] for name, rival in trained.rivals.items()},
        "tracks": dict(trained.sizes),
        "rejected": dict(trained.data.rejected),
        "split_by_track": list(trained.data.split_by_track),
    }


def _incumbent(champion: Version, trained: Trained, say: Say) -> Judged | None:
    """Judge the champion by the same tracks; None if it cannot be used."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    if champion.tags.get("feature_version", FEATURE_VERSION) != FEATURE_VERSION:
        say(f"{champion} takes features of another version, so it is not compared with.")
        return None
    if "choice" not in champion.tags:
        say(f"{champion} is of an older form, without probabilities, so it is not compared with.")
        return None
    if len(set(trained.data.genres) - divided_anew(champion, trained.data)) < 2:
        say(f"The genres have been divided anew since {champion} learned, so it is not compared with.")
        return None
    try:
        with step(f"Letting {champion} answer the same test tracks", say=say):
            return judge(champion.load(), trained.data.part(TEST), trained.data.genres, artists(trained.data))
    except (ModelError, PySparkException, Py4JError) as error:
        reason = str(error).partition("\n")[0]
        say(f"The champion cannot be used, so it is not compared with. {reason}")
        return None


def _split_by_track(version: Version) -> list[str]:
    found: list[str] = json.loads(version.tags.get("split_by_track", "[]"))
    return found


def _known(versions: Sequence[Version], champion: Version | None) -> list[Choice]:
    """List the choices of the champion and of the latest versions, each once."""
    latest = sorted(versions, key=lambda version: champion is None or version.number != champion.number)
    choices = [json.loads(each.tags["choice"]) for each in latest if "choice" in each.tags]
    return [choice for i, choice in enumerate(choices) if choice not in choices[:i]][:REMEMBERED]


def _register(
    registry: Registry,
    trained: Trained,
    how: Search,
    origin: Mapping[str, str],
    page: str,
    differences: Mapping[str, Difference],
) -> Version:
    judged = trained.judged
    return registry.register(
        NAME,
        trained.model,
        parameters={**trained.choice, "seed": how.seed, "trials": len(done(trained.study))},
        metrics={f"test_{name}": value for name, value in judged.metrics().items()},
        tags={
            "choice": json.dumps(dict(trained.choice)),
            "genres": json.dumps(list(trained.data.genres)),
            "tracks": str(sum(trained.sizes.values())),
            "split_by_track": json.dumps(list(trained.data.split_by_track)),
            **origin,
        },
        report={
            "test": judged.metrics(),
            "intervals": judged.intervals(how.seed),
            "by_genre": judged.classification.by_class(),
            "confusion": judged.classification.confusion.tolist(),
            "by_slice": judged.by_slice(),
            "rivals": {name: rival.metrics() for name, rival in trained.rivals.items()},
            "against": {name: asdict(difference) for name, difference in differences.items()},
            "tracks": dict(trained.sizes),
            "class_weights": dict(trained.data.weights),
            "rejected": dict(trained.data.rejected),
        },
        texts={"report.html": page},
    )


def code_version() -> str:
    """Name this package's version, and the commit where it runs from a clone."""
    number = package_version("segue")
    git = ["git", "-C", str(PROJECT_DIR), "rev-parse", "--short", "HEAD"]
    found = subprocess.run(git, capture_output=True, text=True, check=False)
    return f"{number}+{found.stdout.strip()}" if found.returncode == 0 else number
