"""The statistics of a study: intervals, paired differences, corrections, and summaries of a learning curve.

Tests and intervals are SciPy's. References: the sign test, Conover 1999, "Practical Nonparametric Statistics",
section 3.4; Holm 1979, "A simple sequentially rejective multiple test procedure".
"""

import dataclasses
import math
import warnings

import numpy as np
from scipy import integrate, stats

CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval, nan where `n` does not allow one."""

    n: int
    mean: float
    low: float
    high: float
    deviation: float


@dataclasses.dataclass(frozen=True)
class PairedDifference:
    """The differences a - b over the pairs: their interval, and the sign test.

    Attributes:
      interval: the `Interval` of the differences.
      lower, higher, ties: pairs in which a is lower than, higher than, equal to b.
      p_value: of the two-sided sign test, ties left out; 1 without pairs.
    """

    interval: Interval
    lower: int
    higher: int
    ties: int
    p_value: float


def mean_interval(values):
    """The mean of independent values and Student's 95 % interval for it.

    Args:
      values: floats `[n]`.

    Returns:
      An `Interval`; its bounds and deviation are nan for fewer than two values.
    """
    values = np.asarray(list(values), float)
    n = len(values)
    mean = float(values.mean()) if n else math.nan
    if n < 2:
        return Interval(n, mean, math.nan, math.nan, math.nan)
    if np.ptp(values) == 0:
        return Interval(n, mean, mean, mean, 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # SciPy's, about differences that are nearly equal
        bounds = stats.ttest_1samp(values, 0.0).confidence_interval(CONFIDENCE)
    return Interval(n, mean, float(bounds.low), float(bounds.high), float(values.std(ddof=1)))


def paired_difference(a, b):
    """Compares two dicts from seed to value over the seeds that both have.

    Returns:
      A `PairedDifference` of a - b.
    """
    seeds = sorted(set(a) & set(b))
    differences = np.array([a[seed] - b[seed] for seed in seeds], float)
    differences[np.abs(differences) < 1e-9] = 0.0  # equal errors, made percentages apart
    lower, higher = int(np.sum(differences < 0)), int(np.sum(differences > 0))
    p_value = stats.binomtest(lower, lower + higher).pvalue if lower + higher else 1.0
    return PairedDifference(
        mean_interval(differences), lower, higher, len(seeds) - lower - higher, min(1.0, float(p_value))
    )


def holm(p_values):
    """Holm's adjusted p-values, in the order given: p_(i) becomes max_{j <= i} min(1, (m - j + 1) p_(j))."""
    p_values = np.asarray(p_values, float)
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * p_values[order]))
    return adjusted.tolist()


def labels_needed(labels, errors, threshold):
    """Labels at which a curve reaches a threshold.

    Args:
      labels: `[n]`, increasing.
      errors: `[n]`.
      threshold: in the unit of the errors.

    Returns:
      `(first, stays)`: the first label count with an error of at most the threshold, and the first from which on no
      error is above it; `math.inf` where there is none.
    """
    below = np.asarray(errors) <= threshold
    if not below.any():
        return math.inf, math.inf
    first = labels[int(np.argmax(below))]
    if not below[-1]:
        return float(first), math.inf
    above = np.flatnonzero(~below)
    return float(first), float(labels[above[-1] + 1] if len(above) else labels[0])


def mean_along_curve(labels, errors):
    """The area under a curve (trapezoids) divided by the labels that it spans: the error's mean along the run."""
    if len(labels) < 2:
        return float(errors[0])
    return float(integrate.trapezoid(errors, labels) / (labels[-1] - labels[0]))


def median_range(values):
    """Median, least and greatest of values that may be infinite (`never`)."""
    values = np.sort(np.asarray(list(values), float))
    middle = (values[(len(values) - 1) // 2], values[len(values) // 2])
    return float(np.mean(middle)), float(values[0]), float(values[-1])
