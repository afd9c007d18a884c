"""What the evidence experiments share: the settings of their fits, their place, tables that grow cell by cell.

Light: no TensorFlow.
"""

import csv
import dataclasses
import pathlib

from bayes_layers.config import ObjectiveSettings
from bayes_layers.settings import Settings, same_setting
from experiments.errors import RecordError
from experiments.records import files, tables
from experiments.records.paths import changed_settings


@dataclasses.dataclass(frozen=True)
class FitSettings(Settings):
    """Training"""

    epochs: int = same_setting(ObjectiveSettings, "epochs", ObjectiveSettings.epochs)
    batch_size: int = same_setting(ObjectiveSettings, "batch_size", ObjectiveSettings.batch_size)
    learning_rate: float = same_setting(ObjectiveSettings, "learning_rate", ObjectiveSettings.learning_rate)
    kl_scale: str = same_setting(ObjectiveSettings, "kl_scale", ObjectiveSettings.kl_scale)


def directory(name, dataset, config):
    """Where the tables of a protocol lie: `<output_dir>/<name>/<dataset>[/<setting>=<value>[,...]]`.

    Args:
      name: the experiment.
      dataset: the data set, resolved.
      config: its settings; those that rows state themselves are declared with `result=False`, the others are named
        where they are not at their defaults.
    """
    changed = changed_settings("", config, ("dataset",)).removeprefix(",")
    return pathlib.Path(config.output_dir).expanduser() / name / dataset / changed


class Table:
    """A CSV file of rows, dicts with values of known types, no two of which have the same key."""

    def __init__(self, path, columns, key):
        """Reads the file, if it is there.

        Args:
          path: the file, a `pathlib.Path`.
          columns: dict from the columns' names, in their order, to their types; any cell may also be empty.
          key: the columns that tell a row from all others.

        Raises:
          RecordError: if it is damaged.
        """
        self.path, self.columns, self._key = path, columns, key
        self.read()

    @property
    def rows(self):
        """All rows."""
        return list(self._rows.values())

    def __contains__(self, key):
        return tuple(key) in self._rows

    def read(self):
        """Reads the file again: another process may have written it."""
        self._rows, name = {}, self.path.stem
        if not self.path.exists():
            return
        try:
            texts = tables.from_text(name, self.path.read_text(), {name: tuple(self.columns)})
            self.put({c: kind(row[c]) if row[c] else "" for c, kind in self.columns.items()} for row in texts)
        except (ValueError, csv.Error) as error:
            raise RecordError(f"{self.path} is damaged ({error}); delete it to have it made again") from error

    def put(self, rows):
        """Adds rows, or replaces those with their keys; `write` makes it durable."""
        self._rows |= {tuple(row[name] for name in self._key): row for row in rows}

    def write(self):
        """Replaces the file at once."""
        files.write_text(self.path, tables.csv_text(tuple(self.columns), self.rows))
