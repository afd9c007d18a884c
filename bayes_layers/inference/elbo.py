"""The negative evidence lower bound per example (Zeng et al. 2018, appendix A).

    -ELBO / N = mean over examples of -log p(y | x, w)  +  KL[q(w) || p(w)] / N

with w drawn from q. The KL is a sum over all weights, in nats, and this is the one place where it is
scaled: by `kl_weight`, the reciprocal of what `kl_scale` names.
"""

import math

import tensorflow as tf

SMALLEST_SCALE = 1e-3  # of a Normal likelihood, which is unbounded where the scale goes to 0


def kl_weight(kl_scale, num_labelled, dataset_size):
    """The factor of the KL in the objective per example.

    Args:
      kl_scale: "labels" (the bound on the labelled images), "dataset" (divides by the size of the whole
        data set although few images are labelled: a weaker prior), or a number.
      num_labelled: labelled images N.
      dataset_size: images of the whole training set.

    Returns:
      float.
    """
    divisor = {"labels": num_labelled, "dataset": dataset_size}.get(kl_scale, kl_scale)
    return 1.0 / float(divisor)


def mean_nll(logits, labels, mask):
    """Mean negative log likelihood in nats of the examples where `mask` is 1.

    Args:
      logits: `[B, C]`.
      labels: int `[B]`.
      mask: float `[B]`, 0 for padding.

    Returns:
      A scalar.
    """
    nll = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return tf.reduce_sum(nll * mask) / tf.reduce_sum(mask)


def mean_normal_nll(outputs, targets, mask):
    """Mean negative log likelihood in nats of targets that are Normal, with a noise that depends on the input.

    Args:
      outputs: `[B, 2]`: the mean, and what `normal_scale` makes the standard deviation.
      targets: float `[B]`.
      mask: float `[B]`, 0 for padding.

    Returns:
      A scalar.
    """
    scale = normal_scale(outputs)
    nll = 0.5 * tf.square((targets - outputs[:, 0]) / scale) + tf.math.log(scale) + 0.5 * math.log(2.0 * math.pi)
    return tf.reduce_sum(nll * mask) / tf.reduce_sum(mask)


def normal_scale(outputs):
    """The standard deviation `[...]` of outputs `[..., 2]`: softplus of the second, and at least `SMALLEST_SCALE`."""
    return SMALLEST_SCALE + tf.nn.softplus(outputs[..., 1])


def negative_elbo(network, images, labels, mask, seed, weight, nll=mean_nll):
    """One stochastic estimate of the negative ELBO per example, in its parts.

    Args:
      network: a `Network`.
      images: `[B, ...]`; labels: int `[B]`; mask: float `[B]`.
      seed: int64 tensor `[2]`, of the weight noise and dropout.
      weight: scalar, what `kl_weight` returned.
      nll: the likelihood, a function of outputs, labels and mask such as `mean_nll` or `mean_normal_nll`.

    Returns:
      `(negative_elbo, nll, kl)`, scalars in nats; `negative_elbo = nll + weight * kl`.
    """
    mean = nll(network(images, training=True, seed=seed), labels, mask)
    kl = network.kl()
    return mean + weight * kl, mean, kl
