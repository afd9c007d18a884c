"""Many runs of `experiments.al_mnist`: those that are missing are made, here or on a Ray cluster; none is made twice.

Command: python -m experiments.sweep --archs=BNN-1,MC-Dropout --acquisitions=bald,random --seeds=5 [--launcher=ray]

The studies (`experiments.layer_position`, `experiments.init_study`) are such sweeps with tables and figures behind
them. Several sweeps, on several machines that share the output directory, can work on the same list: a record that
another process works on is left to it, and looked at again later.

Run time: the sum of the runs', see `experiments.al_mnist`.
"""

import collections
import dataclasses
import importlib.util
import os
import pathlib
import sys
import time

from experiments import datasets, entry
from experiments.errors import DataError, RecordError, UserError
from experiments.launchers.single import DONE, IN_USE, LOST
from experiments.records.record import make_directory, without_checkpoint
from experiments.studies import collect, grid
from experiments.studies.config import PRESETS, SWEEP_GROUPS, StudyConfig, SweepConfig
from experiments.studies.start import begin

LOOK_AGAIN_SECONDS = 15.0
POLL_SECONDS = 1.0
MOST_NAMES = 6  # of failed runs in one line


@dataclasses.dataclass
class _Job:
    """A run to be made."""

    config: object
    losses: int = 0
    not_before: float = 0.0
    said_in_use: bool = False


def sweep(study, dataset, launcher=None):
    """Makes the runs of a study that are missing.

    Args:
      study: a `SweepConfig`.
      dataset: "mnist" or "digits".
      launcher: a launcher; by default the one that the study's settings name.

    Returns:
      Dict from the configs of the runs that failed to one line each.

    Raises:
      UserError: if the output directory cannot be made, or there is something to do and it cannot be written to.
      DataError: if no run is complete, and there is no such data set for runs of this machine.
    """
    directory = pathlib.Path(study.output_dir).expanduser().absolute()
    if not directory.is_dir():
        make_directory(directory, study.output_dir)
    as_given, study = study.output_dir, study.replace(output_dir=str(directory))
    if study.data_dir or os.environ.get("TFDS_DATA_DIR"):  # which the workers of a cluster do not know
        study = study.replace(data_dir=str(datasets.tfds_dir(study.data_dir).absolute()))
    to_do, failures = _what_is_to_do(study, dataset)
    if to_do and launcher is None and study.launcher == "local":
        try:
            datasets.check_reachable(dataset, study.data_dir)
        except DataError as error:
            if len(to_do) + len(failures) == len(grid.runs(study)):
                raise
            return failures | dict.fromkeys(to_do, str(error))
    if to_do:
        _check_installed(study)
        make_directory(directory, as_given)  # what cannot be written to is said once, not by every run
        from experiments.launchers.progress import Progress

        progress = Progress({config: collect.record_path(config, dataset) for config in to_do})
        try:
            with launcher or _launcher(study) as opened:
                failures |= _Queue(to_do, dataset, study.retries, opened, progress).run()
        finally:
            progress.close()
    return failures


def _check_installed(study):
    """Raises UserError if this machine has no TensorFlow, and is to make runs; or cannot show their progress."""
    needed = ["tqdm", *["tensorflow"] * (study.launcher == "local")]
    lacking = [name for name in needed if not _is_installed(name)]
    if lacking:
        report = "; --report_only does not" if isinstance(study, StudyConfig) else ""
        raise UserError(f"making runs needs {' and '.join(lacking)} (python -m pip install .){report}")


def _is_installed(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False


def _what_is_to_do(study, dataset):
    """The configs that are not complete, and the lines on those that cannot be made."""
    to_do, failures = [], {}
    for config in grid.runs(study):
        row = collect.read(config, dataset)
        try:
            if row.state == collect.DAMAGED:
                failures[config] = row.why
            elif row.is_kept and row.state != collect.COMPLETE and config.warm_start:
                failures[config] = str(without_checkpoint(row.path))
            elif row.state != collect.COMPLETE or not _is_finished(config, row):
                to_do.append(config)
        except RecordError as error:
            failures[config] = str(error)
    return to_do, failures


def _is_finished(config, row):
    """Whether a record with all its rows also has its pictures.

    A small record, without weights, never has them; that of a longer run has them at its own end.
    """
    from experiments.active_learning.loop import is_complete

    is_longer = row.settings.get("max_labels", 0) > config.max_labels
    return is_longer or row.is_kept or is_complete(config, row.path)


def _launcher(study):
    if study.launcher == "ray":
        from experiments.launchers.on_ray import RayLauncher

        return RayLauncher(study.ray_address, study.cpus_per_run, study.gpus_per_run, study.output_dir)
    from experiments.launchers.local import LocalLauncher

    return LocalLauncher(study.parallel)


class _Queue:
    """The runs that are waiting and those that are being made."""

    def __init__(self, configs, dataset, retries, launcher, progress):
        self._waiting = collections.deque(_Job(config) for config in configs)
        self._active = {}
        self._dataset, self._retries, self._launcher, self._progress = dataset, retries, launcher, progress
        self._failures = {}

    def run(self):
        """Makes all runs; returns a dict from the configs of those that failed to a line each."""
        while self._waiting or self._active:
            self._start_what_fits()
            for config, ended in self._launcher.finished(POLL_SECONDS):
                self._ended(self._active.pop(config), ended)
            self._progress.show(list(self._active)[: self._launcher.at_once])  # the others wait in a queue
        return self._failures

    def _start_what_fits(self):
        for _ in range(len(self._waiting)):
            if not self._launcher.has_room:
                return
            job = self._waiting.popleft()
            if job.not_before > time.monotonic():
                self._waiting.append(job)
                continue
            self._active[job.config] = job
            self._launcher.start(job.config, job.config, self._dataset)

    def _ended(self, job, ended):
        for note in ended["notes"]:
            self._progress.say(f"warning: {_name(job)}: {note}")
        if ended["state"] == DONE:
            self._done(job, ended)
        elif ended["state"] == IN_USE:
            self._later(job, ended)
        elif ended["state"] == LOST and job.losses < self._retries:
            job.losses += 1
            self._progress.say(f"warning: {_name(job)}: {ended['message']}; begun again from its last committed cycle")
            self._waiting.append(job)
        else:
            self._fail(job, ended)

    def _done(self, job, ended):
        from experiments.launchers.progress import last_error

        row = collect.read(job.config, self._dataset)
        if row.state != collect.PARTIAL:
            self._progress.ended(job.config, last_error(row.path))
        else:  # a record that goes further, but was not tested where this study ends
            why = f"{row.why}; the record is finished otherwise: give another --max_labels or --output_dir"
            self._fail(job, {**ended, "message": why})

    def _later(self, job, ended):
        if not job.said_in_use:
            self._progress.say(f"{_name(job)}: {ended['message'].split(';')[0]}; it is looked at again later")
        job.said_in_use = True
        job.not_before = time.monotonic() + LOOK_AGAIN_SECONDS
        self._waiting.append(job)

    def _fail(self, job, ended):
        again = f", {job.losses + 1} times" if ended["state"] == LOST and job.losses else ""
        self._failures[job.config] = f"{ended['message']}{again}"
        self._progress.ended(job.config, f"failed: {ended['message']}{again}")
        if ended["details"]:
            self._progress.say(ended["details"])


def _name(job):
    from experiments.launchers.progress import name_of

    return name_of(job.config)


def failure_lines(failures):
    """What `sweep` returns as lines, one for all runs with the same message.

    Args:
      failures: dict from configs to messages.

    Returns:
      List of texts.
    """
    from experiments.launchers.progress import name_of

    runs_of = {}
    for run, message in failures.items():
        runs_of.setdefault(message, []).append(run)
    lines = []
    for message, runs in runs_of.items():
        more = len(runs) - MOST_NAMES
        names = [name_of(run) for run in runs[:MOST_NAMES]] + [f"{more} more (--dry_run lists them)"] * (more > 0)
        lines.append(f"failed: {'; '.join(names)}: {message}")
    return lines


def work(config):
    """Makes all runs of a sweep.

    Args:
      config: a `SweepConfig`.

    Raises:
      UserError: if some run failed.
    """
    dataset = begin(config)
    if dataset is None:
        return
    failures = sweep(config, dataset)
    count = len(grid.runs(config))
    if failures:
        print(*failure_lines(failures), sep="\n", file=sys.stderr)
        raise UserError(
            f"{len(failures)} of {count} runs failed; mend what is said above and give the same command again"
        )
    print(f"done: {count} runs are complete under {pathlib.Path(config.output_dir) / 'al_mnist' / dataset}")


main = entry.point(work, SweepConfig, description=__doc__, groups=SWEEP_GROUPS, presets=PRESETS)


if __name__ == "__main__":
    sys.exit(main())
