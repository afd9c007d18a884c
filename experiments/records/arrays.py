"""A record that is one file: arrays and a JSON head, written at once and durably, with a SHA-256 of both.

A zip file's own check sums cover neither its headers nor its directory.
"""

import hashlib
import io
import json

import numpy as np

from experiments.errors import RecordError
from experiments.records import files

DIGEST = "content_sha256"


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
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return _content(data)
    except Exception as error:  # a damaged zip file fails in many ways
        why = " ".join(str(error).split())[:150] or type(error).__name__
        raise RecordError(f"{path} is damaged ({why}); delete it to have it made again") from error


def _content(data):
    """`(head, arrays)` of a file's bytes; raises whatever there is to raise if they are damaged."""
    with np.load(io.BytesIO(data)) as file:
        arrays = {name: file[name] for name in file.files}
    head = json.loads(str(arrays.pop("record")))
    expected = head.pop(DIGEST, None)  # the first records do not state it
    if expected is not None and expected != _digest(head, arrays):
        raise ValueError("its SHA-256 is not the one that it states")
    return head, arrays


def _digest(head, arrays):
    """SHA-256 of a head, and of the names, types, shapes and values of arrays."""
    digest = hashlib.sha256(json.dumps(head).encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def write(path, head, arrays):
    """Writes a head (JSON values) and a dict of arrays; the directory is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = json.loads(json.dumps(head))  # as it will be read
    record = json.dumps({**head, DIGEST: _digest(head, arrays)})
    files.write_bytes(path, files.npz_bytes({"record": np.array(record), **arrays}))


def check_protocol(path, found, wanted):
    """Raises RecordError if a record's settings (`found`) are not those that it is `wanted` with."""
    if found != json.loads(json.dumps(wanted)):
        raise RecordError(f"{path} was made with another protocol; give another --output_dir")
