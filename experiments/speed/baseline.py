"""The naive way in a process of its own, timed in turn with ours."""

import contextlib
import json
import os
import statistics
import subprocess
import sys

from experiments.errors import UserError


class NaiveProcess:
    """`experiments.naive --serve` as a context manager."""

    def __enter__(self):
        command = [sys.executable, "-W", "ignore", "-m", "experiments.naive", "--serve"]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        return self

    def __exit__(self, *exception):
        with contextlib.suppress(BrokenPipeError):  # what it was last asked could not be written either
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def seconds(self, work, arch, count):
        """Asks for one timing.

        Raises:
          UserError: if the process is gone.
        """
        try:
            self._process.stdin.write(json.dumps({"work": work, "arch": arch, "count": count}) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise UserError("the naive baseline stopped; run `python -m experiments.naive --serve` to see why")
        return json.loads(answer)["seconds"]


def in_turn(naive, ours, repeats):
    """Median seconds of both sides, timed alternately."""
    pairs = [(naive(), ours()) for _ in range(repeats)]
    return tuple(statistics.median(side) for side in zip(*pairs, strict=True))
