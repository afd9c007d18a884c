"""Runs in processes of this machine.

A process makes one run after another, since loading TensorFlow takes seconds; after `RENEWED_AFTER` seconds it is
replaced, so that runs of hours each have a process of their own. What a run computes does not depend on which: all of
its state is its own.
"""

import contextlib
import dataclasses
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time

from experiments.launchers.single import LOST, answer

RENEWED_AFTER = 300.0
SECONDS_TO_STOP = 60.0


class LocalLauncher:
    """Up to `parallel` runs at a time; a context manager that stops what is left on leaving."""

    def __init__(self, parallel):
        """Starts nothing yet; makes `at_once` runs at a time."""
        self.at_once = parallel
        self._idle, self._busy = [], {}
        self._selector = selectors.DefaultSelector()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        processes = [*self._idle, *(process for _, process in self._busy.values())]
        for process in processes:
            process.close()
        deadline = time.monotonic() + SECONDS_TO_STOP
        for process in processes:
            process.end(deadline - time.monotonic())
        self._selector.close()

    @property
    def has_room(self):
        """Whether another run can be started."""
        return len(self._busy) < self.at_once

    def start(self, job, config, dataset):
        """Starts a run; `job` is any hashable name for it."""
        process = self._idle.pop() if self._idle else _Process()
        process.ask({"settings": dataclasses.asdict(config), "dataset": dataset})
        self._busy[process.output] = (job, process)
        self._selector.register(process.output, selectors.EVENT_READ)

    def finished(self, seconds):
        """Waits up to so many seconds for runs to end.

        Returns:
          List of (job, answer); the answer's state is `lost` if the process died.
        """
        ended = []
        for key, _ in self._selector.select(seconds):
            self._selector.unregister(key.fileobj)
            job, process = self._busy.pop(key.fileobj)
            ended.append((job, process.answer()))
            if process.is_alive and process.age < RENEWED_AFTER:
                self._idle.append(process)
            else:
                process.close()
                process.end(SECONDS_TO_STOP)
        return ended


class _Process:
    """A worker process."""

    def __init__(self):
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed in `end`)
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "experiments.launchers.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
            start_new_session=True,  # Ctrl-C goes to the parent, which stops its workers itself
        )
        self.output = self._process.stdout

    @property
    def is_alive(self):
        return not self._process.stdin.closed and self._process.poll() is None

    @property
    def age(self):
        return time.monotonic() - self._began

    def ask(self, request):
        with contextlib.suppress(BrokenPipeError):  # it died while it was idle: the answer will say so
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()

    def answer(self):
        line = self.output.readline()
        if line.endswith("\n"):
            return json.loads(line)
        self.close()
        code = self._process.wait()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        self._log.seek(0)
        said = self._log.read().decode(errors="replace").strip().splitlines()
        return answer(LOST, f"its process died ({how})", details="\n".join(said[-20:]))

    def close(self):
        """Asks it to stop."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def end(self, seconds):
        """Waits for it to stop; kills it after so many seconds, which loses nothing that was committed."""
        try:
            self._process.wait(max(0.1, seconds))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.output.close()
        self._log.close()
