"""From records to rows: what there is of a study on disk. Light: no TensorFlow, and no data set."""

import dataclasses
import pathlib

import numpy as np

from experiments.active_learning.config import ActiveLearningConfig, result_settings
from experiments.errors import RecordError
from experiments.records import files, record, tables
from experiments.records.checkpoint import damaged
from experiments.records.layout import has_checkpoint
from experiments.records.paths import record_path
from experiments.studies import grid

COMPLETE, PARTIAL, MISSING, DAMAGED = "complete", "partial", "missing", "damaged"


@dataclasses.dataclass(frozen=True)
class Row:
    """One run of a study, as its record tells.

    Attributes:
      config: its `ActiveLearningConfig`.
      path: its record's directory.
      state: complete, partial, missing or damaged.
      why: one line that says what is amiss; empty for a complete run.
      metrics: dict of float arrays `[cycles]`, nan where a cell is empty, up to the study's `max_labels`.
      settings: the settings in its `config.json`.
      device: where it was made.
      threads: of one operation there, as a text; empty where the record does not say.
      is_kept: whether it is a small record, without the checkpoint that a run is continued from.
    """

    config: ActiveLearningConfig
    path: pathlib.Path
    state: str
    why: str = ""
    metrics: dict = dataclasses.field(default_factory=dict)
    settings: dict = dataclasses.field(default_factory=dict)
    device: str = ""
    threads: str = ""
    is_kept: bool = False

    @property
    def cell(self):
        """The `Cell` that it belongs to."""
        return grid.cell_of(self.config)

    @property
    def curve(self):
        """Labels and test errors `[n]` of the cycles that were tested."""
        tested = ~np.isnan(self.metrics["test_error"])
        return self.metrics["labels"][tested], self.metrics["test_error"][tested]

    @property
    def final_error(self):
        """The test error (a fraction) of the last cycle of a complete run."""
        return float(self.metrics["test_error"][-1])


def collect(study, dataset):
    """Reads all runs of a study.

    Args:
      study: a `StudyConfig`.
      dataset: "mnist" or "digits".

    Returns:
      A list of `Row`, in the order of `grid.runs`; none of them raises.
    """
    return [read(config, dataset) for config in grid.runs(study)]


def read(config, dataset):
    """The `Row` of one run."""
    path = record_path(config, dataset)
    try:
        return _read(config, path, dataset)
    except (RecordError, OSError) as error:
        if files.exists(path / files.LOCK):  # perhaps it was only being written
            return Row(config, path, PARTIAL, f"in use, or was killed: {error}")
        return Row(config, path, DAMAGED, " ".join(str(error).split()))


def _read(config, path, dataset):
    known = record.read_config(path)
    if known is None:
        record.inspect(path)  # raises if there is something without a configuration
        return Row(config, path, MISSING, "not begun")
    expected = {name: value for name, value in result_settings(config).items() if value != "auto"}
    expected["dataset"] = dataset
    is_kept = not has_checkpoint(path)
    if not is_kept:
        state = record.inspect(path, expected)
        rows = state.rows["metrics"] if state else []
    else:  # a small record: the tables alone, without weights
        record.check_settings(path, known, expected)
        rows = _small(path / "metrics.csv")
    metrics = _metrics(path / "metrics.csv", rows, config)
    state, why = _state(metrics, config)
    return Row(config, path, state, why, metrics, known["settings"], *_place(known), is_kept)


def _place(known):
    return [str(known.get(name, "")) for name in ("device", "threads")]


def _small(file):
    try:
        rows = tables.from_text("metrics", file.read_text())
        if not rows:
            raise ValueError("it has no rows")
        return rows
    except (FileNotFoundError, ValueError) as error:  # a run that has only begun has a directory of checkpoints
        raise damaged(file, error) from error


def _metrics(file, rows, config):
    """The columns of the cycles that the study asks for; RecordError if they are not what a run writes."""
    try:
        columns = {name: tables.column(rows, name) for name in tables.COLUMNS["metrics"]}
        columns = {name: np.array([np.nan if v is None else v for v in values]) for name, values in columns.items()}
        cycles, errors = range(len(rows)), columns["test_error"]
        if columns["cycle"].tolist() != list(cycles):
            raise ValueError("its cycles are not 0, 1, 2, ...")
        if columns["labels"].tolist() != [config.labels_at(cycle) for cycle in cycles]:
            raise ValueError("labels that no run has")
        if np.any((errors < 0) | (errors > 1)):
            raise ValueError("errors that no run has")
    except ValueError as error:
        raise damaged(file, error) from error
    return {name: values[: config.last_cycle + 1] for name, values in columns.items()}


def _state(metrics, config):
    cycles, all_cycles = len(metrics["labels"]), config.last_cycle + 1
    if cycles == 0:
        return PARTIAL, "begun, no cycle finished"
    if cycles < all_cycles:
        return PARTIAL, f"at {metrics['labels'][-1]:.0f} of {config.labels_at(config.last_cycle)} labels"
    if np.isnan(metrics["test_error"][-1]):
        return PARTIAL, f"not tested at {metrics['labels'][-1]:.0f} labels (--test_every)"
    return COMPLETE, ""


class Results:
    """The complete runs of a study, by cell and seed."""

    def __init__(self, study, dataset, rows):
        """Sorts rows.

        Args:
          study: the `StudyConfig`.
          dataset: the data set's name.
          rows: what `collect` returned.
        """
        self.study, self.dataset, self.rows = study, dataset, rows
        self._cells = {}
        for row in rows:
            if row.state == COMPLETE:
                self._cells.setdefault(row.cell, {})[row.config.seed] = row

    def runs(self, cell):
        """Dict from seed to the complete `Row` of a cell; empty where there is none."""
        return dict(sorted(self._cells.get(cell, {}).items()))

    def errors(self, cell):
        """Dict from seed to final test error in %."""
        return {seed: 100 * row.final_error for seed, row in self.runs(cell).items()}

    @property
    def lacking(self):
        """The rows that are not complete."""
        return [row for row in self.rows if row.state != COMPLETE]

    @property
    def labels(self):
        """Labelled images at the end of each run."""
        return self.study.labels_at(self.study.last_cycle)
