"""Errors of Java for which a job says a remedy: their texts are still those of Java."""

from __future__ import annotations

from typing import Any

import pytest
from py4j.protocol import Py4JJavaError

from segue.connections.spark import _REMEDIES

pytestmark = pytest.mark.integration


def test_without_the_jars_of_an_object_store(spark: Any) -> None:
    context = spark.sparkContext
    path = context._jvm.org.apache.hadoop.fs.Path("s3a://segue/lake")
    with pytest.raises(Py4JJavaError) as raised:
        path.getFileSystem(context._jsc.hadoopConfiguration())
    [remedy] = [remedy for text, remedy in _REMEDIES.items() if text in str(raised.value)]
    assert "Run `segue jars`" in remedy
