"""Add the jars that Segue fetches to uv's list of the Python packages (CycloneDX): from stdin to stdout."""

from __future__ import annotations

import json
import sys
from typing import Any

from segue.stack.jars import Jar, pinned


def with_jars(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with one more component for each jar of ``jars.lock``."""
    jars = {component["bom-ref"]: component for component in map(_component, pinned())}
    return document | {"components": [*document["components"], *jars.values()]}


def _component(jar: Jar) -> dict[str, Any]:
    purl = f"pkg:maven/{jar.group}/{jar.artifact}@{jar.version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "group": jar.group,
        "name": jar.artifact,
        "version": jar.version,
        "purl": purl,
        "hashes": [{"alg": "SHA-256", "content": jar.sha256}],
    }


if __name__ == "__main__":
    json.dump(with_jars(json.load(sys.stdin)), sys.stdout, indent=2)
