from __future__ import annotations

import yaml

from segue.settings import PROJECT_DIR, Settings
from segue.stack import kafka

YEAR_MINUTES = 365 * 24 * 60


def test_offsets_outlast_a_long_pause_of_their_group(tmp_path):
    compose = yaml.safe_load((PROJECT_DIR / "docker-compose.yml").read_text())
    in_a_container = compose["services"]["kafka"]["environment"]["KAFKA_OFFSETS_RETENTION_MINUTES"]
    assert int(in_a_container) == 10 * YEAR_MINUTES
    embedded = kafka._properties(Settings(home=tmp_path), tmp_path)
    assert embedded["offsets.retention.minutes"] == int(in_a_container)
