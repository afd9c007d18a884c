"""Where a run's record lies, which settings it states, and when it is complete. Light: no TensorFlow."""

import dataclasses
import pathlib

from bayes_layers.inference.early_stopping import last_epoch
from bayes_layers.processor import resolve_jit_compile, resolve_precision
from experiments.records import record, tables
from experiments.records.layout import IMAGE_CLASSIFICATION
from experiments.records.paths import changed_settings


def record_path(config, dataset):
    """`<output_dir>/image_classification/<dataset>/<model>/<inference>[,<setting>=<value>...]/seed<seed>`."""
    own_place = ["model", "inference", "dataset", "seed", *config.meaningless]
    if config.network.is_estimator_usual:  # said or not, it is the same run
        own_place.append("estimator")
    return (
        pathlib.Path(config.output_dir).expanduser()
        / IMAGE_CLASSIFICATION.experiment
        / dataset
        / config.model
        / changed_settings(config.inference, config, own_place)
        / f"seed{config.seed}"
    )


def prepare_directory(config, dataset):
    """Makes the record's directory, and returns its path; UserError if it cannot be made or written to."""
    return record.make_directory(record_path(config, dataset), config.output_dir)


def stored_settings(config, path, dataset):
    """The settings for `config.json`: those that mean something for the run, with auto resolved.

    What auto means for a record is decided once: an existing record's decision is kept.
    """
    known = (record.read_config(path) or {}).get("settings", {})
    names = [field.name for field in dataclasses.fields(config) if field.metadata["in_record"]]
    settings = {name: getattr(config, name) for name in names if name not in config.meaningless}
    settings["dataset"] = dataset
    if "estimator" in settings:
        settings["estimator"] = config.network.noise_estimator
    decide = {
        "precision": lambda: resolve_precision("auto", config.network),
        "jit_compile": lambda: resolve_jit_compile("auto"),
    }
    for name, decision in decide.items():
        if settings[name] == "auto":
            settings[name] = known.get(name) or decision()
    return settings


def is_last(config, metrics):
    """Whether a run with these rows of metrics (of texts) ends here: enough epochs, or no better one for long."""
    return len(metrics) >= last_epoch(tables.column(metrics, "val_error"), config.epochs, config.patience)


def is_complete(config, path, dataset):
    """Whether this config needs nothing written to a record; RecordError if it is damaged or of another."""
    if not (path / "config.json").exists():
        return False
    state = record.finished_state(path, stored_settings(config, path, dataset))
    return bool(state) and is_last(config, state.rows["metrics"])
