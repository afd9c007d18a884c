"""A study on a Ray cluster of two nodes, one of whose workers is killed in the middle; run by `test_ray`."""

import json
import os
import signal
import sys
import threading
import time

from ray.cluster_utils import Cluster

from experiments import sweep


def kill_a_worker(output_dir, killed):
    """Kills the process of the first run that has committed a cycle and holds its lock."""
    while not killed:
        for lock in output_dir.rglob("lock"):
            try:
                if (lock.parent / "metrics.csv").exists():
                    pid = json.loads(lock.read_text())["pid"]
                    os.kill(pid, signal.SIGKILL)
                    killed.append(str(lock.parent))
                    return
            except (OSError, ValueError):
                continue
        time.sleep(0.02)


def main(output_dir, *arguments):
    """Runs the sweep and prints which record's process was killed, and on how many nodes runs were made."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    killed = []
    threading.Thread(target=kill_a_worker, args=(output_dir, killed), daemon=True).start()
    try:
        code = sweep.main(
            ["sweep", "--launcher=ray", f"--ray_address={cluster.address}", f"--output_dir={output_dir}", *arguments]
        )
    finally:
        cluster.shutdown()
    print(json.dumps({"code": code, "killed": killed}))


if __name__ == "__main__":
    import pathlib

    main(pathlib.Path(sys.argv[1]), *sys.argv[2:])
