"""The work behind `experiments.pruning`: curves, and the stages of a pruned network."""

import numpy as np

from bayes_layers import ElboTrainer, PosteriorPredictive, pruning
from bayes_layers.inference.early_stopping import fit_with_patience
from bayes_layers.inference.elbo import kl_weight, kl_weights
from bayes_layers.inference.prediction import as_float
from bayes_layers.streams import stream_key
from bayes_layers.uncertainty import evaluate
from experiments import datasets
from experiments.classification.data import split_of
from experiments.examination.columns import CURVE, LAYERS, STAGES
from experiments.records import arrays, files
from experiments.records.small import UNFINISHED

CYCLE = 1_000_000  # of the minibatches and noise of these trainings: another than any run's


def run_pruning(config, trained, directory, tell):
    """Prunes a trained network by all wanted scores.

    Args:
      config: a `PruningConfig`.
      trained: a `Trained` record of image classification.
      directory: where trainings keep their state from epoch to epoch.
      tell: called with a line for each stage, and each epoch of a training.

    Returns:
      The files of the record, for `SmallRecord.make`.
    """
    rows = {"curve": [], "stages": [], "layers": []}
    found, dataset = {}, datasets.load(trained.dataset, config.data_dir)
    is_bayesian = bool(trained.network().bayesian_layers)
    for score in [name for name in config.names if is_bayesian or name != "snr"]:
        work = _Pruning(config, trained, dataset, score, directory, tell)
        curve = work.curve()
        rows["curve"] += curve
        work.stages(curve)
        rows["stages"] += work.stage_rows
        rows["layers"] += work.layer_rows
        found[f"pruned_{score}.npz"] = files.npz_bytes(work.network.to_arrays())
    columns = {"curve": CURVE, "stages": STAGES, "layers": LAYERS}
    return {**found, **{f"{name}.csv": (columns[name], rows[name]) for name in rows}}


class _Memory:
    """A training's state in a file, which belongs to one trained network."""

    def __init__(self, path, source):
        self._path, self._source = path, source

    def read(self):
        found = arrays.read(self._path)
        return found if found and found[0]["source"] == self._source else None

    def write(self, head, values):
        arrays.write(self._path, {**head, "source": self._source}, values)


class _Pruning:
    """A network on its way through the stages of one score."""

    def __init__(self, config, trained, dataset, score, directory, tell):
        self.config, self.dataset, self.score, self._source = config, dataset, score, trained.sha256
        self._directory, self._tell = directory, tell
        self.settings = trained.settings
        self.network = trained.network()
        self.network.precision = self.settings["precision"]
        # The first masks, which prune nothing: what is compiled from here on goes through masks.
        pruning.prune(self.network, pruning.masks_of_sparsity(self._values(), 0.0))
        self.predictive = PosteriorPredictive(self.network, self.settings["num_samples"], self.settings["sampling"])
        self.split = split_of(len(dataset.train_images), self.settings["validation"])
        self.stage_rows, self.layer_rows = [], []

    def curve(self):
        """Rows of the curve; the network is left unpruned."""
        values, rows = self._values(), []
        joined = np.sort(np.concatenate([part.ravel() for part in values.values()]))
        for share in self.config.shares:
            pruning.prune(self.network, pruning.masks_of_sparsity(values, share))
            count = round(share * len(joined))
            threshold = float(joined[min(count, len(joined) - 1)])
            rows.append({"score": self.score, "sparsity": share, "threshold": threshold, **self._evaluate()})
        pruning.prune(self.network, pruning.masks_of_sparsity(values, 0.0))
        return rows

    def stages(self, curve):
        """Goes through the stages; `curve` is that of the network as it was trained."""
        self._note("trained", 0)
        if self.score == "magnitude" and self.config.l1:
            epochs = self._train("with L1", lambda network: self.config.l1 * pruning.l1_norm(network))
            self._note("with L1", epochs)
            curve = self.curve()
        pruning.prune(self.network, self._masks(curve))
        self._note("pruned", 0)
        self._note("fine-tuned", self._train("fine-tuned", None))

    def _masks(self, curve):
        values = self._values()
        if self.config.threshold != "auto":
            return pruning.masks_above(values, self.config.threshold)
        least = self.stage_rows[-1]["val_accuracy"] - self.config.tolerance
        shares = [row["sparsity"] for row in curve if row["val_accuracy"] >= least]
        return pruning.masks_of_sparsity(values, max(shares, default=0.0))

    def _train(self, stage, penalty):
        """Trains until patience ends, and goes back to the best epoch; the epochs that it took."""
        if not self.config.epochs:
            return 0
        settings, is_bayesian = self.settings, bool(self.network.bayesian_layers)
        trainer = ElboTrainer(
            self.network,
            learning_rate=settings["learning_rate"],
            weight_decay=settings.get("weight_decay", 0.0),
            mean_decay=settings.get("mean_decay", 0.0),
            train_samples=settings.get("train_samples", 1),
            batch_size=settings["batch_size"],
            penalty=penalty,
        )
        steps = -(-len(self.split.train) // settings["batch_size"])
        whole = (
            kl_weight(settings["kl_scale"], len(self.split.train), len(self.dataset.train_images))
            if is_bayesian
            else 0.0
        )
        epochs, _, _ = fit_with_patience(
            trainer,
            as_float(self.dataset.train_images[self.split.train]),
            self.dataset.train_labels[self.split.train],
            lambda: self._validate()["val_accuracy"],
            patience=self.config.patience,
            epochs=self.config.epochs,
            kl_weight=kl_weights(whole, steps, self.config.epochs, schedule=settings.get("kl_schedule", "constant")),
            seed=settings["seed"],
            cycle=CYCLE + len(self.stage_rows),
            progress=lambda epoch, value: self._tell(
                f"{self.score}, {stage}: epoch {epoch} of at most {self.config.epochs}, validation {value:.2f} %"
            ),
            memory=_Memory(self._directory / f"{UNFINISHED}{self.score}_{len(self.stage_rows)}.npz", self._source),
        )
        return epochs

    def _note(self, stage, epochs):
        rows = pruning.sparsity(self.network)
        total, result = rows[-1], self._evaluate()
        self._tell(
            f"{self.score}, {stage}: {100 * total['sparsity']:.1f} % pruned, test {result['test_accuracy']:.2f} %"
        )
        head = {"score": self.score, "stage": stage}
        self.stage_rows.append(
            {
                **head,
                "epochs": epochs,
                "sparsity": total["sparsity"],
                "parameters": total["parameters"],
                **result,
            }
        )
        self.layer_rows += [{**head, **row} for row in rows]

    def _values(self):
        return pruning.SCORES[self.score](self.network)

    def _validate(self):
        labels = self.dataset.train_labels[self.split.validation]
        return {
            "val_accuracy": 100 * (1 - self._result(self.dataset.train_images, labels, self.split.validation)["error"])
        }

    def _evaluate(self):
        result = self._result(self.dataset.test_images, self.dataset.test_labels)
        return {
            **self._validate(),
            "test_accuracy": 100 * (1 - result["error"]),
            "test_nll": result["nll"],
            "test_ece": result["ece"],
        }

    def _result(self, images, labels, indices=None):
        key = stream_key(self.settings["seed"], "posterior", CYCLE)
        return evaluate(self.predictive.moments(images, key, ("mean",), indices=indices)["mean"], labels)
