"""TensorBoard events of a run, written after each commit.

The ELBO curves run over one global step, all cycles end to end; errors and posteriors over the
number of labels. The last committed cycle is written again when a run resumes, since nobody knows
whether its events had reached the disk; TensorBoard shows each step once.
"""

import contextlib
import errno
import pathlib

import numpy as np
import tensorflow as tf

from bayes_layers.models.architectures import ARCHITECTURES
from bayes_layers.uncertainty.acquisitions import ACQUISITIONS
from experiments.records import tables
from experiments.records.paths import text_of


class EventWriter:
    """Writes the events of a run's cycles; a context manager."""

    def __init__(self, path, config):
        with as_os_error(path):
            self._writer = tf.summary.create_file_writer(str(path))
        self._path = path
        self._config = config

    def __enter__(self):
        with as_os_error(self._path), self._writer.as_default():
            _write_hparams(self._config, _trial(self._path))
        return self

    def __exit__(self, *exception):
        with as_os_error(self._path):
            self._writer.close()

    def write(self, state, images, steps_per_epoch):
        """Writes one committed cycle.

        Args:
          state: the `State` after the cycle; without a training curve if the record was kept without it.
          images: uint8 `[n, H, W, C]`, the images that joined the training set in this cycle.
          steps_per_epoch: training steps in an epoch of the cycle.
        """
        row = state.rows["metrics"][-1]
        labels = int(row["labels"])
        first = state.global_step - steps_per_epoch * len(state.curve.get("nll", ()))
        with as_os_error(self._path), self._writer.as_default():
            for name in ("negative_elbo", "nll", "kl"):
                for epoch, value in enumerate(state.curve.get(name, ())):
                    tf.summary.scalar(f"elbo/{name}", value, step=first + (epoch + 1) * steps_per_epoch)
            for column in ("test_error", "test_nll", "test_brier", "test_ece"):
                if row[column] != "":
                    tf.summary.scalar(f"by_labels/{column}", float(row[column]), step=labels)
            for posterior in state.rows["posterior"]:
                if posterior["cycle"] == row["cycle"]:
                    for column in tables.COLUMNS["posterior"][2:]:
                        tf.summary.scalar(
                            f"posterior/{posterior['layer']}/{column}", float(posterior[column]), step=labels
                        )
            strip = np.concatenate(np.asarray(images), axis=1)  # side by side, best first: one card, not ten
            tf.summary.image("images/acquired", strip[None], step=labels)
            self._writer.flush()


def _trial(path):
    """The name of a run's row: `<dataset>/<arch>/<acquisition>/mu<mu_init>.../seed<seed> in <output_dir>/al_mnist`.

    TensorBoard takes runs of one name for repetitions, and shows their mean; so no two records share one.
    """
    path = path.resolve()
    return f"{'/'.join(path.parts[-5:])} in {pathlib.Path(*path.parts[:-5])}"


def _write_hparams(config, trial):
    """What the HParams plugin shows of a run: its settings, against its last test error.

    Every run also states the table's columns, since any of them may be the first that TensorBoard finds; five of
    them, since it shows no more at first. A list of values becomes boxes to check if it has at most nine, so that
    that of the architectures is without the networks for image classification; with all boxes checked, these are
    shown nevertheless.
    """
    from tensorboard.plugins.hparams import api as hp

    columns = {
        hp.HParam("arch", hp.Discrete(ARCHITECTURES)): config.arch,
        hp.HParam("acquisition", hp.Discrete(ACQUISITIONS)): config.acquisition,
        hp.HParam("mu_init", hp.RealInterval(-100.0, 100.0)): config.mu_init,
        hp.HParam("kl_scale"): text_of(config.kl_scale),
        hp.HParam("seed", hp.IntInterval(0, 2**31 - 1)): config.seed,
    }
    hp.hparams_config(list(columns), [hp.Metric("by_labels/test_error", display_name="final test error")])
    hp.hparams({column.name: value for column, value in columns.items()}, trial_id=trial)


@contextlib.contextmanager
def as_os_error(path):
    """TensorFlow's errors from writing a file, as an OSError like any other."""
    try:
        yield
    except tf.errors.OpError as error:
        number = errno.ENOSPC if isinstance(error, tf.errors.ResourceExhaustedError) else errno.EIO
        raise OSError(number, f"TensorBoard events: {error.message.splitlines()[0]}", str(path)) from error
