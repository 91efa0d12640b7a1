"""Make the layers of an image without a container engine, by the steps of docker/Dockerfile.

The files of this machine take the place of the base image. Everything else is as the Dockerfile says: COPY, ENV,
USER and WORKDIR are followed, and RUN runs, in a copy-on-write view of this machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.nodes import overlay, remove, unmount

from segue import locks
from segue.settings import PROJECT_DIR

DOCKERFILE = PROJECT_DIR / "docker" / "Dockerfile"
MACHINE = Path("/")
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
KEPT = "install.sh packages"
"""The step up to which a layer is kept for the next time, because it takes minutes."""


@dataclass
class Image:
    """What a container is started with."""

    layers: list[Path] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "0"
    folder: str = "/"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)


@contextmanager
def disk(file: Path, size: str = "16G") -> Iterator[Path]:
    """Mount a file as a disk, because an overlay above ``/`` cannot keep its layers below ``/``.

    Only one test at a time may use it.
    """
    place = file.with_suffix("")
    place.mkdir(parents=True, exist_ok=True)
    with locks.exclusive(file.with_suffix(".lock"), busy=f"Another test uses {file}."):
        unmount(place)
        if not file.exists():
            subprocess.run(["truncate", "--size", size, file], check=True)
            subprocess.run(["mkfs.ext4", "-q", file], check=True)
        subprocess.run(["mount", "-o", "loop,noatime", file, place], check=True)
        try:
            yield place
        finally:
            unmount(place)


def build(stage: str, folder: Path) -> Image:
    """Make the image of a stage.

    Parameters
    ----------
    stage : str
        Its name in the Dockerfile.
    folder : Path
        On a `disk`. Layers that need minutes are kept here; the others are made again.

    Returns
    -------
    Image
    """
    image, rest = _with_packages(stage, folder)
    _follow(image, rest, _new(folder / f"{stage}.top"), run=True)
    return image


def checkout(folder: Path) -> Image:
    """Make the image `segue`, but with code and compiled code of this checkout, where they are here.

    It takes seconds once the packages are there, because it neither fetches jars nor compiles.
    """
    image, rest = _with_packages("segue", folder)
    for word, argument in rest:
        if word == "ENV":
            _note(image, word, argument)
    version = re.search(r'(?m)^version = "(.+)"', (PROJECT_DIR / "pyproject.toml").read_text())
    assert version
    image.folder, image.entrypoint = str(PROJECT_DIR), [str(PROJECT_DIR / "docker" / "entrypoint")]
    image.environment |= {
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_DIR / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_DIR / "plugins"),
        "PYTHONPATH": str(PROJECT_DIR / "include"),
    }
    package = f"include/segue-{version[1]}.dist-info"
    lines = rf"Metadata-Version: 2.1\nName: segue\nVersion: {version[1]}\n"
    step = f"mkdir -p {package} && printf '{lines}' > {package}/METADATA"
    _follow(image, [("RUN", step)], _new(folder / "checkout.top"), run=True)
    return image


def _with_packages(stage: str, folder: Path) -> tuple[Image, list[tuple[str, str]]]:
    """Make the layer with the packages, or take the one of last time. Return the steps above it, too."""
    steps = list(_steps(stage))
    last = 1 + next(number for number, (_, rest) in enumerate(steps) if KEPT in rest)
    image = Image(environment={"PATH": f"{Path(sys.base_prefix) / 'bin'}:{SYSTEM_PATH}"})
    kept = folder / f"{stage}-{_digest(steps[:last])}"
    done = kept.with_suffix(".done")
    if not done.exists():
        for old in folder.glob(f"{stage}-*"):
            old.unlink() if old.is_file() else remove(old)
    _follow(image, steps[:last], kept, run=not done.exists())
    done.touch()
    return image, steps[last:]


def _new(layer: Path) -> Path:
    remove(layer)
    return layer


def _steps(stage: str) -> Iterator[tuple[str, str]]:
    """Yield instruction and arguments of each step of a stage, without its FROM."""
    lines = re.sub(r"\\\n\s*", "", DOCKERFILE.read_text()).splitlines()
    inside = False
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "FROM":
            inside = rest.endswith(f" AS {stage}")
        elif inside and word and not word.startswith("#"):
            yield word, rest.strip()


def _digest(steps: list[tuple[str, str]]) -> str:
    told = hashlib.sha256(json.dumps(steps).encode())
    for word, rest in steps:
        if word == "COPY":
            told.update((PROJECT_DIR / rest.split()[0]).read_bytes())
    return told.hexdigest()[:16]


def _follow(image: Image, steps: list[tuple[str, str]], layer: Path, *, run: bool) -> None:
    """Follow the steps in a new layer. Without `run`, the layer is there already; only note what they set."""
    with overlay(layer, [*image.layers, MACHINE], layer.with_name(f"{layer.name}.root")) as root:
        (root / "root").chmod(0o755)  # the base image has its Python where every user may read it
        for word, rest in steps:
            if word not in {"RUN", "COPY"}:
                _note(image, word, rest)
            elif run and word == "COPY":
                _copy(root / image.folder.lstrip("/"), *rest.split())
            elif run:
                _run(image, root, rest)
    image.layers.insert(0, layer)


def _note(image: Image, word: str, rest: str) -> None:
    match word:
        case "WORKDIR":
            image.folder = rest
        case "ENV" | "ARG":
            name, _, value = rest.partition("=")
            image.environment[name] = value.strip('"').replace("$PATH", image.environment["PATH"])
        case "USER":
            image.user = rest
        case "ENTRYPOINT":
            image.entrypoint = json.loads(rest)
        case "CMD":
            image.command = json.loads(rest)
        case _:
            raise ValueError(f"{DOCKERFILE.name}: {word} is not known here")


def _copy(folder: Path, source: str, target: str) -> None:
    """Copy as COPY does: the content of a folder, or a file into a folder. Leave out what .dockerignore names."""
    original, place = PROJECT_DIR / source, folder / target
    if original.is_dir():
        shutil.copytree(original, place, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    else:
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy2(original, place)


def _run(image: Image, root: Path, command: str) -> None:
    """Run a step as root, with this machine's network and its ways to the package registries."""
    passed = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL", "SEGUE"))
    }
    isolated = (
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        f"--root={root}",
        f"--wd={image.folder}",
    )
    answer = subprocess.run(
        ["/usr/bin/unshare", *isolated, "/bin/bash", "-c", command],
        env=passed | {"HOME": "/root"} | image.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if answer.returncode:
        raise RuntimeError(f"RUN {command}: exit code {answer.returncode}\n{answer.stdout[-4000:]}")
