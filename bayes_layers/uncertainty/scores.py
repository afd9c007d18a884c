"""Acquisition scores: pure functions of predicted probabilities `[S, B, C]`, in nats.

Shapes: S Monte-Carlo samples, B images, C classes. p_t(c) is the probability of class c in sample t,
and mean p(c) = 1/S sum_t p_t(c) the predictive distribution (Zeng et al. 2018, appendix B).

    max_entropy      H[mean p]                              (Zeng section 3; Shannon 1948)
    var_ratios       1 - max_c mean p(c)                    (Zeng section 3; Gal et al. 2017)
    hard_var_ratios  1 - (votes for the modal class) / S    (Freeman 1965; Gal et al.'s released code)
    bald             H[mean p] - 1/S sum_t H[p_t]           (Houlsby et al. 2011)
    mean_std         1/C sum_c sqrt(1/S sum_t p_t(c)^2 - mean p(c)^2)   (Gal et al. 2017)

Scores are functions of *moments*, which can be accumulated sample by sample, so that nothing of size
S x B x C is needed. Moments are float64: BALD is a difference that may be a million times smaller
than its terms.
"""

import tensorflow as tf

from bayes_layers.uncertainty.acquisitions import MOMENTS_OF_SCORE

_SQUARE = {"covariance", "expected_covariance"}  # moments of size C x C per image


def acquisition_score(name, probabilities):
    """The acquisition score of each image.

    Args:
      name: a key of `MOMENTS_OF_SCORE`.
      probabilities: `[S, B, C]`, each `[s, b]` a distribution over classes.

    Returns:
      float64 `[B]`; larger is more uncertain.

    Raises:
      ValueError: if the name is unknown, the array has not three axes, or there is no sample.
    """
    check_name(name)
    return score_from_moments(name, moments_of(probabilities, MOMENTS_OF_SCORE[name]))


def check_name(name):
    """Raises ValueError unless there is a score of this name."""
    if name not in MOMENTS_OF_SCORE:
        raise ValueError(f"acquisition={name} is not valid: it takes one of {', '.join(MOMENTS_OF_SCORE)}")


def moments_of(probabilities, needs=("mean", "expected_entropy", "votes", "variance")):
    """Moments of the samples `[S, B, C]`, in one go.

    Args:
      probabilities: `[S, B, C]`.
      needs: which moments.

    Returns:
      dict with `samples` (S, a scalar) and, of those asked for, float64 tensors `mean` `[B, C]`,
      `expected_entropy` `[B]`, `votes` `[B, C]` (how many samples have their maximum there, the first
      class at ties), `variance` `[B, C]` and `covariance` `[B, C, C]` (over samples, divided by S), and
      `expected_variance` `[B, C]` and `expected_covariance` `[B, C, C]`: the means of p_t (1 - p_t) and of
      diag(p_t) - p_t p_t^T. Variances over equal samples are exactly 0.
    """
    p = tf.cast(tf.convert_to_tensor(probabilities), tf.float64)
    if p.shape.rank != 3 or p.shape[0] == 0:
        raise ValueError(f"probabilities have the axes [S, B, C], S at least 1, got the shape {tuple(p.shape)}")
    compute = {
        "mean": lambda: tf.reduce_mean(p, axis=0),
        "expected_entropy": lambda: tf.reduce_mean(entropy(p), axis=0),
        "votes": lambda: tf.reduce_sum(_one_hot_maximum(p), axis=0),
        "variance": lambda: tf.math.reduce_variance(p - p[:1], axis=0),
        "covariance": lambda: _mean_product(p - p[:1] - tf.reduce_mean(p - p[:1], axis=0)),
        "expected_variance": lambda: tf.reduce_mean(p * (1.0 - p), axis=0),
        "expected_covariance": lambda: tf.linalg.diag(tf.reduce_mean(p, axis=0)) - _mean_product(p),
    }
    return {"samples": tf.cast(tf.shape(p)[0], tf.float64), **{name: compute[name]() for name in needs}}


def empty_accumulators(needs, num_images, num_classes):
    """Accumulators of the moments in `needs` before the first sample; see `accumulate`."""
    table = tf.zeros([num_images, num_classes], tf.float64)
    square = tf.zeros([num_images, num_classes, num_classes], tf.float64) if _SQUARE & set(needs) else None
    shapes = {
        "mean": {"sum": table},
        "expected_entropy": {"entropy": table[:, 0]},
        "votes": {"votes": table},
        "variance": {"running_mean": table, "squares": table},
        "covariance": {"running_mean": table, "products": square},
        "expected_variance": {"variances": table},
        "expected_covariance": {"covariances": square},
    }
    return {key: value for name in needs for key, value in shapes[name].items()}


def accumulate(accumulators, probabilities, t):
    """Adds sample number `t` (from 0), `[B, C]`, to the accumulators; a pure function.

    Variance and covariance are Welford's (1962): the difference of E[p^2] and E[p]^2 would cancel where the
    posterior is narrow.
    """
    p = tf.cast(probabilities, tf.float64)
    new = {}
    if "sum" in accumulators:
        new["sum"] = accumulators["sum"] + p
    if "entropy" in accumulators:
        new["entropy"] = accumulators["entropy"] + entropy(p)
    if "votes" in accumulators:
        new["votes"] = accumulators["votes"] + _one_hot_maximum(probabilities)
    if "running_mean" in accumulators:
        before = p - accumulators["running_mean"]
        new["running_mean"] = accumulators["running_mean"] + before / tf.cast(t + 1, tf.float64)
    if "squares" in accumulators:
        new["squares"] = accumulators["squares"] + before * (p - new["running_mean"])
    if "products" in accumulators:  # in a form that is symmetric in spite of rounding
        share = tf.cast(t, tf.float64) / tf.cast(t + 1, tf.float64)
        new["products"] = accumulators["products"] + share * _outer(before, before)
    if "variances" in accumulators:
        new["variances"] = accumulators["variances"] + p * (1.0 - p)
    if "covariances" in accumulators:
        new["covariances"] = accumulators["covariances"] + tf.linalg.diag(p) - _outer(p, p)
    return new


def finish(accumulators, samples):
    """The moments (as `moments_of` gives them) of accumulators after `samples` samples."""
    samples = tf.cast(samples, tf.float64)
    moments = {"samples": samples}
    if "sum" in accumulators:
        moments["mean"] = accumulators["sum"] / samples
    if "entropy" in accumulators:
        moments["expected_entropy"] = accumulators["entropy"] / samples
    if "votes" in accumulators:
        moments["votes"] = accumulators["votes"]
    sums = {
        "variance": "squares",
        "covariance": "products",
        "expected_variance": "variances",
        "expected_covariance": "covariances",
    }
    return {**moments, **{name: accumulators[key] / samples for name, key in sums.items() if key in accumulators}}


def score_from_moments(name, moments):
    """The acquisition score `[B]` from the moments of the samples."""
    return _SCORES[name](moments)


def entropy(p):
    """Shannon entropy over the last axis, in nats; 0 log 0 = 0."""
    return -tf.reduce_sum(tf.math.xlogy(p, p), axis=-1)


def _outer(a, b):
    return a[..., :, None] * b[..., None, :]


def _mean_product(x):
    """The mean over samples of x x^T: `[S, B, C]` to `[B, C, C]`."""
    return tf.einsum("sbi,sbj->bij", x, x) / tf.cast(tf.shape(x)[0], x.dtype)


def _one_hot_maximum(p):
    return tf.one_hot(tf.argmax(p, axis=-1), p.shape[-1], dtype=tf.float64)


def _max_entropy(moments):
    return entropy(moments["mean"])


def _var_ratios(moments):
    return 1.0 - tf.reduce_max(moments["mean"], axis=-1)


def _hard_var_ratios(moments):
    return 1.0 - tf.reduce_max(moments["votes"], axis=-1) / moments["samples"]


def _bald(moments):
    information = entropy(moments["mean"]) - moments["expected_entropy"]
    # One sample knows of no disagreement: exactly 0, whatever the rounding.
    return tf.where(moments["samples"] > 1, tf.maximum(information, 0.0), tf.zeros_like(information))


def _mean_std(moments):
    return tf.reduce_mean(tf.sqrt(tf.maximum(moments["variance"], 0.0)), axis=-1)


_SCORES = {
    "max_entropy": _max_entropy,
    "var_ratios": _var_ratios,
    "hard_var_ratios": _hard_var_ratios,
    "bald": _bald,
    "mean_std": _mean_std,
}
