"""How well an uncertainty tells foreign images from familiar ones."""

import numpy as np


def auroc(familiar, foreign):
    """The area under the ROC curve of a score that should be larger for foreign images.

    It is the probability that a random foreign image has a larger score than a random familiar one, ties counting half
    (Hendrycks & Gimpel 2017): 1/2 for a score that says nothing, 1 for one that never errs.

    Args:
      familiar: scores `[N]` of images from the distribution that the network was trained on.
      foreign: scores `[M]` of other images.

    Returns:
      float from 0 to 1.

    Raises:
      ValueError: if one of them is empty, or a score is not finite.
    """
    from sklearn.metrics import roc_auc_score  # here, because loading it takes longer than a report

    familiar, foreign = np.asarray(familiar, np.float64), np.asarray(foreign, np.float64)
    if not len(familiar) or not len(foreign):
        raise ValueError("needs familiar and foreign images, at least one of each")
    is_foreign = np.concatenate([np.zeros(len(familiar)), np.ones(len(foreign))])
    return float(roc_auc_score(is_foreign, np.concatenate([familiar, foreign])))
