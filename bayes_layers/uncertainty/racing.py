"""When an image can no longer be among the best: elimination rules with a stated error probability.

Sample t is the same network for all images, and each image's score F(P_T) is a function of the T predictions
p_1 ... p_T that full scoring would average. Every score of `bayes_layers.uncertainty.scores` is *concave* in their
empirical distribution P_T, so that a tangent, taken anywhere, bounds it from above by a mean:

    F(P_T) <= 1/T sum_t X(p_t),      X affine in p, p^2, votes and H[p]

    var_ratios        X = 1 - p(c),                                         c the leading class so far
    hard_var_ratios   X = 1 - [argmax p = c]
    max_entropy       X = -sum_c p(c) log q(c)                              (Gibbs' inequality)
    bald              X = -sum_c p(c) log q(c) - H[p] = KL[p || q]
    mean_std          X = 1/C sum_c ((p(c) - b_c)^2 / a_c + a_c) / 2        (sqrt(v) <= (v / a + a) / 2)

This is what allows for the bias of plug-in entropy and BALD at few samples, which are too small: the mean of X is not.

An image with F(P_T) >= threshold, the score that is at least needed, has a mean of X of at least the threshold. The T
draws come in random order, so the mean of those to come, given the t seen, is at least

    needed = (T threshold - sum of X so far) / (T - t)

and the game that pays `needed - X` on the next draw is not in the player's favour; the tangent may change
before every draw, as long as it looks at the past only. Two rules follow, each with probability at most `error` of
dropping a given image that belongs to the best:

- **betting** (`var_ratios`, `hard_var_ratios`, `max_entropy`; Waudby-Smith & Ramdas 2023, section 5, for draws without
  replacement): X has known bounds, so a capital that stakes a fixed share of what can be lost stays positive, and
  exceeds 1 / error with probability at most `error` (Ville's inequality). It holds whatever the distribution, at
  any time.
- **self-normalised** (`bald`, `mean_std`): their X is rarely far from its mean, but could be, and betting would have to
  reckon with that. With D the sum of `needed - X` and V that of its squares, P(D >= r sqrt(V)) <= exp(-r^2 / 2) if the
  deviations are symmetric (de la Pena 1999), which is an assumption here; a union bound covers the times of looking.
"""

import math

import tensorflow as tf

from bayes_layers.uncertainty.scores import entropy

SHARES = (0.5, 0.95)  # of the largest possible stake; the capital is split between them
LOOKS = (22, 30, 42, 60, 80)  # samples after which the self-normalised rule looks
SELF_NORMALISED = ("bald", "mean_std")
BISECTIONS = 14
ROUNDING = 1e-9


def boundaries(name, samples):
    """After how many samples images may be dropped, in ascending order, `samples` last."""
    if name in SELF_NORMALISED:
        steps = (4, 8, 12, 16, *LOOKS)
    else:
        steps = (2, *range(4, 17, 2), *range(20, 41, 4), *range(50, 100, 10))
    return [step for step in steps if step < samples] + [samples]


def new_evidence(name, num_images):
    """What is known against `num_images` images before the first sample: a dict of float64 tensors `[B, ...]`."""
    if name in SELF_NORMALISED:
        return {"drift": tf.zeros([num_images], tf.float64), "squares_of_drift": tf.zeros([num_images], tf.float64)}
    return {"log_capital": tf.zeros([num_images, len(SHARES)], tf.float64)}


def tangent(name, accumulators, seen, threshold):
    """The upper bound X that is used for the next samples, from those seen.

    Args:
      name: the acquisition function.
      accumulators: as of `scores.accumulate`, `[B, ...]`.
      seen: how many samples they hold, at least 1.
      threshold: score that is at least needed.

    Returns:
      dict: float64 `p`, `squares`, `votes` `[B, C]`, `entropy` and `constant` `[B]`, the coefficients of X (those that
      are not zero); `low` and `high` `[B]`, the bounds of X.
    """
    seen, threshold = tf.cast(seen, tf.float64), tf.cast(threshold, tf.float64)
    return _TANGENTS[name](accumulators, seen, threshold)


def collect(name, evidence, line, accumulators, probabilities, seen, samples, threshold):
    """Adds what the next sample says against each image.

    Args:
      name: the acquisition function.
      evidence: as of `new_evidence`.
      line: what `tangent` returned, for no later samples than these.
      accumulators: of the samples before this one.
      probabilities: the sample, `[B, C]`.
      seen: how many samples came before it.
      samples: T.
      threshold: score that is at least needed.

    Returns:
      The new evidence.
    """
    seen, samples = tf.cast(seen, tf.float64), tf.cast(samples, tf.float64)
    needed = (samples * tf.cast(threshold, tf.float64) - _value(line, _sums(accumulators, seen), seen)) / (
        samples - seen
    )
    p = tf.cast(probabilities, tf.float64)
    gain = needed - _value(line, _statistics(p, line), 1.0)
    if name in SELF_NORMALISED:
        return {
            "drift": evidence["drift"] + gain,
            "squares_of_drift": evidence["squares_of_drift"] + tf.square(gain),
        }
    at_risk = line["high"] - needed
    is_impossible = at_risk < -ROUNDING  # not where the next samples can still make it exactly: a tie
    is_bet = (needed > line["low"]) & (at_risk > ROUNDING)
    relative = tf.where(is_bet, gain / tf.where(is_bet, at_risk, tf.ones_like(at_risk)), tf.zeros_like(gain))
    growth = tf.stack([tf.math.log1p(tf.maximum(share * relative, -share)) for share in SHARES], axis=1)
    growth = tf.where(is_impossible[:, None], tf.constant(math.inf, tf.float64), growth)
    return {"log_capital": evidence["log_capital"] + growth}


def is_hopeless(name, evidence, seen, samples, error):
    """Which images `[B]` are dropped after `seen` samples.

    Args:
      name: the acquisition function.
      evidence: as of `collect`.
      seen: int, one of `boundaries`.
      samples: T.
      error: probability of dropping a given image that belongs to the best, over the whole race.

    Returns:
      bool `[B]`.
    """
    if name not in SELF_NORMALISED:
        capital = tf.reduce_logsumexp(evidence["log_capital"], axis=1) - math.log(len(SHARES))
        return capital >= -math.log(error)
    looks = [step for step in LOOKS if step < samples]
    if seen not in looks:
        return tf.zeros_like(evidence["drift"], tf.bool)
    drift, squares = evidence["drift"], evidence["squares_of_drift"]
    return (drift > 0) & (tf.square(drift) >= 2.0 * squares * math.log(len(looks) / error))


def _value(line, statistics, count):
    total = line["constant"] * count
    for name in ("p", "squares", "votes"):
        if name in line:
            total += tf.reduce_sum(line[name] * statistics[name], axis=1)
    return total + line["entropy"] * statistics["entropy"] if "entropy" in line else total


def _statistics(p, line):
    compute = {
        "p": lambda: p,
        "squares": lambda: tf.square(p),
        "votes": lambda: tf.one_hot(tf.argmax(p, axis=1), p.shape[1], dtype=tf.float64),
        "entropy": lambda: entropy(p),
    }
    return {name: function() for name, function in compute.items() if name in line}


def _sums(accumulators, seen):
    sums = {"votes": accumulators.get("votes"), "entropy": accumulators.get("entropy"), "p": accumulators.get("sum")}
    if "squares" in accumulators:
        mean = accumulators["running_mean"]
        sums.update(p=seen * mean, squares=accumulators["squares"] + seen * tf.square(mean))
    return sums


def _leader(counts, key):
    leader = tf.one_hot(tf.argmax(counts, axis=1), counts.shape[1], dtype=tf.float64)
    one = tf.ones_like(counts[:, 0])
    return {key: -leader, "constant": one, "low": tf.zeros_like(one), "high": one}


def _var_ratios(accumulators, seen, threshold):
    del seen, threshold
    return _leader(accumulators["sum"], "p")


def _hard_var_ratios(accumulators, seen, threshold):
    del seen, threshold
    return _leader(accumulators["votes"], "votes")


def _max_entropy(accumulators, seen, threshold):
    """The mean prediction, mixed with the uniform one until its entropy is the threshold: the nearest that suffices."""
    mean = accumulators["sum"] / seen
    uniform = 1.0 / mean.shape[1]
    low, high = tf.zeros_like(mean[:, :1]), tf.ones_like(mean[:, :1])
    for _ in range(BISECTIONS):
        middle = (low + high) / 2.0
        suffices = entropy(mean + middle * (uniform - mean))[:, None] >= threshold
        low, high = tf.where(suffices, low, middle), tf.where(suffices, middle, high)
    log_q = tf.math.log(mean + tf.maximum(high, 1e-3) * (uniform - mean))
    return {
        "p": -log_q,
        "constant": tf.zeros_like(log_q[:, 0]),
        "low": -tf.reduce_max(log_q, axis=1),
        "high": -tf.reduce_min(log_q, axis=1),
    }


def _bald(accumulators, seen, threshold):
    """The mean prediction, smoothed by what changes the bound by less than the threshold."""
    mean = accumulators["sum"] / seen
    share = tf.minimum(1.0 / (seen + 1.0), threshold / 4.0)
    log_q = tf.math.log(mean + share * (1.0 / mean.shape[1] - mean))
    zero = tf.zeros_like(log_q[:, 0])
    return {"p": -log_q, "entropy": zero - 1.0, "constant": zero}


def _mean_std(accumulators, seen, threshold):
    mean, classes = accumulators["running_mean"], accumulators["running_mean"].shape[1]
    a = tf.sqrt(accumulators["squares"] / seen + tf.square(threshold / 4.0))
    return {
        "p": -mean / a / classes,
        "squares": 0.5 / a / classes,
        "constant": tf.reduce_mean(tf.square(mean) / a + a, axis=1) / 2.0,
    }


_TANGENTS = {
    "var_ratios": _var_ratios,
    "hard_var_ratios": _hard_var_ratios,
    "max_entropy": _max_entropy,
    "bald": _bald,
    "mean_std": _mean_std,
}
