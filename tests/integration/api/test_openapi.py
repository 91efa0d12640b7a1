"""What the OpenAPI description promises, schemathesis tries; no answer may be a 500."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration


def test_schemathesis_finds_no_500(api: str, new_user: tuple[str, str], tmp_path: Path) -> None:
    config = tmp_path / "schemathesis.toml"
    # 503 is what the API promises while Kafka or MongoDB is away, or if a user submits too fast.
    config.write_text(
        f'[parameters]\nuser_name = "{new_user[0]}"\n'
        '[checks.not_a_server_error]\nexpected-statuses = ["2xx", "3xx", "4xx", "503"]\n'
    )
    command = [str(Path(sys.prefix) / "bin" / "schemathesis"), "--config-file", str(config)]
    command += ["run", f"{api}/openapi.json"]
    command += ["--header", f"Authorization: Token {new_user[1]}", "--checks", "not_a_server_error"]
    command += ["--exclude-path", "/v1/users/{user_name}/recommendations/events"]  # a stream never ends
    command += ["--mode", "all", "--max-examples", "20", "--seed", "1", "--phases", "coverage,fuzzing"]
    command += ["--generation-database", "none", "--request-timeout", "30", "--no-color"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"(\d{3,}) generated, \1 passed", run.stdout), run.stdout
