"""A sweep on a real Ray cluster: two nodes of this machine, a worker killed in the middle."""

import importlib.util
import json
import subprocess
import sys

import pytest

from experiments import al_mnist
from tests.conftest import ROOT, TINY, content
from tests.launchers.test_sweep import records

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="python -m pip install '.[cluster]'"),
]


def on_ray(*arguments):
    """Runs `ray_cluster` in a process of its own."""
    command = [sys.executable, "-m", "tests.launchers.ray_cluster", *map(str, arguments)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.strip().splitlines()[-1]), ended.stderr


def test_a_killed_worker_on_two_nodes(tmp_path):
    settings = [*TINY, "--max_labels=40"]
    answer, said = on_ray(tmp_path / "ray", *settings, "--archs=BNN-1,CNN", "--acquisitions=random", "--seeds=1")
    assert answer["code"] == 0 and len(answer["killed"]) == 1 and answer["nodes"] == 2
    assert "its worker was lost (WorkerCrashedError); begun again from its last committed cycle" in said
    for arch in ("BNN-1", "CNN"):
        run = [*settings, f"--arch={arch}", "--acquisition=random"]
        assert al_mnist.main(["x", f"--output_dir={tmp_path / 'whole'}", *run]) == 0
    ours, whole = records(tmp_path / "ray"), records(tmp_path / "whole")
    assert set(ours) == set(whole) and len(ours) == 2
    for name in ours:
        assert content(ours[name]) == content(whole[name])


def test_what_no_node_has_is_one_line(tmp_path):
    answer, said = on_ray(tmp_path, *TINY, "--arch=CNN", "--seeds=1", "--gpus_per_run=0.5")
    assert answer["code"] == 1 and not answer["killed"]
    assert "error: --gpus_per_run=0.5 is not valid: the largest node of this Ray cluster has 0 GPUs" in said
