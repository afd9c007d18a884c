"""Records written by hand, so that a study's report can be tested against known numbers without training."""

import csv
import json

import numpy as np

from experiments.active_learning.loop import stored_settings
from experiments.records import tables
from experiments.records.paths import record_path
from experiments.studies import grid
from experiments.studies.config import StudyConfig

TRAIN_SECONDS, TEST_SECONDS, SCORE_SECONDS = 1.0, 2.0, 4.0


def write(config, dataset, errors):
    """A small record (tables without weights) with these test errors, one per cycle from the first.

    Args:
      config: an `ActiveLearningConfig`.
      dataset: its data set's name.
      errors: fractions; None where a cycle was not tested.

    Returns:
      The record's directory.
    """
    path = record_path(config, dataset)
    path.mkdir(parents=True)
    settings = {**stored_settings(config, path, dataset), "precision": "float32", "jit_compile": "false"}
    (path / "config.json").write_text(json.dumps({"settings": settings, "device": "a processor", "threads": 2}))
    rows = [
        tables.row(
            "metrics",
            cycle=cycle,
            labels=config.labels_at(cycle),
            test_error=error,
            train_seconds=TRAIN_SECONDS,
            test_seconds=None if error is None else TEST_SECONDS,
            score_seconds=None if cycle == len(errors) - 1 else SCORE_SECONDS,
        )
        for cycle, error in enumerate(errors)
    ]
    (path / "metrics.csv").write_text(tables.to_text("metrics", rows))
    return path


def curve(config, final):
    """A curve of test errors that falls geometrically from 0.8 to `final`."""
    return np.geomspace(0.8, final, config.last_cycle + 1).tolist()


def layer_path(config):
    """The directory of the record of a run on MNIST."""
    return record_path(config, "mnist")


def rows(path):
    """The rows of a CSV file as dicts."""
    return list(csv.DictReader(path.read_text().splitlines()))


def level(config):
    """An error for every cell, a little different for every seed."""
    base = {"CNN": 0.10, "BNN": 0.04, "BNN-1": 0.025, "BNN1": 0.05}.get(config.arch, 0.03)
    return base + 0.002 * (-3 - config.mu_init) + 0.0001 * config.seed


def written(directory, config_class=StudyConfig, **settings):
    """A study whose records are all there."""
    study = config_class(dataset="mnist", output_dir=str(directory), **settings)
    for config in grid.runs(study):
        write(config, "mnist", curve(config, level(config)))
    return study
