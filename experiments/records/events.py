"""TensorBoard events of a run, written after each commit.

The ELBO curves run over one global step, all cycles end to end; errors and posteriors over the
number of labels. The last committed cycle is written again when a run resumes, since nobody knows
whether its events had reached the disk; TensorBoard shows each step once.
"""

import numpy as np
import tensorflow as tf

from experiments.records import tables


class EventWriter:
    """Writes the events of a run's cycles; a context manager."""

    def __init__(self, path):
        self._writer = tf.summary.create_file_writer(str(path))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._writer.close()

    def write(self, state, images, steps_per_epoch):
        """Writes one committed cycle.

        Args:
          state: the `State` after the cycle.
          images: uint8 `[n, H, W, C]`, the images that joined the training set in this cycle.
          steps_per_epoch: training steps in an epoch of the cycle.
        """
        row = state.rows["metrics"][-1]
        labels = int(row["labels"])
        first = state.global_step - steps_per_epoch * len(state.curve["nll"])
        with self._writer.as_default():
            for name in ("negative_elbo", "nll", "kl"):
                for epoch, value in enumerate(state.curve[name]):
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
