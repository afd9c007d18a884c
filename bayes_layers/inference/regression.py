"""Regression with a network of two outputs, the mean and the noise of a Normal: fit, predict, split the variance.

The predictive distribution is a mixture of S Normals, and its variance splits by the law of total variance
(Kendall & Gal 2017, eq. 9; the counterpart of Shridhar 2019, eq. 14):

    Var[y] = 1/S sum_s sigma_s^2, aleatoric  +  1/S sum_s (m_s - m)^2, epistemic
"""

import numpy as np
import tensorflow as tf

from bayes_layers.inference.elbo import normal_scale
from bayes_layers.layers.randomness import make_seed


def normal_samples(network, inputs, num_samples, key):
    """What each draw of the weights predicts; the same draw for all inputs.

    Args:
      network: a `Network` with outputs `[B, 2]`, fitted with `elbo.mean_normal_nll`.
      inputs: float `[B, ...]`.
      num_samples: S; 1 for a network without stochastic layers.
      key: int from `stream_key`.

    Returns:
      `(means, deviations)`, float64 arrays `[S, B]`.
    """
    features = network.features(tf.constant(np.asarray(inputs, np.float32)))
    samples = num_samples if network.is_stochastic else 1
    outputs = tf.stack([network.sampled_logits(features, make_seed(key, s)) for s in range(samples)])  # [S, B, 2]
    return outputs[..., 0].numpy().astype(np.float64), normal_scale(outputs).numpy().astype(np.float64)


def split_variance(means, deviations):
    """The parts of the predictive variance of a mixture of Normals.

    Args:
      means, deviations: `[S, B]`.

    Returns:
      `(mean, aleatoric, epistemic)`, arrays `[B]`: the mixture's mean, and the two parts of its variance.
    """
    shifted = means - means[:1]  # samples that are all equal have exactly no variance
    return means.mean(axis=0), np.mean(deviations**2, axis=0), shifted.var(axis=0)
