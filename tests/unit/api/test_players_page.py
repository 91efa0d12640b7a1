"""The page about players has each request of the tests, as it was answered and as it is."""

from __future__ import annotations

import json

from segue.settings import PROJECT_DIR

CASES = PROJECT_DIR / "tests" / "integration" / "api" / "clients.jsonl"


def test_the_table_of_requests_is_that_of_the_tests() -> None:
    rows = []
    for line in CASES.read_text().splitlines():
        case = json.loads(line)
        status = case["expect"]["status"]
        now = " or ".join(map(str, status)) if isinstance(status, list) else status
        rows.append(f"| `{case['name']}` | `{case['method']} {case['path']}` | {case['today']} | {now} |")
    page = (PROJECT_DIR / "docs" / "players.md").read_text()
    table = page.split("| case | request | was | is |\n|---|---|---|---|\n")[1]
    assert table.splitlines() == rows
