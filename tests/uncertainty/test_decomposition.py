"""The split of the predictive variance and entropy: identities, an independent computation, collapsed posteriors."""

import numpy as np
import pytest
from scipy import stats

from bayes_layers import PosteriorPredictive, build_network
from bayes_layers.config import NetworkSettings
from bayes_layers.layers.randomness import make_seed
from bayes_layers.uncertainty import (
    auroc,
    averages_by_class,
    covariances,
    decomposition,
    uncertainties,
    uncertainties_of,
)
from bayes_layers.uncertainty.decomposition import COVARIANCE_MOMENTS, UNCERTAINTY_MOMENTS, predictive_covariance, trace

P = np.random.default_rng(0).dirichlet(np.full(5, 0.3), size=(40, 30))


def by_loops(p):
    """Equation 14, image by image and sample by sample."""
    aleatoric, epistemic = [], []
    for i in range(p.shape[1]):
        samples, mean = p[:, i], p[:, i].mean(0)
        aleatoric.append(np.mean([np.diag(q) - np.outer(q, q) for q in samples], axis=0))
        epistemic.append(np.mean([np.outer(q - mean, q - mean) for q in samples], axis=0))
    return np.array(aleatoric), np.array(epistemic)


def test_covariances_are_equation_14_and_add_up():
    aleatoric, epistemic = covariances(P)
    for ours, theirs in zip((aleatoric, epistemic), by_loops(P), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-15)
    np.testing.assert_allclose(aleatoric + epistemic, predictive_covariance(P.mean(0)), atol=1e-15)
    for part in (aleatoric, epistemic):  # covariances: symmetric, not negative, and classes add up to a constant
        np.testing.assert_allclose(part, np.swapaxes(part, 1, 2), atol=1e-16)
        assert np.linalg.eigvalsh(part).min() > -1e-15
        np.testing.assert_allclose(part.sum(-1), 0, atol=1e-15)


def test_uncertainties_are_traces_and_entropies_and_add_up():
    found = uncertainties_of(P)
    aleatoric, epistemic = covariances(P)
    np.testing.assert_allclose(found["aleatoric"], trace(aleatoric), atol=1e-15)
    np.testing.assert_allclose(found["epistemic"], trace(epistemic), atol=1e-15)
    np.testing.assert_allclose(found["variance"], 1 - (P.mean(0) ** 2).sum(-1), atol=1e-15)
    np.testing.assert_allclose(found["entropy"], stats.entropy(P.mean(0), axis=-1), atol=1e-14)
    np.testing.assert_allclose(found["expected_entropy"], stats.entropy(P, axis=-1).mean(0), atol=1e-14)
    np.testing.assert_allclose(found["expected_entropy"] + found["mutual_information"], found["entropy"], atol=1e-15)
    kl = stats.entropy(P, P.mean(0)[None], axis=-1).mean(0)  # mutual information is the mean KL from the mean
    np.testing.assert_allclose(found["mutual_information"], kl, atol=1e-14)


@pytest.mark.parametrize("samples", [1, 3, 7, 100])
def test_collapsed_posteriors_have_exactly_no_epistemic_part(samples):
    same = np.repeat(P[:1], samples, axis=0)  # sums of these are rounded: 3 x 0.1 / 3 is not 0.1
    for p in (same, same.astype(np.float32)):
        found = uncertainties_of(p)
        assert not found["epistemic"].any() and not found["mutual_information"].any()
        aleatoric, epistemic = covariances(p)
        assert not epistemic.any()
        np.testing.assert_allclose(aleatoric, predictive_covariance(p[0]), atol=1e-15)
        np.testing.assert_allclose(found["aleatoric"], found["variance"], atol=0)


def test_opposite_certainties_are_all_epistemic():
    found = uncertainties_of(np.array([[[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]]]))
    assert found["aleatoric"] == 0 and found["expected_entropy"] == 0
    assert found["epistemic"] == found["variance"] == 0.5
    assert found["mutual_information"][0] == pytest.approx(np.log(2), abs=1e-15)


@pytest.mark.parametrize("arch", ["BNN-1", "CNN"])
def test_streamed_parts_are_those_of_all_samples(arch):
    network = build_network(NetworkSettings(arch=arch, mu_init=-1))
    network.assign(network.initial_values(make_seed(1)))
    images = np.random.default_rng(0).integers(0, 256, (6, 28, 28, 1)).astype(np.uint8)
    predictive = PosteriorPredictive(network, 5)
    p = predictive.probabilities(images, 7)
    moments = predictive.moments(images, 7, tuple(dict.fromkeys(COVARIANCE_MOMENTS + UNCERTAINTY_MOMENTS)))
    for streamed, whole in zip(decomposition.covariances_from_moments(moments), covariances(p), strict=True):
        np.testing.assert_allclose(streamed, whole, atol=1e-15)
        np.testing.assert_array_equal(streamed, np.swapaxes(streamed, 1, 2))
    streamed = uncertainties(moments)
    for name, value in uncertainties_of(p).items():
        np.testing.assert_allclose(streamed[name], value, atol=1e-14)
    assert streamed["epistemic"].any() == network.is_stochastic


def test_a_long_stream_of_equal_samples_has_no_variance():
    import tensorflow as tf

    from bayes_layers.uncertainty import scores

    needs = ("variance", "covariance")
    accumulators = scores.empty_accumulators(needs, 30, 5)
    for t in range(30):
        accumulators = scores.accumulate(accumulators, tf.constant(P[0]), t)
    moments = scores.finish(accumulators, 30)
    assert not np.any(moments["variance"]) and not np.any(moments["covariance"])


def test_averages_by_class():
    values = {"aleatoric": np.array([1.0, 3.0, 5.0])}
    found = averages_by_class(values, [2, 2, 0], 4)["aleatoric"]
    np.testing.assert_array_equal(found, [5.0, np.nan, 2.0, np.nan])
    assert decomposition.averages(values) == {"aleatoric": 3.0}


def test_auroc():
    rng = np.random.default_rng(0)
    familiar, foreign = rng.normal(size=50), rng.normal(1, 1, size=70)
    wins = (foreign[:, None] > familiar).mean() + 0.5 * (foreign[:, None] == familiar).mean()
    assert auroc(familiar, foreign) == pytest.approx(wins)
    assert auroc([0, 0], [0, 0, 0]) == 0.5 and auroc([1, 2], [3]) == 1 and auroc([3], [1, 2]) == 0
    for bad in (([], [1]), ([1], []), ([np.nan], [1])):
        with pytest.raises(ValueError):
            auroc(*bad)


def test_the_array_has_three_axes():
    with pytest.raises(ValueError, match=r"\[S, B, C\]"):
        covariances(P[0])
