"""What Prometheus is told, on a real broker and document server."""

from __future__ import annotations

import time
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families
from pymongo.database import Database
from tests.support.retraining_reports import COMPARED, KEPT

from segue.api import caching
from segue.runs import summaries
from segue.runs.conclusion import RunSummary

PROMOTED = KEPT.model_copy(
    update={
        "decision": "promoted",
        "messages_in_window": 41,
        "lost_by_retention": 2,
        "first_event_to_promoted_s": 12.0,
        "updated": COMPARED,
    }
)


def scraped(client: httpx.Client) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(client.get("/metrics").raise_for_status().text)
    return {
        (sample.name, sample.labels.get("model", "")): sample.value for each in families for sample in each.samples
    }


def test_the_lag_and_the_last_run_of_the_retraining_are_told(
    client: httpx.Client, database: Database[dict[str, Any]]
) -> None:
    before = scraped(client)["segue_retraining_lag", ""]
    listens = [
        {"listened_at": int(time.time()) - i, "track_metadata": {"artist_name": "Björk", "track_name": "Jóga"}}
        for i in range(3)
    ]
    body = {"listen_type": "import", "payload": listens}
    client.post("/1/submit-listens", json=body).raise_for_status()
    for number, report in enumerate([KEPT, PROMOTED]):
        run_id = f"incremental_retraining/{number}"
        summaries.keep(run_id, report, into=database)
        summaries.keep(run_id, RunSummary(results="there", seconds=9.5), into=database)

    time.sleep(caching.MAX_AGE_S + 0.1)
    told = scraped(client)
    assert told["segue_retraining_lag", ""] == before + 3
    assert told["segue_retraining_last_seconds", ""] == 9.5
    assert told["segue_retraining_last_window_messages", ""] == 41
    assert told["segue_retraining_last_lost_by_retention", ""] == 2
    assert told["segue_retraining_last_promoted", ""] == 1
    assert told["segue_retraining_last_first_event_to_promoted_seconds", ""] == 12
    assert told["segue_retraining_last_ended_timestamp_seconds", ""] > time.time() - 60
    assert told["segue_retraining_ndcg_at_10", "challenger"] == 0.25
    assert told["segue_retraining_ndcg_at_10", "champion"] == 0.2
