"""The negative evidence lower bound per example (Zeng et al. 2018, appendix A).

    -ELBO / N = mean over examples of -log p(y | x, w)  +  KL[q(w) || p(w)] / N

with w drawn from q. The KL is a sum over all weights, in nats, and this is the one place where it is
scaled: by `kl_weight`, the reciprocal of what `kl_scale` names, spread over the steps by `kl_weights`.

Shridhar's thesis says KL[q || p] as well (eqs. 4 and 5); the arguments are reversed in its published code, which also
has a constant factor of 0.1. Here it is as in the text.
"""

import math

import numpy as np
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


def kl_weights(weight, steps, epochs, *, schedule="constant", warmup=0, first_epoch=0):
    """The factor of the KL in every step.

    Args:
      weight: what `kl_weight` returned, 1 / N.
      steps: minibatches in an epoch, M.
      epochs: number of epochs.
      schedule: "constant"; or "blundell", where minibatch i = 1 ... M carries beta_i = 2^(M-i) / (2^M - 1) of an
        epoch's KL (Blundell et al. 2015, section 3.4; the appendix of Shridhar's thesis). There the NLL is the
        minibatch's sum; beside its mean the factor is M beta_i / N. It is computed as 2^-i / (1 - 2^-M), since 2^M
        overflows.
      warmup: epochs in which the factor rises linearly, step by step, from 0; 0 for none.
      first_epoch: number of the first epoch, from 0.

    Returns:
      float if all steps have the same, else a float64 array `[epochs * steps]`.

    Raises:
      ValueError: for another schedule.
    """
    if schedule not in ("constant", "blundell"):
        raise ValueError(f"kl_schedule={schedule} is not valid: it takes constant or blundell")
    if schedule == "constant" and first_epoch >= warmup:
        return weight
    shares = np.ones(steps)
    if schedule == "blundell":
        shares = steps * 0.5 ** np.arange(1, steps + 1) / (1.0 - 0.5**steps)
    step = first_epoch * steps + np.arange(epochs * steps)
    risen = np.minimum((step + 1) / (warmup * steps), 1.0) if warmup else 1.0
    return weight * np.tile(shares, epochs) * risen


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
      seed: int64 tensor `[2]`, of the weight noise, dropout, and a KL that is a Monte-Carlo estimate.
      weight: scalar, what `kl_weight` returned.
      nll: the likelihood, a function of outputs, labels and mask such as `mean_nll` or `mean_normal_nll`.

    Returns:
      `(negative_elbo, nll, kl)`, scalars in nats; `negative_elbo = nll + weight * kl`.
    """
    mean = nll(network(images, training=True, seed=seed), labels, mask)
    kl = network.kl(seed)
    return mean + weight * kl, mean, kl
