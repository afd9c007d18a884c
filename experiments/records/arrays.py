"""A record that is one file: arrays and a JSON head, written at once and durably."""

import io
import json
import zipfile

import numpy as np

from experiments.errors import RecordError
from experiments.records import files


def read(path):
    """Reads a file that `write` wrote.

    Args:
      path: a `pathlib.Path`.

    Returns:
      `(head, arrays)`, or None if it does not exist.

    Raises:
      RecordError: if it is damaged.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes())) as file:
            arrays = {name: file[name] for name in file.files}
        return json.loads(str(arrays.pop("record"))), arrays
    except FileNotFoundError:
        return None
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError, TypeError) as error:
        raise RecordError(f"{path} is damaged ({error}); delete it to have it made again") from error


def write(path, head, arrays):
    """Writes a head (JSON values) and a dict of arrays; the directory is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_bytes(path, files.npz_bytes({"record": np.array(json.dumps(head)), **arrays}))


def check_protocol(path, found, wanted):
    """Raises RecordError if a record's settings (`found`) are not those that it is `wanted` with."""
    if found != json.loads(json.dumps(wanted)):
        raise RecordError(f"{path} was made with another protocol; give another --output_dir")
