"""The trained network of a record, whatever experiment it is of."""

import dataclasses
import hashlib
import json
import pathlib
import sys

from experiments.errors import RecordError
from experiments.records import record
from experiments.records.checkpoint import POINTER, damaged
from experiments.records.layout import LAYOUTS


@dataclasses.dataclass(frozen=True)
class Trained:
    """A record with a committed checkpoint.

    Attributes:
      path: its directory.
      config: the content of `config.json`.
      checkpoint: the checkpoint's file.
      sha256: of the checkpoint.
    """

    path: pathlib.Path
    config: dict
    checkpoint: pathlib.Path
    sha256: str

    @property
    def settings(self):
        """The settings that it was made with."""
        return self.config["settings"]

    @property
    def dataset(self):
        """The data set's name."""
        return self.config["dataset"]["name"]

    @property
    def place(self):
        """Where it lies among all records: `image_classification/mnist/lenet5/variational/seed0`."""
        return place_of(self.path)

    def network(self):
        """The `Network` as it was last committed (loads TensorFlow).

        Raises:
          RecordError: if the checkpoint is damaged.
        """
        from bayes_layers.models.network import load_network

        try:
            return load_network(self.checkpoint)
        except (OSError, ValueError, KeyError) as error:
            raise damaged(self.checkpoint, error) from error


def place_of(path):
    """Where a record lies among all records, a relative path that begins with its experiment's name."""
    parts = pathlib.Path(path).expanduser().resolve().parts
    starts = [i for i, part in enumerate(parts) if part in LAYOUTS]
    return pathlib.PurePath(*parts[starts[-1] :] if starts else parts[-1:])


def open_trained(path):
    """Opens a record for its network.

    Args:
      path: the record's directory (the one that holds `config.json`).

    Returns:
      A `Trained`.

    Raises:
      RecordError: if there is no record, nothing was committed, or its checkpoint is not there.
    """
    path = pathlib.Path(path).expanduser()
    config = record.read_config(path)
    if config is None:
        raise RecordError(f"{path} is not a record: it has no config.json")
    pointer = path / "checkpoint" / POINTER
    try:
        latest = json.loads(pointer.read_text())
        found = Trained(path, config, pointer.parent / latest["file"], latest["sha256"])
    except FileNotFoundError:
        raise RecordError(f"{path} has no checkpoint: it holds no trained network") from None
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(pointer, error) from error
    if not found.checkpoint.exists():
        raise damaged(found.checkpoint, "it is missing, but the pointer names it")
    return found


def metrics_sha256(path):
    """SHA-256 of a record's metrics.csv, by which a record that is kept without its checkpoint is known."""
    return hashlib.sha256((pathlib.Path(path).expanduser() / "metrics.csv").read_bytes()).hexdigest()


def source_for_report(path):
    """What a report on a record's network has to be of: the SHA-256 of the checkpoint that the record has now.

    Args:
      path: the record's directory; results may be kept without it, or without its checkpoint, which is said.

    Returns:
      The SHA-256, or None if there is no checkpoint to compare with.
    """
    try:
        return open_trained(path).sha256
    except RecordError as error:
        print(f"note: not compared with the record's network: {error}", file=sys.stderr)
        return None
