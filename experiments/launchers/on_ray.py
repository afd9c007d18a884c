"""Runs as tasks of a Ray cluster, whose nodes share the output directory.

`pip install '.[cluster]'`. Each run has a worker process of its own (`max_calls=1`), with the CPUs and GPUs that it was
promised; Ray shows it its share of the GPUs by CUDA_VISIBLE_DEVICES. Retries are the sweep's: a run whose worker or
node was lost is begun again, anywhere, from its last committed cycle.
"""

import contextlib
import dataclasses
import math
import os
import pathlib
import signal
import socket
import threading
import time
import uuid

from experiments.errors import UserError
from experiments.launchers.single import FAILED, LOST, answer, make
from experiments.records import files

SECONDS_TO_STOP = 60.0
PROBE_SECONDS = 5.0
TOUCH_SECONDS = 60.0
_TOKEN = ".sweep-"


class RayLauncher:
    """Hands runs to a Ray cluster; a context manager that connects, and cancels what is left on leaving."""

    def __init__(self, address, cpus, gpus, output_dir):
        """Connects on entry only.

        Args:
          address: a cluster's address, `auto`, or empty for RAY_ADDRESS, else a cluster of this machine.
          cpus, gpus: what a run takes; the GPUs may be a fraction.
          output_dir: the directory that all nodes must share.
        """
        self._address, self._cpus, self._gpus = address, cpus, gpus
        self._output_dir = pathlib.Path(output_dir)
        self._tasks = {}
        self._touched = -math.inf

    def __enter__(self):
        self._ray = _import_ray()
        self._owns = not self._ray.is_initialized()
        if self._owns:
            self._connect()
        self._check_resources()
        self._output_dir.mkdir(parents=True, exist_ok=True)
        self._token = self._output_dir / f"{_TOKEN}{uuid.uuid4().hex}.tmp"
        self._keep_token()
        self._remove_abandoned_tokens()
        remote = self._ray.remote(num_cpus=self._cpus, num_gpus=self._gpus, max_calls=1, max_retries=0)
        self._task = remote(_task)
        return self

    def __exit__(self, *exception):
        try:
            self._stop()
        finally:
            self._token.unlink(missing_ok=True)
            if self._owns:
                self._ray.shutdown()

    @property
    def has_room(self):
        """Ray queues by itself what does not fit; a few waiting tasks keep every node busy."""
        return len(self._tasks) < self.at_once + 2

    @property
    def at_once(self):
        """How many runs the cluster makes at a time."""
        has = self._ray.cluster_resources()
        wanted = {"CPU": self._cpus, "GPU": self._gpus}
        return max(1, int(min(has.get(name, 0) / amount for name, amount in wanted.items() if amount)))

    def start(self, job, config, dataset):
        """Hands a run to the cluster; `job` is any hashable name for it."""
        reference = self._task.remote(dataclasses.asdict(config), dataset, str(self._token))
        self._tasks[reference] = job

    def finished(self, seconds):
        """Waits up to so many seconds for runs to end.

        Returns:
          List of (job, answer); the answer's state is `lost` if the worker or its node died.
        """
        self._keep_token()
        if not self._tasks:
            time.sleep(seconds)
            return []
        references, _ = self._ray.wait(list(self._tasks), num_returns=1, timeout=seconds)
        return [(self._tasks.pop(reference), self._answer(reference)) for reference in references]

    def _answer(self, reference):
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            return answer(FAILED, str(error).strip().splitlines()[-1], details=str(error))
        except self._ray.exceptions.RayError as error:
            return answer(LOST, f"its worker was lost ({type(error).__name__})", details=str(error))

    def _keep_token(self):
        """Touches the file by which nodes know the directory, once a minute, so that it is known to be in use."""
        if time.monotonic() - self._touched > TOUCH_SECONDS:
            self._token.touch()
            self._touched = time.monotonic()

    def _remove_abandoned_tokens(self):
        """Removes those of sweeps that were killed."""
        now = self._token.stat().st_mtime
        for other in self._output_dir.glob(f"{_TOKEN}*.tmp"):
            with contextlib.suppress(FileNotFoundError):  # another sweep may be faster
                if now - other.stat().st_mtime > files.ABANDONED:
                    other.unlink()

    def _connect(self):
        address = self._address or os.environ.get("RAY_ADDRESS")
        asked = f"--ray_address={self._address}" if self._address or not address else f"RAY_ADDRESS={address}"
        handler = signal.getsignal(signal.SIGTERM)
        try:
            _probe(address)
            # Ray starts a cluster of this machine if there is no address; its dashboard is of no use here.
            options = {"address": address} if address else {"include_dashboard": False}
            self._ray.init(log_to_driver=False, logging_level="ERROR", **options)
        except Exception as error:  # of a cluster that does not start Ray raises a bare Exception
            line = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UserError(
                f"{asked} cannot be reached, or started ({line}); give the address of a running cluster, "
                "or leave it out for one of this machine"
            ) from error
        finally:  # Ray's own handler, which it sets in a main thread, would not let the runs end, nor the locks go
            if handler is not None and threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, handler)

    def _check_resources(self):
        amiss = never_fits(self._ray.nodes(), self._cpus, self._gpus)
        if amiss:
            if self._owns:
                self._ray.shutdown()
            raise UserError(amiss)

    def _stop(self):
        """Interrupts the tasks that are left, as Ctrl-C does a run; after a while, for good."""
        for reference in self._tasks:
            self._ray.cancel(reference, force=False)
        if self._tasks:
            _, left = self._ray.wait(list(self._tasks), num_returns=len(self._tasks), timeout=SECONDS_TO_STOP)
            for reference in left:
                with contextlib.suppress(Exception):
                    self._ray.cancel(reference, force=True)


def _probe(address):
    """Raises OSError if nothing answers at `host:port`, or `ray://host:port`: Ray itself tries for minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), PROBE_SECONDS).close()


def never_fits(nodes, cpus, gpus):
    """Why no node can ever take a run, for which Ray itself would wait for ever.

    Args:
      nodes: what `ray.nodes()` says.
      cpus, gpus: what a run takes.

    Returns:
      One line, or an empty text if some node can take it.
    """
    having = [node["Resources"] for node in nodes if node["Alive"]]
    wanted = {"CPU": (cpus, "cpus_per_run"), "GPU": (gpus, "gpus_per_run")}
    for name, (amount, flag) in wanted.items():
        most = max((resources.get(name, 0) for resources in having), default=0)
        if amount > most:
            return f"--{flag}={amount:g} is not valid: the largest node of this Ray cluster has {most:g} {name}s"
    if any(all(resources.get(name, 0) >= amount for name, (amount, _) in wanted.items()) for resources in having):
        return ""
    kinds = dict.fromkeys(f"{r.get('CPU', 0):g} CPUs and {r.get('GPU', 0):g} GPUs" for r in having)
    return (
        f"--cpus_per_run={cpus:g} with --gpus_per_run={gpus:g} is not valid: no node of this Ray cluster has both "
        f"(they have {', '.join(kinds)})"
    )


def _task(settings, dataset, token):
    """What runs on a node."""
    if not pathlib.Path(token).exists():
        place = pathlib.Path(token).parent
        return answer(FAILED, f"node {socket.gethostname()} does not see --output_dir={place}; all nodes must share it")
    return make(settings, dataset)


def _import_ray():
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # the behaviour to come; else Ray warns
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise UserError(
            f"--launcher=ray needs the package ray ({error}): python -m pip install '.[cluster]'"
        ) from error
    return ray
