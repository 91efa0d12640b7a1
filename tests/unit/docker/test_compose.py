from __future__ import annotations

import re

import pytest
import yaml

from segue.settings import PROJECT_DIR, Settings
from segue.stack import kafka

YEAR_MINUTES = 365 * 24 * 60
DOCKERFILE = (PROJECT_DIR / "docker" / "Dockerfile").read_text()


def test_offsets_outlast_a_long_pause_of_their_group(tmp_path):
    compose = yaml.safe_load((PROJECT_DIR / "docker-compose.yml").read_text())
    in_a_container = compose["services"]["kafka"]["environment"]["KAFKA_OFFSETS_RETENTION_MINUTES"]
    assert int(in_a_container) == 10 * YEAR_MINUTES
    embedded = kafka._properties(Settings(home=tmp_path), tmp_path)
    assert embedded["offsets.retention.minutes"] == int(in_a_container)


@pytest.mark.parametrize("name", ["requirements.txt", "docker/mlflow-requirements.txt"])
def test_an_image_installs_only_packages_whose_hashes_are_known(name):
    file = PROJECT_DIR / name
    installs = [line for line in DOCKERFILE.splitlines() if "pip install" in line]
    assert [line for line in installs if line.endswith(f"--no-deps --require-hashes -r {file.name}")]
    assert len(installs) == 2
    for requirement in re.split(r"\n(?=\S)", file.read_text().strip()):
        assert re.match(r"\S+==\S+ .*\\\n    --hash=sha256:[0-9a-f]{64}", requirement), requirement


def test_the_registry_has_one_version_on_both_sides():
    pinned = (PROJECT_DIR / "pyproject.toml").read_text()
    [version] = re.findall(r'"mlflow-skinny==([\d.]+)"', pinned)
    assert f"\nmlflow=={version} \\\n" in (PROJECT_DIR / "docker" / "mlflow-requirements.txt").read_text()
    assert f"segue-mlflow:{version}\n" in (PROJECT_DIR / "docker-compose.yml").read_text()
