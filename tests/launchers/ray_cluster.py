"""A sweep on a Ray cluster of two nodes, one of whose workers is killed in the middle; run by `test_ray`."""

import json
import pathlib
import sys
import threading

import ray
from ray.cluster_utils import Cluster

from experiments import sweep
from tests.launchers.test_sweep import kill_a_worker


def main(output_dir, *arguments):
    """Runs the sweep; prints its exit code, the nodes, and which record's process was killed."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    ray.init(cluster.address, log_to_driver=False)
    nodes = sum(node["Alive"] for node in ray.nodes())
    ray.shutdown()
    killed = []
    threading.Thread(target=kill_a_worker, args=(output_dir, killed), daemon=True).start()
    try:
        code = sweep.main(
            ["sweep", "--launcher=ray", f"--ray_address={cluster.address}", f"--output_dir={output_dir}", *arguments]
        )
    finally:
        cluster.shutdown()
    print("\n" + json.dumps({"code": code, "nodes": nodes, "killed": [str(path) for path in killed]}))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), *sys.argv[2:])
