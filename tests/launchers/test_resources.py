"""What a Ray cluster can never run, or one that is not there, is said at once; without Ray."""

import concurrent.futures
import os
import signal
import socket
import time
import types

import pytest

from experiments.errors import UserError
from experiments.launchers import on_ray
from experiments.launchers.on_ray import never_fits
from experiments.records import files


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


class _Ray(types.SimpleNamespace):
    """As much of Ray as connecting takes."""

    def is_initialized(self):
        return False

    def init(self, **options):
        raise AssertionError("tried, which takes minutes where nothing answers")


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_an_address_at_which_nothing_answers_is_one_line(scheme, tmp_path, monkeypatch):
    monkeypatch.setattr(on_ray, "_import_ray", _Ray)
    with socket.socket() as free:  # a port that nobody listens at
        free.bind(("127.0.0.1", 0))
        address = f"{scheme}127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(UserError, match=f"--ray_address={address} cannot be reached"), \
            on_ray.RayLauncher(address, 1, 0, tmp_path):  # fmt: skip
        pass


def test_the_address_of_the_environment_is_named_as_such(tmp_path, monkeypatch):
    monkeypatch.setattr(on_ray, "_import_ray", _Ray)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(UserError, match=f"^RAY_ADDRESS={address} cannot be reached"), \
            on_ray.RayLauncher("", 1, 0, tmp_path):  # fmt: skip
        pass


@pytest.mark.parametrize("address", ["auto", "", None, "nonsense", "local"])
def test_what_names_no_port_is_left_to_ray(address):
    on_ray._probe(address)


def test_what_killed_sweeps_left_is_removed_and_what_is_in_use_stays(tmp_path):
    launcher = on_ray.RayLauncher("", 1, 0, tmp_path)
    launcher._token = tmp_path / ".sweep-mine.tmp"
    for name, age in (("old", files.ABANDONED + 60), ("other", 120)):
        (tmp_path / f".sweep-{name}.tmp").touch()
        os.utime(tmp_path / f".sweep-{name}.tmp", (time.time() - age,) * 2)
    launcher._keep_token()
    launcher._remove_abandoned_tokens()
    assert {path.name for path in tmp_path.iterdir()} == {".sweep-mine.tmp", ".sweep-other.tmp"}


def test_the_token_of_a_live_sweep_is_kept_young(tmp_path, monkeypatch):
    launcher = on_ray.RayLauncher("", 1, 0, tmp_path)
    launcher._token = tmp_path / ".sweep-mine.tmp"
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    for _ in range(2):
        launcher._keep_token()
        os.utime(launcher._token, (0, 0))
        launcher._keep_token()
        assert launcher._token.stat().st_mtime == 0  # only once a minute
        clock[0] += on_ray.TOUCH_SECONDS + 1
    launcher._keep_token()
    assert launcher._token.stat().st_mtime > 0


@pytest.mark.parametrize("is_main", [True, False])
def test_sigterm_stays_ours(is_main, tmp_path, monkeypatch):
    class Taker(_Ray):
        def init(self, **options):
            if is_main:  # where Ray sets a handler
                signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def ours(*_):
        pass

    launcher = on_ray.RayLauncher("", 1, 0, tmp_path)
    launcher._ray = Taker()
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    before = signal.signal(signal.SIGTERM, ours)
    try:
        if is_main:
            launcher._connect()
        else:
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                pool.submit(launcher._connect).result()
        assert signal.getsignal(signal.SIGTERM) is ours
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("has", "cpus", "gpus", "at_once"),
    [
        ({"CPU": 16.0}, 2, 0, 8),
        ({"CPU": 16.0, "GPU": 1.0}, 1, 1, 1),
        ({"CPU": 16.0, "GPU": 2.0}, 1, 0.25, 8),
        ({}, 1, 0, 1),
    ],
)
def test_how_many_runs_a_cluster_makes_at_a_time(has, cpus, gpus, at_once, tmp_path):
    launcher = on_ray.RayLauncher("", cpus, gpus, tmp_path)
    launcher._ray = types.SimpleNamespace(cluster_resources=lambda: has)
    assert launcher.at_once == at_once
    launcher._tasks = dict.fromkeys(range(at_once + 1))
    assert launcher.has_room
    launcher._tasks = dict.fromkeys(range(at_once + 2))
    assert not launcher.has_room


def test_a_cluster_that_does_not_start_is_one_line(tmp_path, monkeypatch):
    def fail(**options):
        raise Exception("The current node timed out during startup.\nMore.")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(on_ray, "_import_ray", lambda: types.SimpleNamespace(is_initialized=lambda: False, init=fail))
    with pytest.raises(UserError, match=r"cannot be reached, or started .The current node timed out during startup"):
        on_ray.RayLauncher("", 1, 0, tmp_path).__enter__()
