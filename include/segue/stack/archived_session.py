"""A Spark session that uses what Segue's jobs use, so that the classes of all of it are in the archive.

    python -m segue.stack.archived_session FOLDER

The JVM writes the archive when it ends (see :mod:`segue.stack.archiving`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delta.tables import DeltaTable

from segue.connections.spark import session

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

NOT_CALLED = (
    "com.mongodb.client.internal.MongoClientImpl",
    "com.mongodb.spark.sql.connector.MongoTableProvider",
    "org.apache.kafka.clients.consumer.KafkaConsumer",
    "org.apache.spark.ml.classification.LogisticRegression",
    "org.apache.spark.ml.classification.RandomForestClassifier",
    "org.apache.spark.ml.evaluation.MulticlassClassificationEvaluator",
    "org.apache.spark.ml.feature.StandardScaler",
    "org.apache.spark.ml.recommendation.ALS",
    "org.apache.spark.sql.delta.commands.DeleteCommand",
    "org.apache.spark.sql.delta.commands.OptimizeTableCommand",
    "org.apache.spark.sql.kafka010.KafkaSourceProvider",
)
"""Classes that need a service, or more time than they save."""


def use(spark: SparkSession, table: str) -> None:
    """Write, change and read a table of Delta, also by Python's workers."""

    def same(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from batches

    rows = spark.range(0, 10, 1, 1).selectExpr("id", "array(id) as features")
    rows.write.format("delta").save(table)
    merge = (
        DeltaTable.forPath(spark, table)
        .alias("old")
        .merge(rows.mapInArrow(same, rows.schema).alias("new"), "old.id = new.id")
    )
    merge.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()
    spark.read.format("delta").load(table).groupBy("id").count().orderBy("id").toPandas()


def main() -> None:
    """Use a session, and wait until its JVM has written the archive."""
    folder = Path(sys.argv[1])
    spark = session("archive")
    gateway: Any = spark.sparkContext._gateway
    use(spark, str(folder / "table"))
    for name in NOT_CALLED:
        gateway.jvm.java.lang.Class.forName(name)
    spark.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()  # at its end the JVM ends too, and writes the archive
    sys.exit(gateway.proc.wait())


if __name__ == "__main__":
    main()
