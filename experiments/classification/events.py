"""TensorBoard events of a run, written after each commit.

The last committed epoch is written again when a run resumes, since nobody knows whether its events had reached the
disk; TensorBoard shows each step once.
"""

import tensorflow as tf

from experiments.records.events import as_os_error
from experiments.records.layout import IMAGE_CLASSIFICATION

COLUMNS = IMAGE_CLASSIFICATION.columns


class EpochEvents:
    """Writes the events of a run's epochs; a context manager."""

    def __init__(self, path, config):
        with as_os_error(path):
            self._writer = tf.summary.create_file_writer(str(path))
        self._path, self._config = path, config

    def __enter__(self):
        with as_os_error(self._path), self._writer.as_default():
            _write_hparams(self._config, trial="/".join(self._path.parts[-4:]))
        return self

    def __exit__(self, *exception):
        with as_os_error(self._path):
            self._writer.close()

    def write(self, state):
        """Writes one committed epoch."""
        row, epoch = state.rows["metrics"][-1], state.cycle
        with as_os_error(self._path), self._writer.as_default():
            for name in ("negative_elbo", "nll", "kl"):
                tf.summary.scalar(f"elbo/{name}", state.curve[name][0], step=state.global_step)
            for column in COLUMNS["metrics"][1:]:
                if row[column] != "" and not column.endswith("_seconds"):
                    tf.summary.scalar(f"by_epoch/{column}", float(row[column]), step=epoch)
            for posterior in state.rows["posterior"]:
                if int(posterior["epoch"]) == epoch:
                    for column in COLUMNS["posterior"][2:]:
                        tf.summary.scalar(
                            f"posterior/{posterior['layer']}/{column}", float(posterior[column]), step=epoch
                        )
            self._writer.flush()


def _write_hparams(config, trial):
    """What the HParams plugin shows of a run: its settings, against its last test error."""
    from tensorboard.plugins.hparams import api as hp

    columns = {name: getattr(config, name) for name in ("model", "inference", "dropout_layers", "seed")}
    metric = hp.Metric("by_epoch/test_error", display_name="final test error")
    hp.hparams_config([hp.HParam(name) for name in columns], [metric])
    hp.hparams(columns, trial_id=trial)
