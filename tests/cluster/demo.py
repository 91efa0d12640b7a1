"""``make cluster``: run the demo on a cluster of nodes on this machine, then remove the cluster.

It needs root, Linux, Java, the programs of PostgreSQL and Redis, some 8 GB of memory, and 16 GB of disk.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path

from tests.cluster import airflow, cluster, image, stand_ins
from tests.cluster.services import Services

from segue.demo import sample
from segue.settings import PROJECT_DIR, get_settings
from segue.stack import jars

DISK = PROJECT_DIR / ".segue-images" / "layers.ext4"


def main() -> int:
    """Make the cluster, run the demo, remove the cluster; return the exit code of the demo."""
    for asked_to_stop in (signal.SIGINT, signal.SIGTERM):  # so that the nodes are removed, even in the background
        signal.signal(asked_to_stop, signal.default_int_handler)
    if os.geteuid() != 0:
        sys.exit("Nodes need root: sudo make cluster")
    if lacking := stand_ins.missing():
        sys.exit(f"Not installed: {', '.join(lacking)}. sudo apt-get install postgresql redis-server")
    own = os.environ.get("MUSIC")
    jars.fetch(get_settings().model_copy(update={"lake": f"s3://{cluster.BUCKET}/lake"}))
    with tempfile.TemporaryDirectory() as folder, image.disk(DISK) as disk:
        music = Path(own or folder)
        if not own:
            print("Rendering the sample corpus", flush=True)
            sample.render(music)
        print("Starting the nodes, and the services on them. This takes some minutes.", flush=True)
        with cluster.running(music, disk) as services:
            return run_demo(services)


def run_demo(services: Services) -> int:
    """Run the demo on the node of the tasks, with its output on this process' output; return its exit code."""
    node = services.nodes[cluster.TASKS]
    given = services.described["airflow-init"]["environment"]
    login = [f"{name}={given[name]}" for name in ("AIRFLOW_USERNAME", "AIRFLOW_PASSWORD")]
    command = ["python", "-m", "segue", "demo", "--airflow", airflow.URL, "--simulate"]
    return node.start(["env", *login, *command]).wait()


if __name__ == "__main__":
    sys.exit(main())
