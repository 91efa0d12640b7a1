"""Train a small model of Spark, store it in the registry, promote it, and load the champion.

Prints where its files are, and what the loaded model predicts.
"""

from __future__ import annotations

from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.linalg import Vectors

from segue.connections import loading_back, spark
from segue.connections.registry import Registry
from segue.settings import get_settings

NAME = "toy"


def main() -> None:
    with spark.job("store-model") as session:
        rows = [(Vectors.dense(float(x)), float(x > 4)) for x in range(10)]
        table = session.createDataFrame(rows, ["features", "label"]).repartition(2)
        model = Pipeline(stages=[LogisticRegression()]).fit(table)
        registry = Registry(get_settings())
        version = registry.register(NAME, model, parameters={}, metrics={}, tags={}, report={})
        loading_back.require(version, session)
        registry.promote(version)
        champion = registry.champion(NAME)
        assert champion is not None
        predicted = [row.prediction for row in champion.load().transform(table).sort("features").collect()]
        print(champion.location, sum(predicted), sorted(path.name for path in champion.folder().iterdir()))


if __name__ == "__main__":
    main()
