"""Choosing mu_init honestly, against a direct computation, and on noise."""

import numpy as np
import pytest

from experiments.studies.tuning import tune


class _Part:
    """Stands for a slice: errors by mu_init."""

    def __init__(self, by_mu):
        self._by_mu = by_mu

    def mus_of(self, arch):
        return tuple(self._by_mu)

    def errors(self, arch, acquisition, mu_init=None):
        return self._by_mu[mu_init]


def test_each_seed_is_chosen_for_by_the_others():
    errors = {-3.0: {0: 5.0, 1: 1.0, 2: 3.0}, -5.0: {0: 1.0, 1: 4.0, 2: 3.5}}
    tuned = tune(_Part(errors), "BNN", "random")
    # without 0: 2.0 and 3.75; without 1: 4.0 and 2.25; without 2: 3.0 and 2.5
    assert tuned.chosen == {0: -3.0, 1: -5.0, 2: -5.0} and tuned.honest == {0: 5.0, 1: 4.0, 2: 3.5}
    assert tuned.best_mu == -5.0 and tuned.at_best == errors[-5.0]


def test_the_papers_way_flatters_noise_and_the_honest_one_does_not():
    rng = np.random.default_rng(0)
    honest, flattered = [], []
    for _ in range(300):
        errors = {mu: dict(enumerate(rng.normal(3.0, 0.5, 3))) for mu in (-3.0, -5.0, -9.0, -11.0)}
        tuned = tune(_Part(errors), "BNN", "random")
        honest.append(np.mean(list(tuned.honest.values())))
        flattered.append(np.mean(list(tuned.at_best.values())))
    assert np.mean(honest) == pytest.approx(3.0, abs=0.06)
    assert np.mean(flattered) < 2.8


def test_of_equal_means_the_first_is_chosen():
    wrong = {-3.0: (45, 41, 40), -11.0: (42, 44, 60)}  # of 500 images: without seed 2 both have 86
    errors = {mu: {seed: 100 * (count / 500) for seed, count in enumerate(counts)} for mu, counts in wrong.items()}
    assert np.mean([errors[-3.0][0], errors[-3.0][1]]) > np.mean([errors[-11.0][0], errors[-11.0][1]])  # by rounding
    assert tune(_Part(errors), "BNN-1", "random").chosen[2] == -3.0


def test_too_few_seeds():
    one = tune(_Part({-3.0: {0: 5.0}, -5.0: {0: 4.0}}), "BNN", "random")
    assert one.honest == {} and one.best_mu == -5.0 and one.at_best == {0: 4.0}
    none = tune(_Part({-3.0: {0: 5.0}, -5.0: {1: 4.0}}), "BNN", "random")
    assert none.best_mu is None and none.honest == none.at_best == {}


def test_nothing_to_choose():
    tuned = tune(_Part({-3.0: {0: 5.0, 1: 4.0}}), "CNN", "random")
    assert tuned.honest == tuned.at_best == {0: 5.0, 1: 4.0}
