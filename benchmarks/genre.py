"""Compare the genre model with common classifiers, and measure the cost of its training.

    python benchmarks/genre.py corpus FOLDER --pieces 2400   # render and extract; kept in FOLDER/features.parquet
    python benchmarks/genre.py compare FOLDER --splits 5     # tuned, against the libraries' defaults
    python benchmarks/genre.py cost --tracks 100000          # a table of 518 synthetic features, 16 classes

All models in `compare` and `cost` are fitted on the same tracks and evaluated on the same others, one after the
other in one process. CPU is that of the process and its children, Spark's JVM included.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
from lightgbm import LGBMClassifier
from numpy.typing import NDArray
from scipy import stats
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from segue.audio.definition import feature_names
from segue.genres import classifiers, training
from segue.genres.baselines import collect
from segue.genres.dataset import TEST, TRAIN, VALIDATION, Dataset
from segue.genres.evaluation import GenreEvaluation, evaluate
from segue.genres.search import Budget
from segue.genres.studies import ended_trials
from segue.genres.table import SCHEMA, FeatureTable
from segue.stack.spark_session import spark_session

TABLE = "features.parquet"
SEGUE = "Segue, tuned"


def corpus(folder: Path, pieces: int) -> None:
    """Render pieces like those of the demo, and extract their features."""
    from segue.audio.isolation.pool import extract_all
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


def compare(folder: Path, splits: int, first_split: int, trials: int, minutes: float) -> None:
    """Tune and evaluate on several splits by artist; print means, and paired differences with intervals."""
    rows: list[dict[str, Any]] = []
    table = from_parquet(folder / TABLE)
    with spark_session() as spark:
        for split in range(first_split, first_split + splits):
            frame = salted(table, split).to_spark(spark).cache()
            options = training.SearchOptions(None, "benchmark", Budget(trials, minutes), seed=split)
            clock = Clock()
            trained = training.train(frame, options, families=table.families)
            rows.append({"model": SEGUE, **scores(trained.evaluation), **clock.read()})
            plain = trained.rivals["MLlib's default"]
            rows.append({"model": "logistic regression, MLlib's default", **scores(plain)})
            rows.append(default_forest(trained.data, split))
            rows += rivals(trained.data, split)
            print(f"split {split}: chosen {dict(trained.choice)}", flush=True)
            print_table(rows)
            frame.unpersist()
    for name in ("accuracy", "macro F1"):
        print_differences(rows, name)


def salted(table: FeatureTable, split: int) -> FeatureTable:
    """Rename artists and tracks, so that the hash of their names divides them in another way."""
    renamed = {name: f"{split}/" + table.rows[name] for name in ("track_id", "artist")}
    return replace(table, rows=table.rows.assign(**renamed))


def cost(tracks: int, genres: int, trials: int, minutes: float) -> None:
    """Measure a nightly training on synthetic features, and compare its fits with scikit-learn's."""
    found: list[dict[str, Any]] = []
    with spark_session() as spark, tempfile.TemporaryDirectory() as folder:
        families = write_synthetic(Path(folder, TABLE), tracks, genres)
        frame = spark.read.schema(SCHEMA).parquet(f"{folder}/{TABLE}")
        clock = Clock()
        options = training.SearchOptions(None, "cost", Budget(trials, minutes))
        trained = training.train(frame, options, families=families)
        name = f"Segue: {len(ended_trials(trained.study))} trials, fit, baselines"
        found.append({"model": name, **scores(trained.evaluation), **clock.read()})
        print_table(found)
        data = collect(trained.data.part(TRAIN, VALIDATION)), collect(trained.data.part(TEST))
        for kind in ("logistic", "perceptron", "forest"):
            clock = Clock()
            fitted = training.fit_final_model(trained.data, classifiers.default_choice(kind), 1.0, seed=0)
            evaluation = evaluate(fitted, trained.data.part(TEST), trained.data.genres, set())
            found.append({"model": f"{kind}, one fit, Spark", **scores(evaluation), **clock.read()})
            # In a separate process, to measure its memory apart from Spark's.
            with ProcessPoolExecutor(1, get_context("spawn")) as apart:
                found.append(apart.submit(fit_same, kind, *data).result())
            print_table(found)


def write_synthetic(path: Path, tracks: int, genres: int) -> dict[str, list[int]]:
    """Write synthetic genres that overlap, with as many features as Segue has; return the feature families."""
    random = np.random.default_rng(0)
    label = random.integers(0, genres, tracks)
    centre = random.normal(size=(genres, len(feature_names())))
    features = random.normal(size=(tracks, len(feature_names()))) + 0.1 * centre[label]
    rows = pd.DataFrame(
        {
            "track_id": [f"t{i}" for i in range(tracks)],
            "genre": [f"genre {i:02d}" for i in label],
            "artist": [f"artist {i}" for i in random.integers(0, tracks // 8, tracks)],
            "features": list(features),
        }
    )
    rows.to_parquet(path, row_group_size=10_000)  # Spark reads missing columns as null
    return FeatureTable(rows, features, feature_names()).families


Part = tuple[NDArray[np.str_], NDArray[np.int64], NDArray[np.float32]]


def fit_same(kind: str, learned: Part, tested: Part) -> dict[str, Any]:
    """Fit a classifier's default choice with scikit-learn, on one core."""
    _, labels, features = learned
    choice = classifiers.default_choice(kind)
    make: dict[str, Callable[[], Any]] = {
        "logistic": lambda: LogisticRegression(C=1 / (choice["logistic_reg"] * len(labels))),
        "perceptron": lambda: MLPClassifier(
            choice["perceptron_hidden"],
            activation="logistic",
            solver="lbfgs",
            max_iter=choice["perceptron_iterations"],
        ),
        "forest": lambda: RandomForestClassifier(choice["forest_trees"], max_depth=choice["forest_depth"]),
    }
    clock = Clock(time.process_time)
    with warnings.catch_warnings(action="ignore"):  # about 100 iterations not being enough
        answers = make_pipeline(StandardScaler(), make[kind]()).fit(features, labels).predict(tested[2])
    return {"model": f"{kind}, one fit, scikit-learn", **of_answers(tested[1], answers), **clock.read()}


def default_forest(data: Dataset, seed: int) -> dict[str, Any]:
    """Fit MLlib's random forest with default parameters, and evaluate it on the test part."""
    from pyspark.ml.classification import RandomForestClassifier as Forest

    clock = Clock()
    model = Forest(seed=seed).fit(data.part(TRAIN, VALIDATION))
    answered = model.transform(data.part(TEST)).select("label", "prediction").toPandas().astype(np.int64)
    found = of_answers(answered["label"].to_numpy(), answered["prediction"].to_numpy())
    return {"model": "random forest, MLlib's default", **found, **clock.read()}


def rivals(data: Dataset, seed: int) -> list[dict[str, Any]]:
    """Fit other libraries' classifiers on the training and validation parts; evaluate them on the test part."""
    _, labels, features = collect(data.part(TRAIN, VALIDATION))
    _, truth, tested = collect(data.part(TEST))
    made: dict[str, Callable[[], Any]] = {
        "random forest, scikit-learn": lambda: RandomForestClassifier(random_state=seed),
        "SVM (rbf), scikit-learn": lambda: make_pipeline(StandardScaler(), SVC()),
        "logistic regression, scikit-learn": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
        "LightGBM": lambda: LGBMClassifier(random_state=seed, verbose=-1),
    }
    rows = []
    for name, make in made.items():
        clock = Clock(time.process_time)
        with warnings.catch_warnings(action="ignore"):  # about 100 iterations not being enough
            answers = make().fit(features, labels).predict(tested)
        rows.append({"model": name, **of_answers(truth, answers), **clock.read()})
    return rows


def of_answers(truth: NDArray[np.int64], answers: NDArray[np.int64]) -> dict[str, float]:
    """Score predictions as `scores` does."""
    return {"accuracy": accuracy_score(truth, answers), "macro F1": f1_score(truth, answers, average="macro")}


def scores(evaluation: GenreEvaluation) -> dict[str, float]:
    """Take the two figures that are compared."""
    found = evaluation.metrics()
    return {"accuracy": found["accuracy"], "macro F1": found["macro_f1"]}


def from_parquet(path: Path) -> FeatureTable:
    """Read the table that `corpus` has written."""
    from segue.genres import table

    return table.read(path, "genre", "artist")


class Clock:
    """Measures wall time, CPU time and peak memory since it was created.

    `cpu_s` returns the CPU time so far, with or without Spark's.
    """

    def __init__(self, cpu_s: Callable[[], float] = training.cpu_seconds) -> None:
        self._cpu_s = cpu_s
        self._began, self._cpu = time.monotonic(), cpu_s()
        self._peak_bytes, self._stopped = 0, threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def read(self) -> dict[str, float]:
        """Return what has been measured, and stop. Memory is that of the process and its children."""
        self._stopped.set()
        return {
            "seconds": time.monotonic() - self._began,
            "CPU s": self._cpu_s() - self._cpu,
            "peak memory, MB": max(self._peak_bytes, resident_bytes()) / 1e6,
        }

    def _watch(self) -> None:
        while not self._stopped.wait(0.5):
            self._peak_bytes = max(self._peak_bytes, resident_bytes())


def resident_bytes() -> int:
    """Resident memory of this process and its children, Spark's JVM included."""
    total, own = 0, psutil.Process()
    for each in [own, *own.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            total += each.memory_info().rss
    return total


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print the means over the splits, and the deviations of the scores."""
    table = pd.DataFrame(rows).groupby("model", sort=False)
    mean, deviation = table.mean(), table.std()
    for name in ("accuracy", "macro F1"):
        mean[f"{name} sd"] = deviation[name]
    print(mean.sort_values("macro F1", ascending=False).round(3).to_string(), flush=True)


def print_differences(rows: list[dict[str, Any]], name: str) -> None:
    """Print by how much Segue's score is higher than that of each other model, with a 95 % interval.

    The interval is Student's, of the differences on each split. The splits share tracks, so it is a little too
    narrow.
    """
    scored = pd.DataFrame(rows).groupby("model", sort=False)[name].apply(np.asarray)
    for model, found in scored.drop(SEGUE).items():
        apart = scored[SEGUE] - found
        low, high = stats.t.interval(0.95, len(apart) - 1, apart.mean(), stats.sem(apart))
        print(f"{name}: {SEGUE} minus {model}: {apart.mean():+.3f} ({low:+.3f} to {high:+.3f})", flush=True)


def main() -> None:
    """Read the arguments and run one of the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    for name in ("corpus", "compare"):
        commands.add_parser(name).add_argument("folder", type=Path)
    commands.choices["corpus"].add_argument("--pieces", type=int, default=2_400)
    commands.choices["compare"].add_argument("--splits", type=int, default=5)
    commands.choices["compare"].add_argument("--first-split", type=int, default=0)
    priced = commands.add_parser("cost")
    priced.add_argument("--tracks", type=int, default=100_000)
    priced.add_argument("--genres", type=int, default=16)
    for name in ("compare", "cost"):
        commands.choices[name].add_argument("--trials", type=int, default=20, help="most trials of each search")
        commands.choices[name].add_argument(
            "--minutes", type=float, default=10, help="longest duration of each search, in minutes"
        )
    arguments = vars(parser.parse_args())
    {"corpus": corpus, "compare": compare, "cost": cost}[arguments.pop("command")](**arguments)


if __name__ == "__main__":
    main()
