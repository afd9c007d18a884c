"""What the uncertainty of a prediction is made of: noise in the label, or doubt about the network.

Shapes: S Monte-Carlo samples, B images, C classes. p_t is the distribution over classes in sample t, p its mean over t,
and y the label as a one-hot vector. The law of total covariance splits the predictive covariance
(Kwon, Won, Kim & Paik 2018; Shridhar 2019, eq. 14):

    diag(p) - p p^T  =  1/T sum_t (diag(p_t) - p_t p_t^T)  +  1/T sum_t (p_t - p)(p_t - p)^T
    Cov[y]           =  E_w[Cov[y | w]], aleatoric          +  Cov_w[E[y | w]], epistemic

and its trace 1 - sum_c p(c)^2, from 0 to 1 - 1/C, likewise. The entropy splits in the same way (Depeweg et al. 2018):

    H[p]             =  1/T sum_t H[p_t], expected          +  I[y; w], mutual information (BALD)

Everything is computed from the moments of `bayes_layers.uncertainty.scores`, so that it can be streamed:
`PosteriorPredictive.moments(images, key, UNCERTAINTY_MOMENTS)`. Samples that are all equal, as of a posterior that has
collapsed to a point, have no epistemic part: its numbers are then exactly 0.

Shridhar's Table 4 shows means of both uncertainties without saying of what. They must be means over images of the
traces: 0.1920 cannot be a mean over classes as well, which is at most (1 - 1/C) / C = 0.09.
"""

import numpy as np

from bayes_layers.uncertainty import scores

UNCERTAINTY_MOMENTS = ("mean", "variance", "expected_variance", "expected_entropy")
COVARIANCE_MOMENTS = ("mean", "covariance", "expected_covariance")


def covariances(probabilities):
    """The two parts of the predictive covariance (Shridhar 2019, eq. 14).

    Args:
      probabilities: `[S, B, C]`, each `[s, b]` a distribution over classes.

    Returns:
      `(aleatoric, epistemic)`, float64 arrays `[B, C, C]`; their sum is diag(p) - p p^T, p being the mean over S.

    Raises:
      ValueError: if the array has not three axes.
    """
    return covariances_from_moments(scores.moments_of(probabilities, COVARIANCE_MOMENTS))


def covariances_from_moments(moments):
    """`covariances` from moments: `(aleatoric, epistemic)`, float64 arrays `[B, C, C]`.

    Args:
      moments: dict with `COVARIANCE_MOMENTS`.
    """
    return np.asarray(moments["expected_covariance"]), np.asarray(moments["covariance"])


def predictive_covariance(mean):
    """diag(p) - p p^T of mean probabilities `[B, C]`: `[B, C, C]`."""
    p = np.asarray(mean, np.float64)
    return np.eye(p.shape[-1]) * p[..., None, :] - p[..., :, None] * p[..., None, :]


def trace(covariance):
    """The trace of `[..., C, C]`: `[...]`."""
    return np.trace(covariance, axis1=-2, axis2=-1)


def uncertainties(moments):
    """The uncertainties of each image, from moments without anything of size C x C.

    Args:
      moments: dict with `UNCERTAINTY_MOMENTS` and `samples`.

    Returns:
      dict of float64 arrays `[B]`:
      `aleatoric`, `epistemic`: traces of the two covariances; `variance`: the trace of the predictive covariance,
      their sum;
      `expected_entropy`, `mutual_information` in nats; `entropy`: of the mean prediction, their sum.
    """
    aleatoric = np.asarray(moments["expected_variance"]).sum(axis=-1)
    epistemic = np.asarray(moments["variance"]).sum(axis=-1)
    expected_entropy = np.asarray(moments["expected_entropy"])
    entropy = np.asarray(scores.entropy(moments["mean"]))
    # The difference of two sums that were rounded apart is not 0 where all samples are equal; the variance is.
    information = np.where(epistemic > 0, np.maximum(entropy - expected_entropy, 0.0), 0.0)
    return {
        "aleatoric": aleatoric,
        "epistemic": epistemic,
        "variance": aleatoric + epistemic,
        "expected_entropy": expected_entropy,
        "mutual_information": information,
        "entropy": entropy,
    }


def uncertainties_of(probabilities):
    """`uncertainties` of all samples `[S, B, C]`: dict of float64 arrays `[B]`."""
    return uncertainties(scores.moments_of(probabilities, UNCERTAINTY_MOMENTS))


def averages(values):
    """Means over images: dict of `[B]` to dict of floats."""
    return {name: float(np.mean(value)) for name, value in values.items()}


def averages_by_class(values, classes, num_classes):
    """Means over the images of each class.

    Args:
      values: dict of `[B]`, as `uncertainties` returns it.
      classes: integer `[B]`, the images' labels (or predicted classes).
      num_classes: C.

    Returns:
      dict of float64 arrays `[C]`, nan for a class without images.

    Raises:
      ValueError: if there is a class that is not in 0 to C - 1.
    """
    classes = np.asarray(classes)
    if np.any((classes < 0) | (classes >= num_classes)):
        raise ValueError(f"classes are from 0 to {num_classes - 1}, got {classes.min()} to {classes.max()}")
    counts = np.bincount(classes, minlength=num_classes)
    with np.errstate(invalid="ignore"):
        return {
            name: np.bincount(classes, weights=value, minlength=num_classes) / np.where(counts, counts, np.nan)
            for name, value in values.items()
        }
