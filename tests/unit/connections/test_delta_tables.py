from __future__ import annotations

import deltalake
import pytest

from segue.connections import delta_tables
from segue.errors import ServiceUnavailableError


def test_an_object_store_that_is_away_is_asked_again_by_a_retry(monkeypatch):
    def refuse(*_, **__):
        raise OSError("connection refused")

    monkeypatch.setattr(deltalake, "DeltaTable", refuse)
    with pytest.raises(ServiceUnavailableError, match="Does the object store answer") as raised:
        delta_tables.query("s3a://bucket/lake/features", "SELECT 1")
    assert raised.value.retry_may_help
