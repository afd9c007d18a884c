"""Initialisers whose values are a function of an explicit seed tensor.

tfp.layers' default initialisers are objects built once at import, so that two layers of one shape
start identical. Here every weight has an initialiser of its own, and a network can be given
fresh initial values from a seed at any time, which is what an active-learning cycle does.
"""

import math
import random

import tensorflow as tf
import tf_keras

from bayes_layers.layers import randomness


class StatelessInitializer(tf_keras.initializers.Initializer):
    """Base: `values(shape, seed)` is pure; called by Keras without a seed, it takes a fresh one.

    The fresh one comes from Python's `random`, which `tf_keras.utils.set_random_seed` seeds.
    """

    def __call__(self, shape, dtype=None, **kwargs):
        return tf.cast(self.values(shape, randomness.make_seed(random.getrandbits(63))), dtype or tf.float32)

    def values(self, shape, seed):
        """The initial values, float32 of `shape`, for the int64 `[2]` tensor `seed`."""
        raise NotImplementedError

    def mean_square(self, shape):
        """The expected square of an initial value of a weight of `shape`, a float."""
        raise NotImplementedError


class Normal(StatelessInitializer):
    """N(mean, stddev^2)."""

    def __init__(self, mean=0.0, stddev=0.1):
        self.mean, self.stddev = mean, stddev

    def values(self, shape, seed):
        return self.mean + self.stddev * randomness.normal(shape, seed)

    def mean_square(self, shape):
        del shape
        return self.mean**2 + self.stddev**2

    def get_config(self):
        return {"mean": self.mean, "stddev": self.stddev}


class GlorotUniform(StatelessInitializer):
    """U(-l, l) with l = sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010, eq. 16)."""

    def values(self, shape, seed):
        return (2.0 * randomness.uniform(shape, seed) - 1.0) * self._limit(shape)

    def mean_square(self, shape):
        return self._limit(shape) ** 2 / 3.0

    def _limit(self, shape):
        shape = [int(size) for size in shape]
        receptive_field = 1
        for size in shape[:-2]:
            receptive_field *= size
        fan_in = receptive_field * (shape[-2] if len(shape) > 1 else shape[0])
        fan_out = receptive_field * shape[-1]
        return (6.0 / (fan_in + fan_out)) ** 0.5


class Zeros(StatelessInitializer):
    """Zeros."""

    def values(self, shape, seed):
        del seed
        return tf.zeros(shape)


class AwayFromZero(StatelessInitializer):
    """Another initialiser's values, where those nearer to 0 than a tenth of their root mean square are put there."""

    def __init__(self, initializer):
        self.initializer = initializer

    def values(self, shape, seed):
        values = self.initializer.values(shape, seed)
        nearest = 0.1 * self.mean_square(shape) ** 0.5
        return tf.where(values < 0, -1.0, 1.0) * tf.maximum(tf.abs(values), nearest)

    def mean_square(self, shape):
        return self.initializer.mean_square(shape)


class LogAlpha(StatelessInitializer):
    """log alpha = log(softplus(rho)^2 / E[mu^2]), so that alpha mu^2 is softplus(rho)^2 on an average over a layer."""

    def __init__(self, rho, loc):
        self.rho, self.loc = rho, loc

    def values(self, shape, seed):
        sigma = tf.nn.softplus(self.rho.values(shape, seed))
        return 2.0 * tf.math.log(sigma) - math.log(self.loc.mean_square(shape))
