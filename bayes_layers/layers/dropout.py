"""Monte-Carlo dropout (Gal & Ghahramani 2016): dropout that can be switched to sample at prediction."""

import tensorflow as tf
import tf_keras

from bayes_layers.layers import randomness
from bayes_layers.layers.base import KERNEL, OwnSeeds


class MonteCarloDropout(OwnSeeds, tf_keras.layers.Layer):
    """Drops each unit with probability `rate` and divides the others by `1 - rate`.

    In training every example has its own mask. At prediction the layer is the identity, unless
    `sample_at_prediction`: then it samples, with a mask per example when it is called, or with one mask
    for all examples through `draw` and `apply_draw` (a Bernoulli draw of the next layer's weight rows).
    """

    def __init__(self, rate, sample_at_prediction=False, seed=None, **kwargs):
        """Builds the layer.

        Args:
          rate: probability that a unit is dropped, from 0 up to but not including 1.
          sample_at_prediction: whether the layer samples when `training` is false.
          seed: int, the seed of calls that are given none; None takes one from Python's `random`.
          **kwargs: those of `tf_keras.layers.Layer`.

        Raises:
          ValueError: if `rate` is out of range.
        """
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"rate={rate} is not valid: it is at least 0 and less than 1")
        super().__init__(**kwargs)
        self.rate = float(rate)
        self.sample_at_prediction = bool(sample_at_prediction)
        self._init_own_seeds(seed)

    def build(self, input_shape):
        self.unit_shape = [int(size) for size in input_shape[1:]]
        self._build_own_seeds()
        super().build(input_shape)

    @property
    def is_stochastic(self):
        """Whether the layer is sampled at prediction."""
        return self.sample_at_prediction and self.rate > 0

    def call(self, inputs, training=None, seed=None):
        """Drops units, with a mask of its own for every example `[B, ...]`."""
        if self.rate == 0 or not (training or self.sample_at_prediction):
            return tf.identity(inputs)
        if self._shared_draw is not None and seed is None:
            return self.apply_draw(inputs, self._shared_draw)
        return inputs * self._mask(tf.shape(inputs), self._seed_or_own(seed))

    def draw(self, seed):
        """One mask `[1, ...]` for all inputs."""
        return self._mask([1, *self.unit_shape], seed)

    def apply_draw(self, inputs, draw):
        """Applies one mask to all inputs."""
        return inputs * draw

    def _mask(self, shape, seed):
        kept = randomness.uniform(shape, randomness.fold_in(seed, KERNEL)) >= self.rate
        return tf.cast(kept, tf.float32) / (1.0 - self.rate)

    def get_config(self):
        return {
            **super().get_config(),
            "rate": self.rate,
            "sample_at_prediction": self.sample_at_prediction,
            "seed": self.seed,
        }
