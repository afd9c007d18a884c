"""Where the run of a record that was kept without its checkpoint goes on: its state, from its tables alone.

All that active learning carries from cycle to cycle is which images are labelled: every cycle begins with fresh initial
values, and its randomness follows from the seed and its number. So what the tables say is enough. The network of their
last cycle is fitted again when it is needed, to score the pool; on the same machine it is the same, bit for bit. (With
XLA as long as `max_labels` stays below the power of two, from 1,024 on, that the training program is made for.)
"""

import numpy as np

from experiments.errors import RecordError
from experiments.records import checkpoint, files, record
from experiments.records.load import load_rows, load_tables


def kept_state(path, config, dataset, facts):
    """The state of a kept record, without a network.

    Args:
      path: the record's directory.
      config: the `ActiveLearningConfig` of the run that goes on.
      dataset: its `Dataset`.
      facts: what its `config.json` would state, whose settings and images must be the record's.

    Returns:
      A `State`, whose `network`, `pending` and `curve` are empty.

    Raises:
      RecordError: if the record is damaged or of another configuration, or the run needs the weights of its last
        cycle (`warm_start`).
    """
    known = _configuration(path)
    record.check_settings(path, known, facts["settings"])
    record.check_images(path, known, facts)
    if config.warm_start:
        raise record.without_checkpoint(path)
    run, rows = load_tables(path), load_rows(path)
    if not rows["calibration"]:
        raise checkpoint.damaged(path / "calibration.csv", "it is missing")
    metrics, acquisitions = run.tables["metrics"], run.tables["acquisitions"]
    cycles = np.arange(len(metrics["cycle"]))
    if not np.array_equal(metrics["cycle"], cycles):
        raise checkpoint.damaged(path / "metrics.csv", "its cycles are not 0, 1, 2, ...")
    if not np.array_equal(metrics["labels"], config.labels_at(cycles)):
        raise checkpoint.damaged(path / "metrics.csv", "it has labels that no such run has")
    joined = np.diff(metrics["labels"], prepend=0).astype(int)
    if not np.array_equal(acquisitions["cycle"], np.repeat(cycles, joined)):
        raise checkpoint.damaged(path / "acquisitions.csv", "its cycles have not the images that such a run labels")
    if not _are_its(run.labelled, acquisitions["label"], dataset.train_labels):
        raise checkpoint.damaged(path / "acquisitions.csv", f"it has images that {dataset.name} does not have")
    last = int(cycles[-1])
    return checkpoint.State(last, config.training_steps(last_cycle=last), rows, {}, [], {})


def _configuration(path):
    known = record.read_config(path)
    if known is None:
        raise checkpoint.damaged(path / "config.json", "it is missing")
    return known


def _are_its(indices, labels, all_labels):
    """Whether images have the labels that a data set says."""
    return np.all((indices >= 0) & (indices < len(all_labels))) and np.array_equal(labels, all_labels[indices])


def is_kept_to(path, settings, last_cycle):
    """Whether a kept record holds this cycle; RecordError if it is damaged or of other `settings`."""
    try:
        record.check_settings(path, _configuration(path), settings)
        return cycles_in(path) > last_cycle
    except RecordError:
        if files.exists(path / files.LOCK):  # perhaps it is just going on: whoever opens it takes the lock first
            return False
        raise


def cycles_in(path):
    """How many cycles the table of metrics of a kept record has; RecordError if it is damaged."""
    return len(load_tables(path).tables["metrics"]["cycle"])
