"""Uncertainty of predictions by posterior samples, as in Zharikov, Isachenko & Bochkarev's Figures 4 to 6.

The report plots "variance over classes" against "approximated expected error rate" and defines neither. Since some of
its mistakes have an expected error of exactly zero, that cannot use labels: it is what samples say among themselves.

| here | definition, for T samples p_t(c) of an image's class probabilities |
| --- | --- |
| prediction | the class with the largest mean probability |
| variance | sum over classes of the variance over samples of p_t(c) |
| expected error | 1 - (votes of the modal class) / T, a vote being the class with the largest p_t(c) |
| confidence | the largest mean probability |
"""

import numpy as np


def measures(samples):
    """The measures of images.

    Args:
      samples: probabilities `[T, N, C]`.

    Returns:
      dict of arrays `[N]`: `predicted`, `variance`, `expected_error`, `confidence`.
    """
    samples = np.asarray(samples, np.float64)
    classes = samples.shape[-1]
    votes = np.stack([(samples.argmax(-1) == c).sum(0) for c in range(classes)], axis=1)  # [N, C]
    mean = samples.mean(0)
    return {
        "predicted": mean.argmax(1),
        "variance": samples.var(0).sum(1),
        "expected_error": 1.0 - votes.max(1) / len(samples),
        "confidence": mean.max(1),
    }


def accuracy_if_refused(uncertainty, correct):
    """The accuracy on the images that are left when the most uncertain ones are refused.

    Args:
      uncertainty: `[N]`; ties are refused in the order of the images.
      correct: bools `[N]`.

    Returns:
      `(share, accuracy)`, `[N]` each: `accuracy[k]` without the k most uncertain images, `share[k] = k / N`.
    """
    order = np.argsort(-np.asarray(uncertainty), kind="stable")
    kept_correct = np.cumsum(np.asarray(correct, float)[order][::-1])[::-1]
    left = np.arange(len(order), 0, -1)
    return np.arange(len(order)) / len(order), kept_correct / left
