from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess

import pytest

from segue.settings import PROJECT_DIR
from segue.stack.jars import pinned


@pytest.fixture
def bom():
    """Make the list as `make sbom` does."""
    uv = shutil.which("uv") or PROJECT_DIR / ".uv" / "bin" / "uv"
    export = [uv, "export", "--quiet", "--frozen", "--no-dev", "--format", "cyclonedx1.5"]
    packages = subprocess.run(export, cwd=PROJECT_DIR, capture_output=True, check=True).stdout
    spec = importlib.util.spec_from_file_location("sbom", PROJECT_DIR / "scripts" / "sbom.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script.with_jars(json.loads(packages))


def test_each_package_and_jar_is_listed_once_with_its_hash(bom):
    components = {component["purl"]: component for component in bom["components"]}
    assert len(components) == len({component["bom-ref"] for component in bom["components"]})
    for jar in pinned():
        listed = components[f"pkg:maven/{jar.group}/{jar.artifact}@{jar.version}"]
        assert listed["hashes"] == [{"alg": "SHA-256", "content": jar.sha256}]
    spark = components["pkg:pypi/pyspark@4.2.0"]
    assert spark["externalReferences"][0]["hashes"]
