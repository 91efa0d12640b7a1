"""Tables that users bring, and FMA's own."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from segue.commands import evaluate, train
from segue.errors import CorpusError, SegueError, TrainingError
from segue.genres import fma, table


@pytest.fixture
def features():
    return pd.DataFrame(
        {
            "mfcc_mean_01": [1.0, 2.0],
            "tonnetz_std_01": [3.0, 4.0],
            "tempo": [120, 90],
            "note": ["a", "b"],
            "artist": ["X ", None],
            "genre": ["jig", ""],
        }
    )


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet"])
def test_every_column_of_numbers_is_a_feature_of_its_family(features, tmp_path, kind):
    path = tmp_path / f"table.{kind}"
    if kind == "parquet":
        features.to_parquet(path)
    else:
        features.to_csv(path, sep="," if kind == "csv" else "\t", index=False)
    read = table.read(path, "genre", "artist")
    assert read.names == ["mfcc_mean_01", "tonnetz_std_01", "tempo"]
    assert read.families == {"mfcc": [0], "tonnetz": [1], "others": [2]}
    np.testing.assert_array_equal(read.features, [[1, 3, 120], [2, 4, 90]])
    assert read.rows["genre"].tolist() == ["jig", None]
    assert read.rows["artist"].tolist() == ["X", None]
    assert read.rows["track_id"].tolist() == ["0", "1"]


def test_the_number_of_the_row_is_no_feature_and_what_is_left_out_is_said(features, tmp_path):
    path = tmp_path / "table.csv"
    features.to_csv(path)
    pd.read_csv(path).to_csv(path)  # as happens: saved with the number of the row twice
    read = table.read(path, "genre", "artist")
    assert read.names == ["mfcc_mean_01", "tonnetz_std_01", "tempo"]
    assert read.left_out_text == "Unnamed: 0.1 (without a name), Unnamed: 0 (without a name), note (not numeric)"
    assert "artist (not numeric)" in table.read(path, "genre").left_out_text
    many = features.assign(**{f"note {i}": "x" for i in range(30)})
    many.to_csv(path, index=False)
    assert table.read(path, "genre", "artist").left_out_text.endswith("note 8 (not numeric) and 21 more")


def test_the_command_says_which_columns_it_leaves_out(features, tmp_path, monkeypatch):
    features.to_csv(tmp_path / "table.csv")

    def stop():
        raise TrainingError("far enough")

    monkeypatch.setattr(train, "spark_session", stop)
    printed = CliRunner().invoke(
        train.app, ["genre", "--features", str(tmp_path / "table.csv"), "--label", "genre"]
    )
    said = [line for line in printed.stderr.splitlines() if line.startswith("Columns")]
    names = "Unnamed: 0 (without a name), note (not numeric), artist (not numeric)"
    assert said == [f"Columns that are no features: {names}."]


@pytest.mark.parametrize(
    ("label", "group", "message"),
    [
        ("style", None, "no column 'style'. Its first columns are: mfcc_mean_01"),
        ("genre", "band", "no column 'band'"),
    ],
)
def test_a_column_that_is_not_there_is_named(features, tmp_path, label, group, message):
    features.to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(TrainingError, match=message):
        table.read(tmp_path / "table.csv", label, group)


def test_what_is_no_table_is_refused(tmp_path):
    (tmp_path / "table.csv").write_text("")
    (tmp_path / "table.xlsx").write_text("x")
    pd.DataFrame({"genre": ["jig"], "name": ["x"]}).to_csv(tmp_path / "names.csv", index=False)
    for name, message in (("table.csv", "is empty"), ("table.xlsx", "must end in"), ("absent.csv", "no file")):
        with pytest.raises(CorpusError, match=message):
            table.read(tmp_path / name, "genre")
    with pytest.raises(TrainingError, match="no numeric column"):
        table.read(tmp_path / "names.csv", "genre")


@pytest.fixture
def published(tmp_path):
    """Write features.csv and tracks.csv in the layout of FMA's, of two genres that mfcc tells apart.

    features.csv has three rows of column names (feature, statistics, number) and then one that holds the name of
    the index alone; tracks.csv has two and the same. Some tracks have no top genre, and some no features.
    """
    random = np.random.default_rng(0)
    ids = range(2, 182)
    columns = [(family, "mean", f"{i:02d}") for family in ("mfcc", "tonnetz") for i in (1, 2, 3)]
    heads = zip(("feature", "statistics", "number"), zip(*columns, strict=True), strict=True)
    features = [",".join([name, *head]) for name, head in heads] + ["track_id" + "," * len(columns)]
    tracks = [
        ",album,artist,artist,set,set,track,track,track",
        ",title,id,name,split,subset,genre_top,genres,title",
        "track_id,,,,,,,,",
    ]
    splits = ["training", "training", "validation", "test"]
    for at, track in enumerate(ids):
        reel = at % 2
        subset = "small" if at < 100 else "medium" if at < 160 else "large"
        genre = ("Folk", "Rock")[reel]
        if track > 2:
            values = random.normal(size=6) + 3.0 * reel * np.array([1, 1, 1, 0, 0, 0])
            features.append(",".join([str(track), *map(repr, map(float, values))]))
        top = genre if track != 3 else ""
        tracks.append(f'{track},"A, B",{1000 + at},Ünï,{splits[at % 4]},{subset},{top},"[21, 45]","So, what"')
    (tmp_path / "features.csv").write_text("\n".join(features) + "\n")
    (tmp_path / "tracks.csv").write_text("\n".join(tracks) + "\n")
    return tmp_path


def test_a_subset_of_fma_is_read_with_its_own_split(published):
    read = fma.read(published, "medium")
    assert len(read.rows) == 158, "without the one that has no genre and the one that has no features"
    assert read.families == {"mfcc": [0, 1, 2], "tonnetz": [3, 4, 5]}
    assert set(read.rows["split"]) == {"training", "validation", "test"}


def test_its_classifiers_are_scored_for_each_selection_of_features(published):
    found = dict(fma.accuracies(fma.read(published, "large")))
    assert list(found) == ["all", "mfcc", "tonnetz"]
    assert set(found["all"]) == {"logistic regression", "kNN", "SVM (rbf)", "MLP"}
    assert found["mfcc"]["SVM (rbf)"] > 0.9 > 0.75 > found["tonnetz"]["SVM (rbf)"]


def test_fmas_table_is_printed_with_segues_model_beside_it(published, spark, monkeypatch):
    monkeypatch.setattr(evaluate, "spark_session", lambda: nullcontext(spark))
    metadata = ["fma", "--metadata", str(published)]
    printed = CliRunner(env={"COLUMNS": "200"}).invoke(evaluate.app, [*metadata, "--trials", "1"])
    assert printed.exit_code == 0, printed.output
    assert "FMA medium: accuracy on the test part, %" in printed.stdout
    for name in ("logistic regression", "kNN", "SVM (rbf)", "MLP"):
        assert name in printed.stdout
    own = re.search(r"Segue \(.*\): accuracy ([\d.]+) %, macro F1", " ".join(printed.stdout.split()))
    assert own, printed.stdout
    assert float(own[1]) > 90


def test_a_folder_that_is_not_fmas_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"no .*tracks.csv. Unpack fma_metadata.zip"):
        fma.read(tmp_path, "medium")


@pytest.mark.parametrize(
    ("option", "place", "said"),
    [
        ("--model", ".", "exists. Name a folder that does not exist yet."),
        ("--model", "nowhere/model", "There is no folder"),
        ("--report", "nowhere/report.html", "There is no folder"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_the_training(tmp_path, option, place, said):
    command = ["genre", "--features", "none.csv", "--label", "genre", option, str(tmp_path / place)]
    with pytest.raises(SegueError, match=said):
        CliRunner().invoke(train.app, command, catch_exceptions=False)


def test_a_model_is_kept_with_the_names_of_its_features(spark, tmp_path, capsys):
    from pyspark.ml import Pipeline, PipelineModel
    from pyspark.ml.feature import SQLTransformer

    rows = spark.createDataFrame([("x",)], "a string")
    model = Pipeline(stages=[SQLTransformer(statement="SELECT *, 0.0 AS b FROM __THIS__")]).fit(rows)
    trained = SimpleNamespace(
        model=model, data=SimpleNamespace(genres=["jig", "reel"]), choice={"classifier": "forest"}
    )
    train.keep_model(trained, tmp_path / "a model", ["mfcc_mean_01"])
    assert PipelineModel.load(f"file:{tmp_path}/a model").transform(rows).first().b == 0
    facts = json.loads((tmp_path / "a model" / "features.json").read_text())
    assert facts == {"features": ["mfcc_mean_01"], "genres": ["jig", "reel"], "choice": {"classifier": "forest"}}
    assert "The model is" in capsys.readouterr().out
