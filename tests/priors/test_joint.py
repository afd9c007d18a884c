"""The judge's model, against the package's network and SciPy's densities."""

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from experiments.priors.fitting import toy_network
from experiments.priors.joint import NUM_WEIGHTS, SIZES, ToyModel

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(7, 2)).astype(np.float32), RNG.integers(0, 2, 7)
STANDARD = {"normal": stats.norm(), "laplace": stats.laplace(), "cauchy": stats.cauchy()}
HYPER = {
    "half_normal": stats.halfnorm(),
    "half_cauchy": stats.halfcauchy(),
    "inverse_gamma": stats.invgamma(1.0),
}


def test_logits_are_the_networks():
    network, w = toy_network("normal", "fixed"), RNG.normal(size=NUM_WEIGHTS).astype(np.float32)
    assert network.count_params() - len(network.stack) == 2 * NUM_WEIGHTS == 114  # calls aside: means and deviations
    start = 0
    for layer, size in zip(network.stack, SIZES, strict=True):
        kernel = layer.kernel_loc.shape.num_elements()
        layer.kernel_loc.assign(w[start : start + kernel].reshape(layer.kernel_loc.shape))
        layer.bias_posterior.distribution.loc.assign(w[start + kernel : start + size])
        for rho in layer.trainable_weights:
            if "untransformed" in rho.name:
                rho.assign(tf.fill(rho.shape, -80.0))
        start += size
    model = ToyModel(X, Y, "normal", "fixed")
    np.testing.assert_allclose(
        model.logits(tf.constant(w), X), network(X, seed=tf.constant([1, 2], tf.int64)), atol=1e-5
    )


@pytest.mark.parametrize("hyperprior", ["fixed", *HYPER])
@pytest.mark.parametrize("prior", STANDARD)
def test_the_density_is_that_of_weights_and_scales_with_its_jacobian(prior, hyperprior):
    model = ToyModel(X, Y, prior, hyperprior, scale=2.0)
    position = (0.7 * RNG.normal(size=model.size)).astype(np.float64)
    u, z = position[:NUM_WEIGHTS], position[NUM_WEIGHTS:]
    s = np.full(3, 2.0) if hyperprior == "fixed" else np.exp(z)
    s_of = np.repeat(s, SIZES)
    standard = STANDARD[prior].ppf(stats.norm.cdf(u))
    weights = s_of * standard
    np.testing.assert_allclose(model.weights(tf.constant(position, tf.float32)), weights, rtol=2e-4, atol=1e-5)
    jacobian = np.log(s_of) + stats.norm.logpdf(u) - STANDARD[prior].logpdf(standard)  # log dw / du
    expected = np.sum(STANDARD[prior].logpdf(weights / s_of) - np.log(s_of) + jacobian)
    if hyperprior != "fixed":
        expected += np.sum(HYPER[hyperprior].logpdf(s) + z)
    logits = model.logits(tf.constant(weights, tf.float32), X).numpy().astype(float)
    expected += np.sum(logits[np.arange(7), Y] - np.log(np.exp(logits).sum(1)))
    assert float(model.log_joint(tf.constant(position, tf.float32))) == pytest.approx(expected, rel=1e-4, abs=1e-3)
    assert math.isfinite(expected)


@pytest.mark.slow
def test_nuts_and_full_rank_find_a_posterior_that_is_known():
    """Without data both must return the prior: N(0, 1) in all unconstrained weights."""
    from experiments.priors.judge import Nuts, full_rank

    x, y = np.zeros([1, 2], np.float32), np.zeros([1], int)
    empty = x[:0], y[:0]
    model = ToyModel(*empty, "normal", "half_normal")
    chains = Nuts("normal", "half_normal", 400, 200)(*empty, 1.0, RNG.normal(size=(2, model.size)), (1, 2))
    u = chains.positions[..., :NUM_WEIGHTS].reshape(-1)
    assert abs(u.mean()) < 0.05 and abs(u.std() - 1) < 0.05
    s = np.exp(chains.positions[..., NUM_WEIGHTS:]).ravel()
    assert abs(np.median(s) - stats.halfnorm.median()) < 0.1
    draws, elbo = full_rank(model, np.zeros(model.size), np.full(model.size, 0.05), 4000, 0.003, 4000, (3, 4))
    assert abs(draws[:, :NUM_WEIGHTS].std() - 1) < 0.1 and -1.0 < elbo < 0.5


@pytest.mark.parametrize("prior", ["normal", "laplace", "cauchy"])
@pytest.mark.parametrize("hyperprior", ["fixed", "half_cauchy"])
def test_a_mean_field_posterior_among_the_positions(prior, hyperprior):
    """Its means map to themselves, its deviations to first order."""
    model = ToyModel(np.zeros([1, 2]), [0], prior, hyperprior, 0.7)
    random = np.random.default_rng(0)
    loc, stddev = random.normal(size=57), np.full(57, 1e-2)
    log_scales = [(0.3, 0.1), (-0.2, 0.2), (0.1, 0.3)] if hyperprior != "fixed" else ()
    position, spread = model.unconstrained(loc, stddev, log_scales)
    assert position.shape == spread.shape == (model.size,)
    ahead = np.array(position)
    ahead[:57] += spread[:57]
    np.testing.assert_allclose(model.weights(tf.constant(position)), loc, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(model.weights(tf.constant(ahead)) - loc, stddev, rtol=0.1)
    assert position[57:].tolist() == pytest.approx([z for z, _ in log_scales])
    assert spread[57:].tolist() == pytest.approx([sd for _, sd in log_scales])
