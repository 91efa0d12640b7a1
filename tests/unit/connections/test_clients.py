from __future__ import annotations

import re

import pytest

from segue.settings import PROJECT_DIR

OPENS = {
    "Kafka": r"\bKafka(AdminClient|Consumer|Producer|NetClient)\(",
    "MongoDB": r"\bMongo(Client|Hook)(\[.*?\])?\(",
    "MLflow": r"\bMlflowClient\(|\bmlflow\.(artifacts|set_tracking_uri|set_registry_uri|start_run)\b",
    "object store": r"\bUPath\(|\bfsspec\b|\bs3fs\b|\bboto3\b",
    "Spark": r"\bSparkSession\.builder\b|\bSpark(Context|Conf)\(",
}


@pytest.mark.parametrize("service", OPENS)
def test_only_the_connections_open_clients(service):
    # The settings parse the URL of the music folder, which opens nothing. The child that extracts files imports
    # no connections, and reads the model that embeds them.
    of_store = {"include/segue/settings.py", "include/segue/audio/embedding/definition.py"}
    elsewhere = of_store if service == "object store" else set()
    found = set()
    for folder in ("include", "dags", "plugins", "spark_jobs"):
        for path in (PROJECT_DIR / folder).rglob("*.py"):
            if re.search(OPENS[service], path.read_text()):
                found.add(str(path.relative_to(PROJECT_DIR)))
    inside = {name for name in found if name.startswith("include/segue/connections/")}
    assert inside, "else the pattern finds nothing"
    assert found - inside == elsewhere
