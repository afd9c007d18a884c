"""One image-classification run: epochs, each ending in one commit."""

import numpy as np
import tensorflow as tf

from bayes_layers.inference.elbo import kl_weight, kl_weights
from bayes_layers.inference.prediction import PosteriorPredictive, as_float
from bayes_layers.inference.training import ElboTrainer, NonFiniteLossError
from bayes_layers.layers.randomness import make_seed
from bayes_layers.models.registry import build_network
from bayes_layers.streams import stream_key
from bayes_layers.uncertainty.calibration import evaluate
from bayes_layers.uncertainty.decomposition import UNCERTAINTY_MOMENTS, averages, uncertainties
from experiments.classification import figures
from experiments.classification.config import objective
from experiments.classification.data import split_of
from experiments.classification.events import EpochEvents
from experiments.classification.place import is_last, stored_settings
from experiments.errors import UserError
from experiments.posterior_rows import posterior_summary, traced_weights
from experiments.records import facts
from experiments.records.checkpoint import State
from experiments.records.layout import IMAGE_CLASSIFICATION
from experiments.records.load import load_run
from experiments.records.lock import RecordLock
from experiments.records.record import Record
from experiments.timer import Timer

LAYOUT = IMAGE_CLASSIFICATION


def run(config, load_dataset, path, watch):
    """Runs, or continues, an image-classification run.

    Args:
      config: a `ClassificationConfig`.
      load_dataset: called without arguments for the `Dataset`, once the record is ours.
      path: the record's directory.
      watch: an `EpochWatch`, told of all progress.

    Returns:
      The `Run` as `load_run` gives it.

    Raises:
      UserError: for whatever a user can mend.
    """
    with RecordLock(path) as lock:
        dataset = load_dataset()
        settings = stored_settings(config, path, dataset.name)
        book = Record(path, lock, LAYOUT)
        state = book.open({"settings": settings, **facts.facts(dataset)})
        for change in book.changes:
            watch.warn(f"since this record was begun, {change}")
        _Epochs(config, settings, dataset, book, watch).run(state)
        finished = load_run(path)
        figures.draw(finished)
    return finished


class _Epochs:
    """The loop over epochs: train, evaluate, commit."""

    def __init__(self, config, settings, dataset, book, watch):
        self.config, self.dataset, self.book, self.watch = config, dataset, book, watch
        self.split = split_of(len(dataset.train_images), config.validation)
        self.network = build_network(config.network, dataset.train_images.shape[1:], dataset.num_classes)
        self.network.precision = settings["precision"]
        self.network.assign(self.network.initial_values(make_seed(stream_key(config.seed, "weights", 0))))
        compiled = settings["jit_compile"] == "true"
        train_samples, mean_decay = objective(config)
        self.trainer = ElboTrainer(
            self.network,
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
            mean_decay=mean_decay,
            batch_size=config.batch_size,
            train_samples=train_samples,
            jit_compile=compiled,
        )
        self.predictive = PosteriorPredictive(self.network, config.num_samples, config.sampling, compiled)
        self.steps = -(-len(self.split.train) // config.batch_size)
        self.rows = LAYOUT.empty_rows()

    def run(self, state):
        """Runs from a committed state (or None) to the last epoch."""
        with EpochEvents(self.book.path, self.config) as events:
            epoch = self._restore(state, events) if state else 0
            if is_last(self.config, self.rows["metrics"]):
                return
            self.book.remove_pictures()
            self._forget_extra_test(epoch)
            images = tf.constant(as_float(self.dataset.train_images[self.split.train]))
            labels = self.dataset.train_labels[self.split.train]
            while not is_last(self.config, self.rows["metrics"]):
                epoch += 1
                events.write(self._epoch(epoch, images, labels))

    def _restore(self, state, events):
        self.rows = {name: list(rows) for name, rows in state.rows.items()}
        prefix = "weight/"
        weights = {n.removeprefix(prefix): value for n, value in state.network.items() if n.startswith(prefix)}
        self.network.assign_arrays(weights)
        self.trainer.assign_optimizer_arrays(state.network)
        self.book.publish(state)
        self.watch.resumed(state.cycle)
        events.write(state)
        return state.cycle

    def _epoch(self, epoch, images, labels):
        """Trains for an epoch, evaluates, and commits; returns the state."""
        self.watch.begin_epoch(epoch)
        weights = self._kl_weights(epoch)
        with Timer() as train_time:
            curve = self._fit(epoch, images, labels, weights)
        with Timer() as predict_time:
            values = self._evaluate_training(epoch)
        has_kl = self.config.inference == "variational"
        self.rows["metrics"].append(
            LAYOUT.row(
                "metrics",
                epoch=epoch,
                **values,
                train_nll=curve["nll"][0],
                train_kl=curve["kl"][0] if has_kl else None,
                kl_weight=float(np.mean(weights)) if has_kl else None,
                train_seconds=train_time.text,
                predict_seconds=predict_time.text,
            )
        )
        if epoch % self.config.test_every == 0 or is_last(self.config, self.rows["metrics"]):
            self._test(epoch)
        self.rows["posterior"] += [LAYOUT.row("posterior", epoch=epoch, **r) for r in posterior_summary(self.network)]
        self.rows["weights"] += [
            LAYOUT.row("weights", epoch=epoch, **r) for r in traced_weights(self.network, self.config.seed)
        ]
        return self._commit(epoch, curve)

    def _commit(self, epoch, curve):
        arrays = {**self.network.to_arrays(), **self.trainer.optimizer_arrays()}
        state = State(epoch, epoch * self.steps, self.rows, arrays, [], curve, LAYOUT)
        self.book.commit(state)
        self.watch.end_epoch(self.rows["metrics"][-1])
        return state

    def _kl_weights(self, epoch):
        config = self.config
        whole = kl_weight(config.kl_scale, len(self.split.train), len(self.dataset.train_images))
        return kl_weights(
            whole, self.steps, 1, schedule=config.kl_schedule, warmup=config.kl_warmup, first_epoch=epoch - 1
        )

    def _fit(self, epoch, images, labels, weights):
        try:
            return self.trainer.fit(
                images,
                labels,
                epochs=1,
                kl_weight=weights,
                seed=self.config.seed,
                first_epoch=epoch - 1,
                progress=lambda done, total: self.watch.progress("training", done, total),
            )
        except NonFiniteLossError as error:
            raise UserError(
                f"{error}; the committed epochs are kept. Try a smaller --learning_rate (now "
                f"{self.config.learning_rate:g}) or --mu_init (now {self.config.mu_init:g}), or --loc_init=glorot"
            ) from error

    def _evaluate_training(self, epoch):
        """What validation images, and as many training images, say."""
        validation = self._evaluate(epoch, self.split.validation, "validating")
        probe = self._evaluate(epoch, self.split.probe, "validating")
        return {"train_error": probe["error"], "val_error": validation["error"], "val_nll": validation["nll"]}

    def _evaluate(self, epoch, indices, what):
        return evaluate(
            self._moments(epoch, self.dataset.train_images, ("mean",), what, indices)["mean"],
            self.dataset.train_labels[indices],
        )

    def _test(self, epoch):
        """Evaluates the test set, into the last row of metrics and the table of calibration."""
        with Timer() as timer:
            moments = self._moments(epoch, self.dataset.test_images, UNCERTAINTY_MOMENTS, "testing")
        result = evaluate(moments["mean"], self.dataset.test_labels)
        parts = averages(uncertainties(moments))
        row = self.rows["metrics"][-1]
        row.update({f"test_{name}": repr(result[name]) for name in ("error", "nll", "brier", "ece")})
        row.update({name: repr(parts[name]) for name in ("aleatoric", "epistemic")})
        row["predict_seconds"] = f"{float(row['predict_seconds']) + float(timer.text):.3f}"
        self.rows["calibration"] += [LAYOUT.row("calibration", epoch=epoch, **b) for b in result["bins"]]

    def _moments(self, epoch, images, needs, what, indices=None):
        key = stream_key(self.config.seed, "posterior", epoch)
        return self.predictive.moments(
            images, key, needs, lambda done, total: self.watch.progress(what, done, total), indices
        )

    def _forget_extra_test(self, epoch):
        """Removes the test of what was the last epoch, if --test_every does not ask for it in a longer run."""
        if self.rows["metrics"] and epoch % self.config.test_every:
            for name in ("test_error", "test_nll", "test_brier", "test_ece", "aleatoric", "epistemic"):
                self.rows["metrics"][-1][name] = ""
            self.rows["calibration"] = [r for r in self.rows["calibration"] if int(r["epoch"]) != epoch]
