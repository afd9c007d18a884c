"""What a Ray cluster can never run is said at once; in the form of `ray.nodes()`, without Ray."""

import pytest

from experiments.launchers.on_ray import never_fits


def node(cpus, gpus=None, alive=True):
    """A node as Ray describes one: what it does not have is not named."""
    return {"Alive": alive, "Resources": {"CPU": cpus, "memory": 1e9} | ({"GPU": gpus} if gpus else {})}


@pytest.mark.parametrize(
    ("nodes", "cpus", "gpus", "words"),
    [
        ([node(8.0)], 8, 0, ""),
        ([node(8.0), node(2.0, 1.0)], 2, 0.5, ""),
        ([node(8.0)], 9, 0, "--cpus_per_run=9 is not valid: the largest node of this Ray cluster has 8 CPUs"),
        ([node(8.0)], 1, 0.5, "--gpus_per_run=0.5 is not valid: the largest node of this Ray cluster has 0 GPUs"),
        ([node(8.0, 1.0, alive=False), node(8.0)], 1, 1, "the largest node of this Ray cluster has 0 GPUs"),
        ([], 1, 0, "the largest node of this Ray cluster has 0 CPUs"),
        ([node(8.0), node(2.0, 1.0)], 4, 0.5,
         "--cpus_per_run=4 with --gpus_per_run=0.5 is not valid: no node of this Ray cluster has both "
         "(they have 8 CPUs and 0 GPUs, 2 CPUs and 1 GPUs)"),
    ],
)  # fmt: skip
def test_what_no_node_has(nodes, cpus, gpus, words):
    said = never_fits(nodes, cpus, gpus)
    assert words in said if words else said == ""
