"""The posterior predictive: split, streamed, shared draws."""

import numpy as np
import pytest
import tensorflow as tf

from bayes_layers import PosteriorPredictive, build_network
from bayes_layers.config import NetworkSettings
from bayes_layers.layers.randomness import fold_in, make_seed
from bayes_layers.uncertainty import acquisition_score, moments_of
from bayes_layers.uncertainty.acquisitions import MOMENTS_OF_SCORE

X = np.random.default_rng(0).integers(0, 256, (10, 28, 28, 1)).astype(np.uint8)
KEY = 1234567890123


def network_of(arch, **settings):
    network = build_network(NetworkSettings(arch=arch, **settings))
    network.assign(network.initial_values(make_seed(1)))
    return network


@pytest.mark.parametrize("arch", ["BNN", "BNN-1", "BNN-2", "BNN-3", "BNN1", "MC-Dropout"])
def test_split_prediction_is_the_unsplit_one_with_the_same_draws(arch):
    network = network_of(arch)
    p = PosteriorPredictive(network, 4).probabilities(X, KEY)
    for t in range(4):
        seed, outputs = make_seed(KEY, t), X.astype(np.float32) / 255
        for i, layer in enumerate(network.stack):  # every layer, from the image on
            if getattr(layer, "is_stochastic", False):
                outputs = layer.apply_draw(outputs, layer.draw(fold_in(seed, i)))
            else:
                outputs = layer(outputs)
        np.testing.assert_allclose(p[t], tf.nn.softmax(outputs), atol=2e-6)


@pytest.mark.parametrize("arch", ["BNN", "BNN-2", "MC-Dropout"])
def test_streamed_moments_are_those_of_all_samples(arch):
    predictive = PosteriorPredictive(network_of(arch), 7)
    p = predictive.probabilities(X, KEY)
    streamed = predictive.moments(X, KEY, ("mean", "expected_entropy", "votes", "variance"))
    for name, value in moments_of(p).items():
        np.testing.assert_allclose(streamed[name], value, rtol=1e-9, atol=1e-14)
    for name in MOMENTS_OF_SCORE:
        np.testing.assert_allclose(predictive.scores(X, KEY, name), acquisition_score(name, p), atol=1e-12)


def test_probabilities_are_float32_and_sum_to_one():
    p = PosteriorPredictive(network_of("BNN"), 5).probabilities(X, KEY)
    assert p.shape == (5, 10, 10) and p.dtype == np.float32
    np.testing.assert_allclose(p.sum(-1), 1, atol=1e-6)


@pytest.mark.parametrize("arch", ["BNN", "MC-Dropout"])
def test_a_sample_is_one_network_for_all_images(arch):
    twice = np.concatenate([X[:1], X[1:5], X[:1]])
    predictive = PosteriorPredictive(network_of(arch), 5)
    p = predictive.probabilities(twice, KEY)
    np.testing.assert_allclose(p[:, 0], p[:, -1], atol=1e-6)
    predictive.chunk_size = predictive.tile_size = 2  # also across chunks and tiles
    np.testing.assert_allclose(predictive.probabilities(twice, KEY), p, atol=1e-6)
    np.testing.assert_allclose(PosteriorPredictive(predictive.network, 3).probabilities(twice, KEY), p[:3], atol=1e-6)


@pytest.mark.parametrize("arch", ["BNN", "BNN-1", "MC-Dropout"])
def test_a_sample_per_image(arch):
    same = np.repeat(X[:1], 6, axis=0)
    predictive = PosteriorPredictive(network_of(arch), 3, sampling="image")
    predictive.chunk_size = predictive.tile_size = 3
    p = predictive.probabilities(same, KEY)
    assert all(np.abs(p[:, i] - p[:, j]).max() > 1e-6 for i in range(6) for j in range(i))
    np.testing.assert_array_equal(p, predictive.probabilities(same, KEY))


def test_samples_and_keys_differ():
    predictive = PosteriorPredictive(network_of("BNN-1"), 3)
    p = predictive.probabilities(X, KEY)
    assert np.abs(p[0] - p[1]).max() > 1e-3 and np.abs(p - predictive.probabilities(X, KEY + 1)).max() > 1e-3


def test_a_deterministic_network_has_one_sample_and_no_disagreement():
    predictive = PosteriorPredictive(network_of("CNN"), 100)
    assert predictive.samples == 1
    for name in ("bald", "mean_std", "hard_var_ratios"):
        np.testing.assert_array_equal(predictive.scores(X, KEY, name), np.zeros(10))
    assert predictive.scores(X, KEY, "max_entropy").min() > 0


def test_narrow_posteriors_still_have_a_ranking():
    """At mu_init = -9 BALD is a millionth of its terms: it must not be rounding noise."""
    predictive = PosteriorPredictive(network_of("BNN", mu_init=-9), 30)
    p = predictive.probabilities(X, KEY).astype(np.longdouble)
    mean = p.mean(0)
    exact = (p * np.log(p / mean)).sum(-1).mean(0)  # the mean KL from p_t to the mean, without cancellation
    got = predictive.scores(X, KEY, "bald")
    assert got.min() > 0
    np.testing.assert_allclose(got, exact.astype(float), rtol=1e-4, atol=1e-13)
    std = np.sqrt(((p - mean) ** 2).mean(0)).mean(-1)
    np.testing.assert_allclose(predictive.scores(X, KEY, "mean_std"), std.astype(float), rtol=1e-6)


def test_indices_select_images_and_floats_are_taken_as_they_are():
    predictive = PosteriorPredictive(network_of("BNN-2"), 3)
    chosen = predictive.scores(X, KEY, "bald", indices=np.array([7, 2]))
    np.testing.assert_allclose(chosen, predictive.scores(X, KEY, "bald")[[7, 2]], atol=1e-9)
    np.testing.assert_allclose(predictive.mean(X, KEY), predictive.mean((X / 255).astype(np.float32), KEY), atol=1e-6)
    with pytest.raises(ValueError, match="no image"):
        predictive.mean(X[:0], KEY)


def test_progress_and_memory_bound():
    predictive = PosteriorPredictive(network_of("BNN-1"), 2)
    predictive.chunk_size, predictive.tile_size, seen = 4, 4, []
    predictive.mean(X, KEY, lambda done, total: seen.append((done, total)))
    assert seen == [(4, 10), (8, 10), (10, 10)]
    whole, split = PosteriorPredictive(network_of("BNN"), 2), PosteriorPredictive(network_of("BNN-2"), 2)
    assert (whole.tile_size, whole.chunk_size) == (128, 8192)  # 25 x 25 x 32 floats per image, and 28 x 28
    assert (split.tile_size, split.chunk_size) == (512, 8192)  # 11 x 11 x 32 floats
    assert PosteriorPredictive(network_of("BNN"), 2, sampling="image").chunk_size == 1024


def test_one_scoring_pass_with_and_without_xla():
    network = network_of("BNN-2")
    plain, compiled = PosteriorPredictive(network, 5), PosteriorPredictive(network, 5, jit_compile=True)
    plain.chunk_size = compiled.chunk_size = plain.tile_size = 8
    np.testing.assert_allclose(plain.mean(X, KEY), compiled.mean(X, KEY), atol=2e-6)
    np.testing.assert_allclose(plain.scores(X, KEY, "bald"), compiled.scores(X, KEY, "bald"), atol=2e-6)


def test_bad_arguments_are_named():
    network = network_of("BNN-1")
    for settings, words in (({"num_samples": 0}, "num_samples=0"), ({"sampling": "images"}, "sampling=images")):
        with pytest.raises(ValueError, match=f"{words} is not valid"):
            PosteriorPredictive(network, **settings)
    with pytest.raises(ValueError, match="acquisition=entropy is not valid: it takes one of"):
        PosteriorPredictive(network, 2).scores(np.zeros((1, 28, 28, 1), np.float32), 1, "entropy")
