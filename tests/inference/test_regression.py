"""A Normal likelihood: its density, the split of the variance, a fit."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from bayes_layers import DenseFlipout, DeterministicDense, ElboTrainer, Network
from bayes_layers.inference.elbo import mean_normal_nll, normal_scale
from bayes_layers.inference.regression import normal_samples, split_variance
from bayes_layers.layers.randomness import make_seed


def network_of(last):
    network = Network([DeterministicDense(16, activation="tanh", name="first"), last(2, name="last")], (1,))
    network.assign(network.initial_values(make_seed(1)))
    return network


def test_the_likelihood_is_the_normal_density():
    outputs = tf.constant([[0.5, 1.0], [-1.0, -3.0], [9.0, 9.0]])
    targets = tf.constant([0.7, -2.0, 0.0])
    scale = normal_scale(outputs).numpy()
    expected = -stats.norm.logpdf(targets[:2], outputs[:2, 0], scale[:2]).mean()
    assert float(mean_normal_nll(outputs, targets, tf.constant([1.0, 1.0, 0.0]))) == pytest.approx(expected, rel=1e-5)


def test_the_parts_are_those_of_the_mixture():
    rng = np.random.default_rng(0)
    means, deviations = rng.normal(size=(3, 2)), rng.uniform(0.5, 2, size=(3, 2))
    _, aleatoric, epistemic = split_variance(means, deviations)
    draws = rng.normal(means[rng.integers(3, size=200_000)], 1)  # a mixture with deviations of 1
    np.testing.assert_allclose(split_variance(means, np.ones((3, 2)))[0], draws.mean(0), atol=0.02)
    np.testing.assert_allclose(sum(split_variance(means, np.ones((3, 2)))[1:]), draws.var(0), rtol=0.02)
    np.testing.assert_allclose(aleatoric, (deviations**2).mean(0))
    np.testing.assert_allclose(epistemic, means.var(0))
    assert not split_variance(np.repeat(means[:1], 7, axis=0), np.ones((7, 2)))[2].any()


@pytest.mark.parametrize("last", [DenseFlipout, DeterministicDense])
def test_a_fit_finds_mean_and_noise(last):
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (400, 1)).astype(np.float32)
    y = 2 * x[:, 0] + rng.normal(0, 0.3, 400)
    network = network_of(last)
    trainer = ElboTrainer(network, learning_rate=0.02, nll=mean_normal_nll)
    curve = trainer.fit(x, y, epochs=60, kl_weight=1 / 400, seed=0)
    assert curve["nll"][-1] < curve["nll"][0]
    means, deviations = normal_samples(network, [[-0.5], [0.5]], 20, 3)
    assert means.shape == ((20, 2) if last is DenseFlipout else (1, 2))
    mean, aleatoric, epistemic = split_variance(means, deviations)
    np.testing.assert_allclose(mean, [-1, 1], atol=0.15)
    np.testing.assert_allclose(np.sqrt(aleatoric), 0.3, atol=0.08)
    assert (epistemic > 0).all() == network.is_stochastic
