"""The files of deploy/monitoring. Where promtool is installed, it checks them, too."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
import yaml

from segue.api import metrics, pipeline_metrics, retraining_metrics  # noqa: F401 - register their metrics
from segue.settings import PROJECT_DIR

FOLDER = PROJECT_DIR / "deploy" / "monitoring"
OWN = re.compile(r"\bsegue_\w+")


def rules() -> list[dict[str, str]]:
    groups = yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def queries() -> list[str]:
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def test_each_alert_is_tested_in_good_and_in_bad_health():
    tests = yaml.safe_load((FOLDER / "rules.test.yml").read_text())["tests"]
    names = {rule["alert"] for rule in rules()}
    for test in tests:
        assert {case["alertname"] for case in test["alert_rule_test"]} == names
    assert all({"summary", "action"} <= rule["annotations"].keys() for rule in rules())


def test_rules_and_dashboard_ask_only_for_metrics_that_the_api_has():
    exposed = {family.name for family in metrics.REGISTRY.collect()}
    exposed |= {f"{name}{suffix}" for name in exposed for suffix in ("_total", "_bucket", "_sum", "_count")}
    asked = {name for text in [*queries(), *(rule["expr"] for rule in rules())] for name in OWN.findall(text)}
    assert len(asked) > 15
    assert not asked - exposed


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
@pytest.mark.parametrize(
    "check", ["check config prometheus.yml", "check rules rules.yml", "test rules rules.test.yml"]
)
def test_promtool_accepts(check):
    answer = subprocess.run(["promtool", *check.split()], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
