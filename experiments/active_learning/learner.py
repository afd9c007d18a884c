"""The ask/tell learner: active learning on anybody's images and oracle."""

import numpy as np

from bayes_layers.config import ComputeSettings, NetworkSettings, PredictionSettings, TrainingSettings
from bayes_layers.inference.elbo import kl_weight, kl_weights
from bayes_layers.inference.prediction import PosteriorPredictive, as_float
from bayes_layers.inference.training import ElboTrainer
from bayes_layers.layers.randomness import make_seed
from bayes_layers.models.registry import build_network
from bayes_layers.processor import resolve_precision
from bayes_layers.settings import SettingError
from bayes_layers.streams import stream_key
from experiments.active_learning.acquisition import choose, random_scores, random_subset
from experiments.active_learning.config import AcquisitionSettings, RunSettings
from experiments.active_learning.pool import Pool


class ActiveLearner:
    """Fits a network to the labelled images and says which image to label next.

        learner = ActiveLearner(images, num_classes=10, arch="BNN-2")
        learner.tell(indices, labels)
        indices = learner.ask()

    A cycle begins with `tell`. In it the network gets fresh initial values (unless `warm_start`) and is fitted
    once, when `fit`, `ask` or `predict` first needs it. All randomness follows from the seed and the cycle.
    """

    def __init__(
        self,
        images,
        num_classes,
        *,
        acquisition="var_ratios",
        query_size=10,
        pool_subset=0,
        scoring="race",
        seed=0,
        precision="auto",
        jit_compile=False,
        capacity=0,
        network=None,
        make_trainer=ElboTrainer,
        **settings,
    ):
        """Builds the network and the functions that all cycles use.

        Args:
          images: all images, labelled or not, `[N, H, W, C]`, uint8 (divided by 255) or float32.
          num_classes: number of classes.
          acquisition: one of `bayes_layers.uncertainty.acquisitions.ACQUISITIONS`.
          query_size: how many images `ask` returns.
          pool_subset: score only so many random images of the pool in each cycle; 0 for all.
          scoring: "race" drops images that have no chance after a few samples, "full" gives every image all
            samples (`bayes_layers.inference.race`).
          seed: all randomness follows from it.
          precision: "float32", "bfloat16" or "auto" (`bayes_layers.config.ComputeSettings`).
          jit_compile: compile training and prediction with XLA.
          capacity: with `jit_compile`, the most labelled images that are expected.
          network: a `Network` of your own, instead of one of Table 1.
          make_trainer: called as `ElboTrainer`; what it returns has `fit` of the same arguments.
          **settings: fields of `NetworkSettings`, `TrainingSettings` and `PredictionSettings`.

        Raises:
          SettingError: for a setting that does not exist or a value that it does not take.
        """
        AcquisitionSettings(acquisition=acquisition, query_size=query_size, pool_subset=pool_subset, scoring=scoring)
        RunSettings(seed=seed)
        ComputeSettings(precision=precision)
        network_settings, self._training, prediction = _split(settings)
        self.images = images
        self.acquisition, self.query_size, self.pool_subset = acquisition, query_size, pool_subset
        self.scoring = scoring
        self.seed, self.capacity = seed, capacity
        self.network = network or build_network(network_settings, np.shape(images)[1:], num_classes)
        self.network.precision = resolve_precision(precision, network_settings)
        self.trainer = make_trainer(
            self.network,
            learning_rate=self._training.learning_rate,
            weight_decay=self._training.weight_decay,
            mean_decay=self._training.mean_decay,
            batch_size=self._training.batch_size,
            train_samples=self._training.train_samples,
            jit_compile=jit_compile,
        )
        self.predictive = PosteriorPredictive(self.network, prediction.num_samples, prediction.sampling, jit_compile)
        self.pool = Pool(len(images))
        self.cycle = -1
        self.is_fitted = self._has_weights = False

    @property
    def labelled(self):
        """Data-set indices of the labelled images, in the order of labelling."""
        return self.pool.labelled

    @property
    def kl_weight(self):
        """The KL's factor in the objective of this cycle; with a schedule, the mean over an epoch after warm-up."""
        return kl_weight(self._training.kl_scale, len(self.labelled), len(self.images))

    def _kl_weights(self):
        training, steps = self._training, -(-len(self.labelled) // self._training.batch_size)
        return kl_weights(
            self.kl_weight, steps, training.epochs, schedule=training.kl_schedule, warmup=training.kl_warmup
        )

    def tell(self, indices, labels):
        """Takes labels from the oracle, and begins a cycle.

        Args:
          indices: data-set indices `[n]`.
          labels: their labels `[n]`, from 0 to `num_classes - 1`.

        Raises:
          ValueError: if an image is unknown or labelled already, or a label is out of range.
        """
        labels = np.asarray(labels)
        if len(labels) and not (labels.min() >= 0 and labels.max() < self.network.num_classes):
            raise ValueError(f"labels are from 0 to {self.network.num_classes - 1}, got {labels.tolist()}")
        self.pool.add(indices, labels)
        self.cycle += 1
        self.is_fitted = False

    def fit(self, progress=None):
        """Fits the network to the labelled images from this cycle's initial values.

        Args:
          progress: called as `progress(done_steps, total_steps)`, or None.

        Returns:
          dict of arrays `[epochs]`, `nll`, `kl` and `negative_elbo` (see `ElboTrainer.fit`).

        Raises:
          ValueError: if no image is labelled.
          NonFiniteLossError: if the loss is nan or infinite.
        """
        if not len(self.labelled):
            raise ValueError("no image is labelled yet: tell() comes before fit(), ask() and predict()")
        if not (self._has_weights and self._training.warm_start):
            self.network.assign(self.network.initial_values(make_seed(stream_key(self.seed, "weights", self.cycle))))
        curve = self.trainer.fit(
            as_float(self.images[self.labelled]),
            self.pool.labels,
            epochs=self._training.epochs,
            kl_weight=self._kl_weights(),
            seed=self.seed,
            cycle=self.cycle,
            capacity=self.capacity,
            progress=progress,
        )
        self.is_fitted = self._has_weights = True
        return curve

    def ask(self, progress=None):
        """Which images to label next.

        Args:
          progress: called as `progress(done_images, all_images)` while the pool is scored, or None.

        Returns:
          `query_size` data-set indices, the most wanted first; their scores are in `self.scores`.

        Raises:
          ValueError: if the pool holds fewer images.
        """
        candidates = self.pool.unlabelled
        if self.pool_subset:
            candidates = random_subset(candidates, self.pool_subset, self.seed, self.cycle)
        chosen, self.scores = choose(
            self._score(candidates, progress), candidates, self.query_size, self.seed, self.cycle
        )
        return chosen

    def predict(self, images, progress=None):
        """The predictive distribution of images `[B, H, W, C]`: float64 `[B, C]`, the mean over samples."""
        self._ensure_fitted()
        return self.predictive.mean(images, self._posterior_key(), progress)

    def restore(self, indices, labels, cycle, network_arrays):
        """Continues from a fitted cycle.

        Args:
          indices: what was labelled, in order; data-set indices `[n]`.
          labels: their labels `[n]`.
          cycle: the cycle's number.
          network_arrays: `Network.to_arrays()` after the fit; without weights, the cycle is fitted again when needed.
        """
        self.pool = Pool(len(self.images))
        self.pool.add(indices, labels)
        prefix = "weight/"
        weights = {
            name.removeprefix(prefix): value for name, value in network_arrays.items() if name.startswith(prefix)
        }
        if weights:
            self.network.assign_arrays(weights)
        self.cycle = cycle
        self.is_fitted = self._has_weights = bool(weights)

    def _score(self, candidates, progress):
        if self.acquisition == "random":
            return random_scores(candidates, self.seed, self.cycle)
        self._ensure_fitted()
        best = self.query_size if self.scoring == "race" else None
        return self.predictive.scores(self.images, self._posterior_key(), self.acquisition, progress, candidates, best)

    def _posterior_key(self):
        return stream_key(self.seed, "posterior", self.cycle)

    def _ensure_fitted(self):
        if not self.is_fitted:
            self.fit()


def _split(settings):
    groups = (NetworkSettings, TrainingSettings, PredictionSettings)
    known = {name: group for group in groups for name in group.__dataclass_fields__}
    unknown = set(settings) - set(known)
    if unknown:
        raise SettingError(f"no such setting: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    return [group(**{name: value for name, value in settings.items() if known[name] is group}) for group in groups]
