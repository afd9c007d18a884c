"""Choosing: ties, randomness, balance, and the pool's bookkeeping."""

import numpy as np
import pytest

from experiments.active_learning.acquisition import choose, initial_indices, random_scores, random_subset
from experiments.active_learning.pool import Pool


def test_the_highest_scores_win_whatever_the_order_of_the_pool():
    indices, scores = np.array([40, 10, 30, 20]), np.array([0.1, 0.9, 0.5, 0.7])
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        chosen, their_scores = choose(scores[order], indices[order], 3, seed=0, cycle=0)
        assert chosen.tolist() == [10, 20, 30] and their_scores.tolist() == [0.9, 0.7, 0.5]


def test_ties_are_broken_by_seed_cycle_and_index():
    indices, scores = np.arange(1000), np.zeros(1000)
    first, _ = choose(scores, indices, 10, seed=0, cycle=3)
    shuffled = np.random.default_rng(0).permutation(1000)
    np.testing.assert_array_equal(first, choose(scores, indices[shuffled], 10, seed=0, cycle=3)[0])
    for seed, cycle in ((1, 3), (0, 4)):
        assert set(first) != set(choose(scores, indices, 10, seed, cycle)[0])
    assert set(first) != set(range(10))


def test_bad_choices_are_named():
    with pytest.raises(ValueError, match="3 images are asked for, the pool holds 2"):
        choose([1.0, 2.0], [5, 6], 3, 0, 0)
    with pytest.raises(ValueError, match="score of image 6 is nan"):
        choose([1.0, np.nan], [5, 6], 1, 0, 0)


def test_random_scores_and_subsets_are_functions_of_the_index():
    scores = random_scores(np.arange(5000), seed=1, cycle=2)
    np.testing.assert_array_equal(random_scores([7, 3], 1, 2), scores[[7, 3]])
    assert abs(scores.mean() - 0.5) < 0.02
    subset = random_subset(np.arange(100, 1100), 50, 1, 2)
    assert len(set(subset)) == 50 and subset.min() >= 100 and np.all(np.diff(subset) > 0)
    np.testing.assert_array_equal(random_subset(np.arange(5), 50, 1, 2), np.arange(5))


@pytest.mark.parametrize("count", [10, 20, 23])
def test_balanced_initial_labels(count):
    labels = np.random.default_rng(0).integers(0, 10, 500)
    chosen = initial_indices(labels, count, True, seed=4)
    counts = np.bincount(labels[chosen], minlength=10)
    assert len(set(chosen)) == count and counts.max() - counts.min() <= (count % 10 > 0)
    assert set(chosen) != set(initial_indices(labels, count, True, seed=5))


def test_unbalanced_initial_labels_and_too_many():
    labels = np.arange(500) % 10
    chosen = initial_indices(labels, 200, False, seed=0)
    assert len(set(chosen)) == 200 and len(set(np.bincount(labels[chosen]))) > 1
    with pytest.raises(ValueError, match="501 initial images"):
        initial_indices(labels, 501, False, 0)
    with pytest.raises(ValueError, match="the 1 images of class 1"):
        initial_indices(np.array([0, 0, 0, 0, 1]), 4, True, 0)


def test_pool_never_takes_an_image_twice():
    pool = Pool(6)
    pool.add([4, 1], [7, 8])
    assert pool.labelled.tolist() == [4, 1] and pool.labels.tolist() == [7, 8]
    assert pool.unlabelled.tolist() == [0, 2, 3, 5]
    for indices, labels in (([1], [0]), ([2, 2], [0, 0]), ([6], [0]), ([-1], [0]), ([2, 3], [0])):
        with pytest.raises(ValueError):
            pool.add(indices, labels)
    assert pool.labelled.tolist() == [4, 1]
