"""Expectations under Normal and log-Normal distributions, of which divergences are made; all in nats.

    KL[q || p] = E_q[-log p(w)] - H[q],   q = N(loc, stddev^2)

so that every prior needs only its *cross entropy* E_q[-log p(w)]. Where that has a closed form it is here; elsewhere
it is the mean over a stated number of draws. All functions are elementwise.
"""

import math

import numpy as np
import tensorflow as tf

from bayes_layers.layers import randomness

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(64)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def normal_entropy(stddev):
    """H[N(loc, stddev^2)] = 1/2 log(2 pi e stddev^2)."""
    return 0.5 * math.log(2 * math.pi * math.e) + tf.math.log(stddev)


@tf.custom_gradient
def mean_absolute(loc, stddev):
    """E|w| for w ~ N(loc, stddev^2), the mean of the folded Normal (Leone, Nelson & Nottingham 1961).

        E|w| = stddev sqrt(2 / pi) exp(-loc^2 / (2 stddev^2)) + loc erf(loc / (stddev sqrt 2))

    The derivatives by loc and stddev are erf(...) and sqrt(2 / pi) exp(...): the other terms cancel, which is done here
    by hand, since in floats they would only do so where stddev is not too small.

    Args:
      loc, stddev: tensors of one shape; stddev is positive.

    Returns:
      A tensor of that shape.
    """
    ratio = tf.clip_by_value(loc / stddev, -30.0, 30.0)  # from there on |w| = |loc| in every float
    by_loc = tf.math.erf(ratio * math.sqrt(0.5))
    by_stddev = math.sqrt(2 / math.pi) * tf.exp(-0.5 * ratio**2)

    def gradient(upstream):
        return upstream * by_loc, upstream * by_stddev

    return loc * by_loc + stddev * by_stddev, gradient


def monte_carlo(function, loc, stddev, scale, samples, seed):
    """E f(w, s) for w ~ N(loc, stddev^2), independent of the scale s, by reparameterised draws.

    Args:
      function: called with w `[samples, ...]` and s, which broadcasts with it.
      loc, stddev: tensors of one shape, of which every element has draws of its own.
      scale: a `FixedScale` or `LogNormalScale`; its draws are shared by all elements.
      samples: int.
      seed: int64 tensor `[2]`.

    Returns:
      The mean over the draws, a tensor of the shape of `loc`.
    """
    noise = randomness.normal([samples, *loc.shape], randomness.fold_in(seed, 0))
    s = scale.draws(samples, randomness.fold_in(seed, 1))
    values = function(loc + stddev * noise, tf.reshape(s, [-1, *[1] * loc.shape.rank]))
    return tf.reduce_mean(values, axis=0)


def quadrature(function, loc, stddev):
    """E f(z) for z ~ N(loc, stddev^2), both scalars, by Gauss-Hermite quadrature with 64 nodes.

    For one variable this is exact to rounding for the smooth functions that it is used for, where draws would not be.
    """
    nodes = tf.constant(NODES, loc.dtype)
    return tf.reduce_sum(tf.constant(WEIGHTS, loc.dtype) * function(loc + stddev * nodes))


class FixedScale:
    """A scale s that is known."""

    def __init__(self, value):
        self.value = float(value)

    @property
    def mean_log(self):
        """Log s."""
        return math.log(self.value)

    def mean_power(self, power):
        """s^power."""
        return self.value**power

    def draws(self, samples, seed):
        """s, as a tensor `[1]`."""
        del samples, seed
        return tf.constant([self.value])


class LogNormalScale:
    """A scale s with the variational posterior log s ~ N(loc, stddev^2), both scalar tensors."""

    def __init__(self, loc, stddev):
        self.loc, self.stddev = tf.convert_to_tensor(loc), tf.convert_to_tensor(stddev)

    @property
    def mean_log(self):
        """E log s."""
        return self.loc

    def mean_power(self, power):
        """E s^power = exp(power loc + power^2 stddev^2 / 2)."""
        return tf.exp(power * self.loc + 0.5 * (power * self.stddev) ** 2)

    def draws(self, samples, seed):
        """Draws of s, `[samples]`."""
        return tf.exp(self.loc + self.stddev * randomness.normal([samples], seed))
