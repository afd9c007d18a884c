"""Numbered checkpoints and one pointer file, whose renaming is the only commit point of a cycle or epoch."""

import dataclasses
import hashlib
import io
import json
import pathlib
import shutil

import numpy as np

from experiments.errors import RecordError
from experiments.records import files, tables
from experiments.records.layout import ACTIVE_LEARNING, Layout

POINTER = "latest"


@dataclasses.dataclass
class State:
    """All that a run knows after a cycle (of active learning) or an epoch.

    Attributes:
      cycle: number of the last fitted cycle, or epoch.
      global_step: training steps taken so far.
      rows: dict from a table's name to its rows (of texts).
      network: the network's arrays (`Network.to_arrays`), as fitted, and whatever else is needed to go on.
      pending: the images chosen for the next cycle, as rows of `acquisitions`; empty after the last.
      curve: dict of float arrays `[epochs]`: the last training curve, for TensorBoard.
      layout: the `Layout` of the record.
    """

    cycle: int
    global_step: int
    rows: dict
    network: dict
    pending: list
    curve: dict
    layout: Layout = ACTIVE_LEARNING

    @property
    def texts(self):
        """The CSV text of every table."""
        columns = self.layout.columns
        return {name: tables.to_text(name, self.rows[name], columns) for name in columns}


def to_bytes(state):
    """A state as the bytes of an `.npz` file."""
    record = {"cycle": state.cycle, "global_step": state.global_step, "tables": state.texts, "pending": state.pending}
    curve = {f"curve/{name}": values for name, values in state.curve.items()}
    return files.npz_bytes({"record": np.array(json.dumps(record)), **curve, **state.network})


def from_bytes(data, what, layout=ACTIVE_LEARNING):
    """The state of `to_bytes`, of a record of that layout.

    Raises:
      RecordError: if the bytes are damaged; `what` names them.
    """
    try:
        with np.load(io.BytesIO(data)) as file:
            arrays = {name: file[name] for name in file.files}
        record = json.loads(str(arrays.pop("record")))
        columns = layout.columns
        rows = {name: tables.from_text(name, record["tables"][name], columns) for name in columns}
        curve = {name.removeprefix("curve/"): arrays.pop(name) for name in list(arrays) if name.startswith("curve/")}
        return State(record["cycle"], record["global_step"], rows, arrays, record["pending"], curve, layout)
    except Exception as error:  # a damaged zip file fails in many ways
        raise damaged(what, error) from error


def damaged(path, why):
    """The error for a damaged file of a record; `why` is a text or what was raised."""
    why = "it is missing" if isinstance(why, FileNotFoundError) else why
    return RecordError(
        f"{path} is damaged ({' '.join(str(why).split())[:150]}); nothing was changed: restore it from a "
        "copy, or move the record's directory away to start anew"
    )


def write(directory, state):
    """Writes a checkpoint and commits it by renaming the pointer."""
    directory = pathlib.Path(directory)
    data = to_bytes(state)
    name = f"{state.cycle:06d}.npz"
    files.write_bytes(directory / name, data)
    files.write_json(directory / POINTER, {"file": name, "sha256": hashlib.sha256(data).hexdigest()})


def begin(directory, before, state):
    """The first checkpoint of a record that has none but goes on: all of the directory at once, with both states.

    Args:
      directory: the directory of checkpoints, which does not exist.
      before: the `State` that the record's tables are of.
      state: the `State` to commit.
    """
    directory = pathlib.Path(directory)
    remove_begun(directory)
    new = _begun(directory)
    new.mkdir()
    files.write_bytes(new / f"{before.cycle:06d}.npz", to_bytes(before))  # whose tables may stay if we are killed
    write(new, state)
    files.rename_directory(new, directory)


def remove_begun(directory):
    """Removes what a process that was killed in `begin` left; only for the holder of the record's lock."""
    shutil.rmtree(_begun(directory), ignore_errors=True)


def _begun(directory):
    return pathlib.Path(directory).with_name(f"{pathlib.Path(directory).name}.new")


def read(directory, layout=ACTIVE_LEARNING):
    """The committed state, or None if nothing was committed yet.

    Raises:
      RecordError: if pointer or checkpoint are damaged or missing.
    """
    directory = pathlib.Path(directory)
    pointer_path = directory / POINTER
    numbered = numbered_files(directory)
    if not pointer_path.exists():
        # A first checkpoint whose pointer was not yet written when the process died is no loss.
        if [path.name for path in numbered] in ([], [f"{layout.first:06d}.npz"]):
            return None
        raise damaged(pointer_path, f"it is missing, but there are checkpoints such as {numbered[-1].name}")
    try:
        pointer = json.loads(pointer_path.read_text())
        path, expected = directory / pointer["file"], pointer["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(pointer_path, f"not a pointer: {error!r}") from error
    if not path.exists():
        raise damaged(path, "it is missing, but the pointer names it")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != expected:
        raise damaged(path, "its SHA-256 is not the one in the pointer")
    return from_bytes(data, path, layout)


def numbered_files(directory):
    """All numbered checkpoint files, oldest first."""
    return sorted(pathlib.Path(directory).glob("[0-9]*.npz"))


def remove_others(directory, cycle):
    """Removes all checkpoints but that of `cycle`."""
    for path in numbered_files(directory):
        if path.name != f"{cycle:06d}.npz":
            files.remove(path)
