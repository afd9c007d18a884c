"""The toy model as one log joint density of unconstrained numbers, for samplers and full-rank fits.

The model is that of `experiments.priors.fitting.toy_network`: 57 weights w of a 5-5-2 tanh network, softmax likelihood,
and per layer a prior p(w | s) with s known or under a hyperprior. It is written down here once more, in plain formulas,
so that the judge shares nothing with what is judged but the names.

Non-centred: a weight is w = s t(u) with u ~ N(0, 1) and t the map from the standard Normal to the standard Laplace or
Cauchy distribution (the identity for the Normal), and a scale is s = exp(z). Then scale and weights are independent a
priori, and neither the funnel of a hyperprior nor the Cauchy's tails stand in a sampler's way.
"""

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from experiments.priors.fitting import UNITS

tfd = tfp.distributions

INPUTS = 2
SHAPES = tuple((fan_in, units) for fan_in, units in zip((INPUTS, *UNITS), UNITS, strict=False))
SIZES = tuple((fan_in + 1) * units for fan_in, units in SHAPES)  # kernel and bias of a layer
NUM_WEIGHTS = sum(SIZES)  # 57
HYPERPRIORS = {
    "half_normal": tfd.HalfNormal(1.0),
    "half_cauchy": tfd.HalfCauchy(0.0, 1.0),
    "inverse_gamma": tfd.InverseGamma(1.0, 1.0),
}
FAMILIES = {"normal": tfd.Normal(0.0, 1.0), "laplace": tfd.Laplace(0.0, 1.0), "cauchy": tfd.Cauchy(0.0, 1.0)}


class ToyModel:
    """log p(y, u, z) of points, up to no constant: all densities are normalised."""

    def __init__(self, x, y, prior, hyperprior, scale=1.0):
        """Takes the data.

        Args:
          x: `[N, 2]`; y: int `[N]`; arrays, or tensors inside of a function that is compiled once for many data sets.
          prior: "normal", "laplace" or "cauchy".
          hyperprior: "fixed", "half_normal", "half_cauchy" or "inverse_gamma".
          scale: the prior's scale where it is fixed; a number or a tensor.
        """
        self.x, self.y = tf.cast(x, tf.float32), tf.cast(y, tf.int32)
        self.prior, self.hyperprior, self.scale = prior, hyperprior, scale
        self.num_scales = 0 if hyperprior == "fixed" else len(UNITS)
        self.size = NUM_WEIGHTS + self.num_scales

    def log_joint(self, position):
        """Log p(y | w) + log N(u; 0, 1) + log p(s) + z, for positions `[..., size]`; `[...]`."""
        u, z = position[..., :NUM_WEIGHTS], position[..., NUM_WEIGHTS:]
        log_prior = tf.reduce_sum(tfd.Normal(0.0, 1.0).log_prob(u), axis=-1)
        if self.num_scales:  # z = log s: the Jacobian of s = exp(z) is exp(z)
            log_prior += tf.reduce_sum(HYPERPRIORS[self.hyperprior].log_prob(tf.exp(z)) + z, axis=-1)
        log_p = tf.nn.log_softmax(self.logits(self.weights(position), self.x))
        of_label = tf.reduce_sum(tf.one_hot(self.y, UNITS[-1]) * log_p, axis=-1)
        return log_prior + tf.reduce_sum(of_label, axis=-1)

    def weights(self, position):
        """The weights w `[..., 57]` at positions `[..., size]`."""
        u, z = position[..., :NUM_WEIGHTS], position[..., NUM_WEIGHTS:]
        standard = u if self.prior == "normal" else _from_normal(self.prior, u)
        if not self.num_scales:
            return self.scale * standard
        layer_of = np.repeat(np.arange(len(UNITS)), SIZES)
        return standard * tf.gather(tf.exp(z), layer_of, axis=-1)

    def unconstrained(self, loc, stddev, log_scales=()):
        """Where a mean-field Normal over the weights lies among positions, to first order; exact for a Normal prior.

        Args:
          loc, stddev: of the weights, `[57]`.
          log_scales: `(loc, stddev)` of log s of every layer, under a hyperprior.

        Returns:
          `(loc, stddev)` of positions, `[size]` each, float32 arrays.
        """
        scale = self.scale
        if self.num_scales:
            scale = np.exp(np.repeat([z for z, _ in log_scales], SIZES))
        with tf.GradientTape() as tape:
            standard = tf.constant(loc / scale, tf.float32)
            tape.watch(standard)
            u = standard if self.prior == "normal" else _to_normal(self.prior, standard)
        slope = tape.gradient(u, standard).numpy()
        tail = np.reshape(np.asarray(log_scales, np.float32), [-1, 2])
        return np.concatenate([u, tail[:, 0]]), np.concatenate([slope * stddev / scale, tail[:, 1]])

    def logits(self, weights, x):
        """Logits `[..., B, 2]` of points `[B, 2]` for weights `[..., 57]`."""
        outputs, start = x, 0
        for number, ((fan_in, units), size) in enumerate(zip(SHAPES, SIZES, strict=True)):
            mine = weights[..., start : start + size]
            kernel = tf.reshape(mine[..., : fan_in * units], [*weights.shape[:-1], fan_in, units])
            outputs = tf.matmul(outputs, kernel) + mine[..., None, fan_in * units :]
            outputs = tf.tanh(outputs) if number < len(UNITS) - 1 else outputs
            start += size
        return outputs

    def probabilities(self, positions, x):
        """The probability of class 1, `[S, B]`, at positions `[S, size]`."""
        step, parts = 50, []
        for start in range(0, len(positions), step):
            weights = self.weights(tf.constant(positions[start : start + step], tf.float32))
            parts.append(tf.nn.softmax(self.logits(weights, tf.constant(x, tf.float32)))[..., 1].numpy())
        return np.concatenate(parts).astype(np.float64)


def _from_normal(prior, u):
    """The map t with t(u) standard Laplace or Cauchy for u ~ N(0, 1); odd, and exact in the tails of float32."""
    log_tail = tfd.Normal(0.0, 1.0).log_survival_function(tf.abs(u))
    if prior == "laplace":
        size = -(log_tail + math.log(2.0))
    else:
        size = 1.0 / tf.tan(math.pi * tf.exp(log_tail))
    return tf.sign(u) * size


def _to_normal(prior, w):
    """The inverse of `_from_normal`, by the smaller tail of each side."""
    tail = tf.exp(FAMILIES[prior].log_survival_function(tf.abs(w)))
    return -tf.sign(w) * tfd.Normal(0.0, 1.0).quantile(tf.maximum(tail, 1e-30))
