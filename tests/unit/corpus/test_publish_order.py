from __future__ import annotations

from segue.corpus.publish import in_order


def test_each_task_writes_its_documents_by_day_and_id(spark):
    rows = [("b", "2026-03-02"), ("c", "2026-03-01"), ("a", "2026-03-02"), ("d", "2026-03-01")]
    documents = spark.createDataFrame(rows, "_id string, partition_date string").coalesce(1)
    assert [row["_id"] for row in in_order(documents).collect()] == ["c", "d", "a", "b"]
