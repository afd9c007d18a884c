"""A run's directory: what may be written to it, when, and what is believed when it is opened again.

One commit per cycle or epoch, in this order: the checkpoint, the pointer (from here on it counts), the
tables and acquired images that are rewritten from it, and last the removal of older checkpoints. A process
killed between any two of these steps leaves a directory that `Record` opens without loss.
"""

import io
import json
import os
import pathlib

import numpy as np

from experiments.errors import RecordError, UserError
from experiments.records import checkpoint, files, tables
from experiments.records.checkpoint import damaged
from experiments.records.configuration import check_configuration
from experiments.records.layout import ACTIVE_LEARNING, has_checkpoint, layout_of

ACQUIRED = "acquired.npz"


class Record:
    """A record, opened by the process that holds its lock."""

    def __init__(self, path, lock, layout=ACTIVE_LEARNING):
        """Opens a record directory.

        Args:
          path: the directory, which exists.
          lock: the `RecordLock` that is held.
          layout: the `Layout` of the record.
        """
        self.path = pathlib.Path(path)
        self.layout = layout
        self._lock = lock
        self._checkpoints = self.path / "checkpoint"
        self._kept = None

    def open(self, facts, kept=None):
        """Verifies what is there, or begins a new record.

        Args:
          facts: the content for `config.json`; its `settings` and the data set's `sha256` must be the record's.
          kept: the `State` of a record that was kept without its checkpoint; it gets one with the next commit.

        Returns:
          The committed `State`, or None. Differences in versions, commit and device are appended to the record's
          `history` and returned by `self.changes`.

        Raises:
          RecordError: if the record is damaged or of another configuration; nothing was changed then.
        """
        state = kept or inspect(self.path, facts["settings"])
        if self.layout != ACTIVE_LEARNING:
            facts = {"experiment": self.layout.experiment, **facts}
        known = read_config(self.path)
        self.changes = []
        if known:
            check_images(self.path, known, facts)
            history = list(known.get("history", []))
            self.changes = _differences(known, facts)
            if kept and self.changes:
                self.changes.append(
                    f"weights of {self.layout.unit} {kept.cycle}: not kept -> fitted again where needed"
                )
            if self.changes and (not history or history[-1]["changes"] != self.changes):
                begins = state.cycle + 1 if state else self.layout.first
                history.append({f"from_{self.layout.unit}": begins, "changes": self.changes})
            origin = {key: known[key] for key in facts if key in known and key != "settings"}
            facts = {**facts, **origin, "history": history}
        else:
            facts = {**facts, "history": []}
        self._kept = kept
        if not kept:
            self._checkpoints.mkdir(exist_ok=True)
        checkpoint.remove_begun(self._checkpoints)
        for directory in (self.path, self._checkpoints):
            files.remove_temporaries(directory)
        if facts != known:
            files.write_json(self.path / "config.json", facts)
        return state

    def publish(self, state, acquired=None):
        """Rewrites tables and acquired images (if any) from a committed state, and removes older checkpoints.

        Before the first commit after a kept state there is nothing to do: the tables that were kept are all there is.
        """
        if self._kept:
            return
        for name, text in state.texts.items():
            self._write_if_new(f"{name}.csv", text.encode())
        if acquired is not None:
            self._write_if_new(ACQUIRED, files.npz_bytes(acquired))
        checkpoint.remove_others(self._checkpoints, state.cycle)

    def remove_pictures(self):
        """Removes the pictures of a shorter run, so that pictures always show a finished one."""
        for name in self.layout.pictures:
            files.remove(self.path / name)

    def commit(self, state, acquired=None):
        """Commits a cycle or an epoch.

        Args:
          state: the `State` after it.
          acquired: dict of arrays for `acquired.npz`, or None.

        Raises:
          RecordError: if the lock was lost.
          OSError: if it cannot be written; what was committed before is still whole.
        """
        self._lock.check()
        if self._kept:
            checkpoint.begin(self._checkpoints, self._kept, state)
            self._kept = None
        else:
            checkpoint.write(self._checkpoints, state)
        self.publish(state, acquired)

    def _write_if_new(self, name, data):
        path = self.path / name
        if not path.exists() or path.read_bytes() != data:
            files.write_bytes(path, data)


def make_directory(path, output_dir):
    """Makes a record's directory.

    Args:
      path: the directory.
      output_dir: the setting that it follows from.

    Returns:
      `path`.

    Raises:
      UserError: if it cannot be made or written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        writable = os.access(path, os.W_OK | os.X_OK)
    except OSError as error:
        raise UserError(
            f"--output_dir={output_dir} cannot be used: {error.strerror} ({path}); "
            "give a directory that you can write to"
        ) from error
    if not writable:
        raise UserError(
            f"--output_dir={output_dir} cannot be written to ({path}); give a directory that you can write to"
        )
    return path


def finished_state(path, settings):
    """The committed state of a record with nothing half-written, or None.

    Raises:
      RecordError: if the record is damaged or of another configuration than `settings`.
    """
    try:
        state = inspect(path, settings)
    except RecordError:
        if (path / files.LOCK).exists():  # perhaps it is only being written: whoever opens it takes the lock first
            return None
        raise
    return state if state and is_published(path, state) else None


def inspect(path, settings=None):
    """Reads and verifies a record without changing anything.

    Args:
      path: the record's directory.
      settings: the settings that it must have been made with, or None.

    Returns:
      The committed `State`, or None if nothing was committed yet.

    Raises:
      RecordError: if it is damaged or of another configuration.
    """
    path = pathlib.Path(path)
    known = read_config(path)
    if known is None:
        if (path / "metrics.csv").exists() or checkpoint.numbered_files(path / "checkpoint"):
            raise damaged(path / "config.json", "it is missing")
        return None
    if settings is not None:
        check_settings(path, known, settings)
    layout = layout_of(known)
    state = checkpoint.read(path / "checkpoint", layout)
    if state is None:
        if (path / "metrics.csv").exists():
            if is_kept(path):
                raise without_checkpoint(path)
            raise damaged(path / "checkpoint" / checkpoint.POINTER, "it is missing")
        return None
    allowed = [state, *_previous(path / "checkpoint", state)]
    for name in layout.columns:
        _check_table(path / f"{name}.csv", [other.texts[name] for other in allowed])
    if layout.keeps_images:
        _check_acquired(path / ACQUIRED, [acquired_order(other) for other in allowed])
    return state


def is_kept(path):
    """Whether a record was kept without its checkpoint, which others have from their first cycle or epoch on."""
    return (path / "metrics.csv").exists() and not has_checkpoint(path)


def without_checkpoint(path):
    """The error where a kept record's weights are needed."""
    return RecordError(
        f"{path} was kept without its checkpoint/, and cannot be continued; give the --output_dir of its runs"
    )


def is_published(path, state):
    """Whether everything outside of `checkpoint/` is there and is what `state` says, with nothing half-written."""
    path = pathlib.Path(path)
    folder = path / "checkpoint"
    expected = {f"{name}.csv": text for name, text in state.texts.items()}
    return (
        all((path / name).exists() and (path / name).read_text() == text for name, text in expected.items())
        and all((path / name).exists() for name in state.layout.pictures)
        and (not state.layout.keeps_images or _has_acquired(path / ACQUIRED, state))
        and len(checkpoint.numbered_files(folder)) == 1
        and not files.temporaries(path) + files.temporaries(folder)
    )


def _has_acquired(file, state):
    return file.exists() and acquired_in(file) == acquired_order(state)


def read_config(path):
    """The content of `config.json`, or None if there is none.

    Raises:
      RecordError: if it is damaged.
    """
    file = pathlib.Path(path) / "config.json"
    try:
        known = json.loads(file.read_text())
        check_configuration(known)
        return known
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(file, f"not a configuration: {error!r}") from error


def acquired_order(state):
    """The data-set indices in the order in which they were labelled."""
    return tables.column(state.rows["acquisitions"], "index", int)


def _previous(directory, state):
    """The state before the last commit, whose tables may still be there after a kill."""
    path = directory / f"{state.cycle - 1:06d}.npz"
    return [checkpoint.from_bytes(path.read_bytes(), path, state.layout)] if path.exists() else []


def check_images(path, known, facts):
    """Raises RecordError if a record (`known`) was made with other images than these `facts` are of."""
    if known.get("dataset", {}).get("sha256") != facts["dataset"]["sha256"]:
        raise RecordError(
            f"{path} was made with other images than this {facts['dataset']['name']}; "
            "give another --output_dir, or the --data_dir of that time"
        )


def check_settings(path, known, settings):
    """Raises RecordError if a record's `config.json` (`known`) states other settings than these.

    What a record does not state, because the setting came later, is what it was before (`EARLIER`).
    """
    stated = {**EARLIER, **known["settings"]}
    differences = [
        f"{name}={stated.get(name)} there, {value} here"
        for name, value in settings.items()
        if stated.get(name) != value and name not in layout_of(known).changeable
    ]
    if differences:
        raise RecordError(
            f"{path} holds a run of another configuration ({'; '.join(differences)}); give another --output_dir"
        )


EARLIER = {
    "inference": "variational",
    "dropout_layers": "auto",
    "weight_init": "glorot",
    "variance": "softplus",
    "estimator": "flipout",
    "scoring": "full",
    "kl_schedule": "constant",
    "kl_warmup": 0,
    "train_samples": 1,
    "mean_decay": 0.0,
    "prior": "normal",
    "prior_scale": 1.0,
    "hyperprior": "fixed",
    "hyperprior_scale": 1.0,
    "variational_bias": False,
    "kl_samples": 4,
}


def _check_table(file, allowed):
    if not file.exists():
        return
    try:
        text = file.read_text()
    except UnicodeDecodeError as error:
        raise damaged(file, error) from error
    if text not in allowed:
        raise damaged(file, "it is not what this run has written")


def _check_acquired(file, allowed):
    if file.exists() and acquired_in(file) not in allowed:
        raise damaged(file, "it holds other images than the table of acquisitions")


def acquired_in(file):
    """The data-set indices of the images in an `acquired.npz`; RecordError if it is damaged."""
    try:
        with np.load(io.BytesIO(file.read_bytes())) as opened:
            arrays = {name: opened[name] for name in opened.files}
        lengths = {name: len(arrays[name]) for name in {"image", "label", "index", *arrays}}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"its arrays have different lengths: {lengths}")
        return arrays["index"].tolist()
    except Exception as error:  # a damaged zip file fails in many ways
        raise damaged(file, error) from error


def _differences(known, facts):
    changes = []
    for part in ("versions", "git_commit", "device", "threads"):
        before, now = known.get(part), facts.get(part)
        if before != now and (part in known or part != "threads"):  # records of the first versions do not state it
            changes.append(f"{part}: {before} -> {now}")
    return changes
