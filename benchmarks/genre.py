"""The genre model against what people use, and what its training costs.

    python benchmarks/genre.py corpus FOLDER --pieces 2400   # render and extract; kept in FOLDER/features.parquet
    python benchmarks/genre.py compare FOLDER --seeds 3      # tuned, against scikit-learn and default MLlib
    python benchmarks/genre.py cost --tracks 100000          # a table of 518 synthetic features, 16 classes

Everything in `compare` and `cost` is fitted on the same tracks and judged by the same others, one after the other
in one process; CPU is that of the process and its children, Spark's JVM included.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from segue.audio.definition import feature_names
from segue.commands.evaluate import spark_session
from segue.models.genre import judging, labelled, training
from segue.models.genre.baselines import collect
from segue.models.genre.labelled import TEST, TRAIN, VALIDATION
from segue.models.genre.search import Budget
from segue.models.genre.table import FeatureTable

TABLE = "features.parquet"


def corpus(folder: Path, pieces: int) -> None:
    """Render pieces as the demo's, and extract their features."""
    from segue.audio.pool import extract_all
    from segue.audio.results import Track
    from segue.demo import sample

    sample.render(
        folder, pieces=pieces, progress=lambda done, total: print(f"\r{done}/{total}", end="", flush=True)
    )
    sources = pd.read_csv(folder / "sources.csv").set_index("file")
    rows = []
    for result in extract_all([folder / name for name in sources.index]):
        if isinstance(result, Track):
            name = str(Path(str(result.path)).relative_to(folder))
            rows.append((name, *sources.loc[name, ["genre", "artist"]], *result.features))
    pd.DataFrame(rows, columns=["track_id", "genre", "artist", *feature_names()]).to_parquet(folder / TABLE)
    print(f"\n{len(rows)} tracks of {len({row[1] for row in rows})} genres in {folder / TABLE}")


def compare(folder: Path, seeds: int, trials: int) -> None:
    """Tune on the validation part and judge by the test part, for several seeds; print mean and deviation."""
    rows: list[dict[str, Any]] = []
    table = from_parquet(folder / TABLE)
    with spark_session() as spark:
        frame = table.to_spark(spark).cache()
        for seed in range(seeds):
            how = training.Search(None, "benchmark", Budget(trials, 1_000), wide=True, seed=seed)
            clock = Clock()
            trained = training.train(frame, how, families=table.families)
            rows.append({"model": "Segue, tuned", **scores(trained.judged), **clock.read()})
            plain = trained.rivals["MLlib's default"]
            rows.append({"model": "logistic regression, MLlib's default", **scores(plain)})
            rows += rivals(trained.data, seed)
    print_table(rows)


def cost(tracks: int, genres: int, trials: int) -> None:
    """Measure a nightly training on synthetic features, against scikit-learn on the same."""
    random = np.random.default_rng(0)
    label = random.integers(0, genres, tracks)
    centre = random.normal(size=(genres, len(feature_names())))
    features = random.normal(size=(tracks, len(feature_names()))) + 0.25 * centre[label]
    rows = pd.DataFrame(
        {
            "track_id": [f"t{i}" for i in range(tracks)],
            "genre": [f"genre {i:02d}" for i in label],
            "artist": [f"artist {i}" for i in random.integers(0, tracks // 8, tracks)],
            "split": None,
        }
    )
    table = FeatureTable(rows, features, feature_names())
    found: list[dict[str, Any]] = []
    with spark_session() as spark:
        frame = table.to_spark(spark).cache()
        clock = Clock()
        trained = training.train(
            frame, training.Search(None, "cost", Budget(trials, 1_000)), families=table.families
        )
        found.append({"model": f"Segue, {trials} trials and baselines", **scores(trained.judged), **clock.read()})
        found += rivals(trained.data, 0)
    print_table(found)


def rivals(data: labelled.Labelled, seed: int) -> list[dict[str, Any]]:
    """Fit scikit-learn's classifiers on train and validation part, and judge them by the test part."""
    _, labels, features = collect(data.part(TRAIN, VALIDATION))
    _, truth, tested = collect(data.part(TEST))
    made: dict[str, Callable[[], Any]] = {
        "random forest, scikit-learn": lambda: RandomForestClassifier(random_state=seed),
        "SVM (rbf), scikit-learn": lambda: make_pipeline(StandardScaler(), SVC()),
        "logistic regression, scikit-learn": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    }
    rows = []
    for name, make in made.items():
        clock = Clock()
        with warnings.catch_warnings(action="ignore"):  # that 100 iterations did not suffice
            answers = make().fit(features, labels).predict(tested)
        rows.append({"model": name, **of_answers(truth, answers), **clock.read()})
    return rows


def of_answers(truth: NDArray[np.int64], answers: NDArray[np.int64]) -> dict[str, float]:
    """Score answers as `scores` does."""
    return {"accuracy": accuracy_score(truth, answers), "macro F1": f1_score(truth, answers, average="macro")}


def scores(judged: judging.Judged) -> dict[str, float]:
    """Take the two figures that are compared."""
    found = judged.metrics()
    return {"accuracy": found["accuracy"], "macro F1": found["macro_f1"]}


def from_parquet(path: Path) -> FeatureTable:
    """Read what `corpus` has made."""
    from segue.models.genre import table

    return table.read(path, "genre", "artist")


class Clock:
    """Wall time, CPU time and peak memory from its making on."""

    def __init__(self) -> None:
        self._began, self._cpu = time.monotonic(), training.cpu_seconds()

    def read(self) -> dict[str, float]:
        """Tell what has passed; the peak is that of the whole process so far."""
        own = psutil.Process()
        memory = sum(each.memory_info().rss for each in [own, *own.children(recursive=True)])
        return {
            "seconds": time.monotonic() - self._began,
            "CPU s": training.cpu_seconds() - self._cpu,
            "memory at end, MB": memory / 1e6,
        }


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print the mean over the seeds, and the deviation of the scores."""
    table = pd.DataFrame(rows).groupby("model", sort=False)
    mean, deviation = table.mean(), table.std()
    for name in ("accuracy", "macro F1"):
        mean[f"{name} sd"] = deviation[name]
    print(mean.sort_values("macro F1", ascending=False).round(3).to_string())


def main() -> None:
    """Read the arguments and run one of the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    for name in ("corpus", "compare"):
        commands.add_parser(name).add_argument("folder", type=Path)
    commands.choices["corpus"].add_argument("--pieces", type=int, default=2_400)
    commands.choices["compare"].add_argument("--seeds", type=int, default=3)
    priced = commands.add_parser("cost")
    priced.add_argument("--tracks", type=int, default=100_000)
    priced.add_argument("--genres", type=int, default=16)
    for name in ("compare", "cost"):
        commands.choices[name].add_argument("--trials", type=int, default=20)
    arguments = vars(parser.parse_args())
    {"corpus": corpus, "compare": compare, "cost": cost}[arguments.pop("command")](**arguments)


if __name__ == "__main__":
    main()
