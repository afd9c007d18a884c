"""What tests share: quiet TensorFlow, small images, runs of the real entry point."""

import csv
import os
import pathlib
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

from bayes_layers import processor

processor.switch_onednn_on()  # as the commands do

ROOT = pathlib.Path(__file__).parent.parent
TINY = ["--dataset=digits", "--epochs=2", "--num_samples=3", "--initial_labels=10", "--query_size=5", "--batch_size=16"]


@pytest.fixture(autouse=True)
def _no_prepared_data(monkeypatch, tmp_path_factory):
    """Tests never depend on a data set that happens to be on the machine."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path_factory.mktemp("tfds")))


def al_mnist(output_dir, *arguments, environment=(), timeout=300):
    """Runs `python -m experiments.al_mnist` in a process of its own; returns the CompletedProcess."""
    return subprocess.run(
        [sys.executable, "-m", "experiments.al_mnist", f"--output_dir={output_dir}", *arguments],
        cwd=ROOT,
        env={**os.environ, **dict(environment)},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def the_record(output_dir):
    """The only record under an output directory."""
    (config,) = pathlib.Path(output_dir).rglob("config.json")
    return config.parent


def content(record):
    """What must be the same in two records of one configuration: all files, times and events aside."""
    found = {}
    for path in sorted(p for p in record.rglob("*") if p.is_file()):
        name = str(path.relative_to(record))
        if name.startswith("events.out"):
            continue
        if name == "metrics.csv":
            found[name] = without_times(path.read_text())
        elif name.startswith("checkpoint/") and name.endswith(".npz"):
            with np.load(path) as arrays:
                found[name] = {key: arrays[key].tobytes() for key in arrays.files if key != "record"}
        elif name == "checkpoint/latest":
            found[name] = None
        else:
            found[name] = path.read_bytes()
    return found


def without_times(text):
    """The rows of a metrics table without its time columns."""
    rows = list(csv.DictReader(text.splitlines()))
    return [{key: value for key, value in row.items() if not key.endswith("_seconds")} for row in rows]
