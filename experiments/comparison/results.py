"""From records to numbers: what there is of a comparison on disk. Light: no TensorFlow, and no data set."""

import dataclasses
import pathlib

import numpy as np

from bayes_layers.inference.early_stopping import last_epoch
from experiments.classification.config import ClassificationConfig
from experiments.classification.place import record_path
from experiments.errors import RecordError
from experiments.records import record
from experiments.records.files import LOCK, exists
from experiments.records.layout import has_checkpoint
from experiments.records.load import Run, load_either
from experiments.studies.collect import COMPLETE, DAMAGED, MISSING, PARTIAL


@dataclasses.dataclass(frozen=True)
class Cell:
    """Runs that differ in their seed only.

    Attributes:
      row: the network in words, as the thesis calls it.
      dataset: the data set's name.
      changes: settings of these runs: `model`, `inference` and perhaps others.
    """

    row: str
    dataset: str
    changes: dict


@dataclasses.dataclass(frozen=True)
class Row:
    """One run, as its record tells.

    Attributes:
      config: its `ClassificationConfig`.
      path: its record's directory.
      state: complete, partial, missing or damaged.
      why: one line that says what is amiss; empty for a complete run.
      run: the `Run` up to the epochs of the config; None if there is nothing to read.
    """

    config: ClassificationConfig
    path: pathlib.Path
    state: str
    why: str = ""
    run: Run | None = None

    @property
    def metrics(self):
        """The columns of its metrics."""
        return self.run.tables["metrics"]


def configs_of(study, cell):
    """Dict from seed to the config of each run of a `Cell`, in a `ComparisonConfig`."""
    return {
        seed: study.run_config(dataset=cell.dataset, seed=seed, **cell.changes)
        for seed in range(study.seed, study.seed + study.seeds)
    }


def read(config):
    """The `Row` of one run; never raises."""
    path = record_path(config, config.dataset)
    try:
        return _read(config, path)
    except (RecordError, OSError) as error:
        if exists(path / LOCK):  # perhaps it was only being written
            return Row(config, path, PARTIAL, f"in use, or was killed: {error}")
        return Row(config, path, DAMAGED, " ".join(str(error).split()))


def _read(config, path):
    known = record.read_config(path)
    if known is None:
        return Row(config, path, MISSING, "not begun")
    names = [field.name for field in dataclasses.fields(config) if field.metadata["in_record"]]
    settings = {name: getattr(config, name) for name in names if name not in config.meaningless}
    record.check_settings(path, known, {name: value for name, value in settings.items() if value != "auto"})
    if has_checkpoint(path) and record.inspect(path) is None:
        return Row(config, path, PARTIAL, "begun, no epoch finished")
    run = load_either(path)
    last = last_epoch(run.tables["metrics"]["val_error"], config.epochs, config.patience)
    run = _until(run, last)
    metrics = run.tables["metrics"]
    done = len(metrics["epoch"])
    if done < last:
        return Row(config, path, PARTIAL, f"at epoch {done} of {config.epochs}", run)
    if np.isnan(metrics["test_error"][-1]):
        return Row(config, path, PARTIAL, f"not tested at epoch {done} (--test_every)", run)
    return Row(config, path, COMPLETE, "", run)


def _until(run, epochs):
    """A run without what is behind some epoch."""

    def cut(columns):
        kept = columns["epoch"] <= epochs
        return {
            name: [v for v, k in zip(values, kept, strict=True) if k] if isinstance(values, list) else values[kept]
            for name, values in columns.items()
        }

    return dataclasses.replace(run, tables={name: cut(columns) for name, columns in run.tables.items()})


class Results:
    """The runs of a comparison, by cell and seed."""

    def __init__(self, study, cells):
        """Reads them.

        Args:
          study: the `ComparisonConfig`.
          cells: list of `Cell`.
        """
        self.study, self.cells = study, cells
        self._rows = [{seed: read(config) for seed, config in configs_of(study, cell).items()} for cell in cells]

    @property
    def rows(self):
        """All `Row`s, each record once."""
        return list({row.path: row for rows in self._rows for row in rows.values()}.values())

    def cell(self, row, dataset):
        """The `Cell` of these words, or None."""
        return next((cell for cell in self.cells if (cell.row, cell.dataset) == (row, dataset)), None)

    def runs(self, row, dataset):
        """Dict from seed to the complete `Row`s of a cell; empty where there is none."""
        cell = self.cell(row, dataset)
        rows = {} if cell is None else self._rows[self.cells.index(cell)]
        return {seed: row for seed, row in rows.items() if row.state == COMPLETE}

    def values(self, row, dataset, measure):
        """Dict from seed to a number of each complete run; `measure` is a function of a `Row`."""
        return {seed: measure(found) for seed, found in self.runs(row, dataset).items()}


def accuracy(row):
    """Test accuracy in % at the last epoch."""
    return 100 * (1 - float(row.metrics["test_error"][-1]))


def train_accuracy(row):
    """Accuracy in % on training images at the last epoch."""
    return 100 * (1 - float(row.metrics["train_error"][-1]))


def first_accuracy(row):
    """Test accuracy in % after the first epoch; validation accuracy, if the test set was not evaluated."""
    errors = [row.metrics[name][0] for name in ("test_error", "val_error")]
    return 100 * (1 - float(next(error for error in errors if not np.isnan(error))))


def last(column):
    """A measure: the last value of a column of metrics."""
    return lambda row: float(row.metrics[column][-1])
