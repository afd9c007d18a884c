"""Files that are either the old or the new ones, whatever happens: temporary file, fsync, rename.

Temporary files have random names: two processes that write one file at once leave one of both contents, whole.

Every step goes through `_step`, where a test can stop the process: `BAYES_LAYERS_FAULT=kill:17` kills
it before its 17th step, `BAYES_LAYERS_FAULT=enospc:17` lets that step find a full disk.
"""

import contextlib
import errno
import glob
import io
import json
import os
import pathlib
import secrets
import signal
import time

import numpy as np

from experiments.errors import UserError

LOCK = "lock"  # the name of a record's lock
FAULT_VARIABLE = "BAYES_LAYERS_FAULT"
ABANDONED = 3600.0  # seconds after which nobody is writing a file any more
_TEMPORARY = ".tmp"
_steps_taken = 0


def _step(path):
    global _steps_taken
    _steps_taken += 1
    kind, _, number = os.environ.get(FAULT_VARIABLE, "").partition(":")
    if kind and int(number) == _steps_taken:
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def write_bytes(path, data):
    """Replaces a file's content at once and durably.

    Args:
      path: the file.
      data: bytes.

    Raises:
      OSError: as the file system says; the old file is then still there.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_TEMPORARY}")  # machines may share a directory
    _remove_abandoned(path)
    try:
        _step(path)
        with open(temporary, "wb") as file:
            file.write(data[: len(data) // 2])
            file.flush()
            _step(path)
            file.write(data[len(data) // 2 :])
            file.flush()
            _step(path)
            os.fsync(file.fileno())
        _step(path)
        os.rename(temporary, path)
        _step(path)
        _sync_directory(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.filename is None:
            error.filename = str(path)
        raise


def rename_directory(old, new):
    """Gives a directory its name, durably."""
    _step(new)
    os.rename(old, new)
    _step(new)
    _sync_directory(new.parent)


def write_text(path, text):
    """`write_bytes` of UTF-8 text."""
    write_bytes(path, text.encode())


def write_json(path, value):
    """`write_bytes` of indented JSON."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def npz_bytes(arrays, compressed=False):
    """The bytes of a `.npz` of a dict of arrays; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def exists(path):
    """Whether there is such a file; no where that may not be known, which `Path.exists` raises."""
    return os.path.exists(path)


def remove(path):
    """Removes a file if it is there."""
    _step(path)
    pathlib.Path(path).unlink(missing_ok=True)


def temporaries(directory):
    """What a killed process left half-written."""
    return list(pathlib.Path(directory).glob(f".*{_TEMPORARY}"))


def remove_temporaries(directory):
    """Removes what a killed process left half-written; only for the holder of the record's lock."""
    for path in temporaries(directory):
        path.unlink(missing_ok=True)


def _remove_abandoned(path):
    """Removes what was half-written of this one file long ago; no lock is needed for that."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*{_TEMPORARY}"):
        with contextlib.suppress(FileNotFoundError):  # another process may be faster
            if time.time() - leftover.stat().st_mtime > ABANDONED:
                leftover.unlink()


def _sync_directory(directory):
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_files(directory, contents):
    """Writes files, a dict from name to text or bytes, into a directory, which is made; UserError if it cannot be."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{directory} cannot be made: {error.strerror}; give another --output_dir") from error
    for name, content in contents.items():
        write_bytes(directory / name, content.encode() if isinstance(content, str) else content)
