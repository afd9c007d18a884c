"""From scores to data-set indices: ties, random choice, balanced initial labels."""

import numpy as np

from bayes_layers.streams import hash_uniform, stream_key


def choose(scores, indices, count, seed, cycle):
    """The `count` indices with the highest scores.

    Ties are broken by a hash of (seed, cycle, data-set index), so that neither the order of the pool nor
    the kind of scoring matters.

    Args:
      scores: `[N]`, none of them nan.
      indices: data-set indices `[N]`.
      count: how many.
      seed: the run's seed.
      cycle: the cycle whose network made the scores.

    Returns:
      `(indices, scores)` of the chosen, best first.

    Raises:
      ValueError: if there are fewer than `count`, or a score is nan.
    """
    scores, indices = np.asarray(scores, np.float64), np.asarray(indices)
    if count > len(indices):
        raise ValueError(f"{count} images are asked for, the pool holds {len(indices)}")
    if np.isnan(scores).any():
        raise ValueError(f"the score of image {indices[np.isnan(scores)][0]} is nan")
    order = np.lexsort((hash_uniform(stream_key(seed, "ties", cycle), indices), -scores))[:count]
    return indices[order], scores[order]


def random_scores(indices, seed, cycle):
    """The random acquisition a(x) = unif(0, 1) (Zeng et al. 2018, section 3), a hash of each index."""
    return hash_uniform(stream_key(seed, "random", cycle), indices)


def random_subset(indices, count, seed, cycle):
    """`count` of the indices at random, in ascending order."""
    order = np.argsort(hash_uniform(stream_key(seed, "pool_subset", cycle), indices), kind="stable")
    return np.sort(np.asarray(indices)[order[:count]])


def initial_indices(labels, count, balanced, seed):
    """The images that are labelled at the start.

    Args:
      labels: labels of all images `[N]`.
      count: how many images.
      balanced: take the same number of each class; what does not divide evenly goes to classes at random.
      seed: the run's seed.

    Returns:
      `count` data-set indices; class by class in turn if balanced.

    Raises:
      ValueError: if there are too few images, in all or of a class.
    """
    order = np.argsort(hash_uniform(stream_key(seed, "initial"), np.arange(len(labels))), kind="stable")
    if not balanced:
        if count > len(order):
            raise ValueError(f"{count} initial images are asked for, there are {len(order)}")
        return order[:count]
    classes = np.unique(labels)
    turn = classes[np.argsort(hash_uniform(stream_key(seed, "initial classes"), classes), kind="stable")]
    by_class = {c: order[np.asarray(labels)[order] == c] for c in classes}
    wanted = [(c, i // len(turn)) for i, c in enumerate(np.resize(turn, count))]
    for c, number in wanted:
        if number >= len(by_class[c]):
            raise ValueError(
                f"{count} balanced initial images need more than the {len(by_class[c])} images of class {c}"
            )
    return np.array([by_class[c][number] for c, number in wanted], np.int64)
