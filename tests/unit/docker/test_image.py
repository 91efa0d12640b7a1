from __future__ import annotations

import re

import pytest

from segue.settings import PROJECT_DIR
from segue.stack.airflow_environment import QUIET

DOCKERFILE = (PROJECT_DIR / "docker" / "Dockerfile").read_text()
INSTALL = (PROJECT_DIR / "docker" / "install.sh").read_text()


@pytest.mark.parametrize("name", ["requirements.txt", "docker/mlflow-requirements.txt"])
def test_an_image_installs_only_packages_whose_hashes_are_known(name):
    file = PROJECT_DIR / name
    assert f"RUN docker/install.sh packages {file.name}\n" in DOCKERFILE
    assert "pip" not in DOCKERFILE
    [install] = [line for line in INSTALL.splitlines() if "pip install" in line]
    assert install.endswith('--no-deps --require-hashes -r "$2"')
    for requirement in re.split(r"\n(?=\S)", file.read_text().strip()):
        assert re.match(r"\S+==\S+ .*\\\n    --hash=sha256:[0-9a-f]{64}", requirement), requirement


def test_the_registry_has_one_version_on_both_sides():
    pinned = (PROJECT_DIR / "pyproject.toml").read_text()
    [version] = re.findall(r'"mlflow-skinny==([\d.]+)"', pinned)
    assert f"\nmlflow=={version} \\\n" in (PROJECT_DIR / "docker" / "mlflow-requirements.txt").read_text()
    assert f"segue-mlflow:{version}\n" in (PROJECT_DIR / "docker-compose.yml").read_text()


def test_the_images_run_as_a_user_without_rights():
    stages = DOCKERFILE.split("\nFROM ")[1:]
    assert len(stages) == 2
    assert all("\nUSER 10001\n" in stage for stage in stages)


def test_the_logs_of_tasks_are_as_quiet_as_those_of_the_embedded_stack():
    assert f'\nENV AIRFLOW__LOGGING__NAMESPACE_LEVELS="{QUIET}"\n' in DOCKERFILE


def test_what_is_copied_is_in_the_build_context_and_nothing_secret_is():
    ignored = (PROJECT_DIR / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    let_in = {line[1:].rstrip("/") for line in ignored if line.startswith("!")}
    copied = [line.split()[1] for line in DOCKERFILE.splitlines() if line.startswith("COPY")]
    assert copied
    assert {source.split("/")[0] for source in copied} <= let_in
    assert not [name for name in let_in if name.startswith(".")]
