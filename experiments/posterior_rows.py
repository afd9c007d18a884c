"""What the posterior of each Bayesian layer looks like, as rows of a table."""

import numpy as np
import tensorflow as tf

from bayes_layers.layers.randomness import make_seed
from bayes_layers.streams import stream_generator


def posterior_summary(network):
    """Numbers of each Bayesian layer.

    Returns:
      A list of dicts `layer, sigma_mean, sigma_std, snr_median, kl`: mean and standard deviation of the kernel's
      posterior standard deviations, median of |mean| / standard deviation, KL in nats.
    """
    rows = []
    for layer in network.bayesian_layers:
        sigma = layer.kernel_scale.numpy().astype(np.float64)
        ratio = np.abs(_means(layer).astype(np.float64)) / sigma
        rows.append(
            {
                "layer": layer.name,
                "sigma_mean": float(sigma.mean()),
                "sigma_std": float(sigma.std()),
                "snr_median": float(np.median(ratio)),
                "kl": float(layer.kl(make_seed(0))),  # of a Monte-Carlo KL, always the same draws
            }
        )
    return rows


def traced_weights(network, seed):
    """The posterior of one weight of each Bayesian layer, which the seed chooses once for all.

    Returns:
      A list of dicts `layer, index, mu, sigma`; `index` is that of the flattened kernel.
    """
    rows = []
    for number, layer in enumerate(network.bayesian_layers):
        means = _means(layer)
        index = int(stream_generator(seed, "traced weight", number).integers(means.size))
        sigma = layer.kernel_scale.numpy().reshape(-1)[index]
        rows.append({"layer": layer.name, "index": index, "mu": float(means.reshape(-1)[index]), "sigma": float(sigma)})
    return rows


def _means(layer):
    return tf.convert_to_tensor(layer.kernel_loc).numpy()
