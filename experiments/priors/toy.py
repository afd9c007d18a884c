"""The toy problems: two moons and two circles with noise, and the classifier to stand beside."""

import dataclasses

import numpy as np

from bayes_layers.streams import stream_key

TRAIN, TEST, HELD_OUT = 700, 300, 175
CIRCLE_FACTOR = 0.5  # the inner circle's radius; scikit-learn's default, 0.8, leaves nothing to learn under noise
GRID_POINTS = 60
EXTENTS = {"moons": (-2.0, 3.0, -1.6, 2.1), "circles": (-2.0, 2.0, -2.0, 2.0)}
SVM_GRID = {"C": [0.1, 1, 10, 100, 1000], "gamma": [0.03, 0.1, 0.3, 1, 3, 10]}


@dataclasses.dataclass(frozen=True)
class Split:
    """Points `[N, 2]` float32 and classes `[N]`: 700 to learn from, the last 175 of them for tuning; 300 to test on."""

    x: np.ndarray
    y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray


def make_split(dataset, noise, seed, number):
    """Draws one split.

    Args:
      dataset: "moons" or "circles".
      noise: standard deviation of the noise.
      seed: the study's seed.
      number: which split.

    Returns:
      A `Split`; another number is another draw of all points.
    """
    from sklearn.datasets import make_circles, make_moons

    state = stream_key(seed, f"points of {dataset}", number) % 2**32
    if dataset == "moons":
        x, y = make_moons(TRAIN + TEST, noise=noise, random_state=state)
    else:
        x, y = make_circles(TRAIN + TEST, noise=noise, factor=CIRCLE_FACTOR, random_state=state)
    x = x.astype(np.float32)
    return Split(x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:])


def grid_points(dataset):
    """A square grid over a data set's plane: points `[G * G, 2]`, row by row from below."""
    left, right, low, high = EXTENTS[dataset]
    x, y = np.meshgrid(np.linspace(left, right, GRID_POINTS), np.linspace(low, high, GRID_POINTS))
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)


def svm_accuracy(split):
    """Test accuracy of an RBF-SVM whose C and gamma are tuned by 5-fold cross-validation on the 700 points.

    Returns:
      `(accuracy, parameters)`.
    """
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import SVC

    search = GridSearchCV(SVC(), SVM_GRID, cv=5).fit(split.x, split.y)
    return float(search.score(split.test_x, split.test_y)), search.best_params_
