"""Reading a record, for tables and figures (without TensorFlow) and to go on with its model."""

import dataclasses
import functools
import pathlib

import numpy as np

from bayes_layers.models.architectures import NETWORKS, is_bayesian
from experiments.errors import RecordError
from experiments.records import checkpoint, record, tables
from experiments.records.layout import has_checkpoint, layout_of


@dataclasses.dataclass(frozen=True)
class Run:
    """A run on disk.

    Attributes:
      path: its directory.
      config: the content of `config.json`.
      labelled: data-set indices in the order in which they were labelled; None in other experiments.
      tables: dict from a table's name (`layout.columns`) to a dict of columns: float arrays (nan where a cell is
        empty), or lists of texts.
    """

    path: pathlib.Path
    config: dict
    labelled: np.ndarray | None
    tables: dict

    @property
    def layout(self):
        """The `Layout` of the record."""
        return layout_of(self.config)

    @property
    def is_bayesian(self):
        """Whether its network has a Bayesian layer; None for a network that this package does not know."""
        settings = self.config["settings"]
        arch = settings.get("arch", settings.get("model"))
        return is_bayesian(arch, settings.get("inference", "variational")) if arch in NETWORKS else None

    @functools.cached_property
    def model(self):
        """The `Network` as fitted in the last committed cycle or epoch, in the run's precision (loads TensorFlow)."""
        from bayes_layers.models.network import Network

        network = Network.from_arrays(checkpoint.read(self.path / "checkpoint", self.layout).network)
        network.precision = self.config["settings"].get("precision", network.precision)
        return network

    @functools.cached_property
    def acquired(self):
        """The labelled images: dict with `image` uint8 `[N, H, W, C]`, `label`, `index` and `cycle`."""
        with open(self.path / record.ACQUIRED, "rb") as opened, np.load(opened) as file:
            return {name: file[name] for name in file.files}


def load_run(path):
    """Opens a record for reading.

    Args:
      path: the record's directory (the one that holds `config.json`).

    Returns:
      A `Run`.

    Raises:
      RecordError: if there is no record, nothing was committed yet, or it is damaged.
    """
    path = pathlib.Path(path)
    if not (path / "config.json").exists():
        raise RecordError(f"{path} is not a record: it has no config.json")
    state = record.inspect(path)
    if state is None:
        raise RecordError(f"{path} has no finished {layout_of(record.read_config(path)).unit} yet")
    return _run(path, state.rows)


def load_tables(path):
    """Opens the tables of a record that was kept without its checkpoint, for reports.

    Nothing vouches for such tables but that they fit each other; `calibration.csv` and `acquired.npz` may be missing.

    Args:
      path: the directory that holds `config.json` and the CSV files.

    Returns:
      A `Run` without a model.

    Raises:
      RecordError: if there are no tables, or they are damaged.
    """
    path = pathlib.Path(path)
    if not (path / "config.json").exists():
        raise RecordError(f"{path} is not a record: it has no config.json")
    layout = layout_of(record.read_config(path))
    run = _run(path, load_rows(path))
    for name in ("posterior", "calibration", "weights"):
        if name in run.tables and not _is_whole(run, name):
            raise checkpoint.damaged(path / f"{name}.csv", f"it has not the rows of every {layout.unit}")
    if not layout.keeps_images:
        return run
    if len(run.labelled) != run.tables["metrics"]["labels"][-1]:
        raise checkpoint.damaged(path / "acquisitions.csv", "it has not as many rows as there are labels")
    if len(np.unique(run.labelled)) != len(run.labelled):
        raise checkpoint.damaged(path / "acquisitions.csv", "it has an image twice")
    if (path / record.ACQUIRED).exists() and record.acquired_in(path / record.ACQUIRED) != run.labelled.tolist():
        raise checkpoint.damaged(path / record.ACQUIRED, "it holds other images than the table of acquisitions")
    return run


def load_rows(path):
    """The rows (of texts) of the tables of such a record; RecordError if they are damaged."""
    layout = layout_of(record.read_config(path))
    return {name: _rows(path / f"{name}.csv", name, layout) for name in layout.columns}


def load_either(path):
    """`load_run`, or `load_tables` of a record that was kept without its checkpoint."""
    return load_run(path) if has_checkpoint(path) else load_tables(path)


def _is_whole(run, name):
    """Whether a table has the same layers or bins in all cycles or epochs; bins where there was a test.

    A network without Bayesian layers has no rows of layers, and a record may be without its table of bins.
    """
    table, metrics, unit, of_cycle = run.tables[name], run.tables["metrics"], run.layout.unit, {}
    key = "layer" if "layer" in table else "bin"
    for number, value in zip(table[unit], table[key], strict=True):
        of_cycle.setdefault(number, []).append(value)
    if not of_cycle and not (run.is_bayesian if key == "layer" else (run.path / f"{name}.csv").exists()):
        return True
    expected = metrics[unit][np.isfinite(metrics["test_error"])] if key == "bin" else metrics[unit]
    first = next(iter(of_cycle.values()), None)
    return list(of_cycle) == list(expected) and all(each == first for each in of_cycle.values())


def _rows(file, name, layout):
    if name == "calibration" and not file.exists():
        return []
    try:
        rows = tables.from_text(name, file.read_text(), layout.columns)
        if name == "metrics" and not rows:
            raise ValueError("it has no rows")
        for column in set(layout.columns[name]) - {"layer"}:
            tables.check_numbers(rows, column)
        return rows
    except (FileNotFoundError, ValueError) as error:
        raise checkpoint.damaged(file, error) from error


def _run(path, rows_of):
    config = record.read_config(path)
    layout, order = layout_of(config), None
    columns = {name: {c: _array(rows, c) for c in layout.columns[name]} for name, rows in rows_of.items()}
    if layout.keeps_images:
        order = np.array(tables.column(rows_of["acquisitions"], "index", int), np.int64)
    return Run(path, config, order, columns)


def _array(rows, column):
    if column == "layer":
        return [r[column] for r in rows]
    return np.array([np.nan if value is None else value for value in tables.column(rows, column)])
