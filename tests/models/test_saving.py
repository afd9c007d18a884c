"""Networks written down and read back: frozen layers, priors, masks, and all else that a layer was given."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from bayes_layers import (
    Convolution2DFlipout,
    DenseFlipout,
    DeterministicDense,
    MonteCarloDropout,
    Network,
    PosteriorPredictive,
    build_network,
    load_network,
    posterior_as_prior,
    pruning,
)
from bayes_layers.config import NetworkSettings
from bayes_layers.layers.hyperpriors import HalfCauchy, InverseGamma
from bayes_layers.layers.priors import CauchyPrior, LaplacePrior
from bayes_layers.layers.randomness import make_seed

INPUTS = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)


def saved(network, path):
    network.save(path / "network.npz")
    return load_network(path / "network.npz")


def start(network, seed=1):
    network.assign(network.initial_values(make_seed(seed)))
    return network


def probabilities(network):
    return PosteriorPredictive(network, 3).probabilities(INPUTS, 7)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_frozen_layers_are_saved_counted_and_predicted_with(precision, tmp_path):
    layers = [DeterministicDense(64, name="a", trainable=False), DenseFlipout(32, name="b"), DenseFlipout(3, name="c")]
    network = start(Network(layers, (8,)))
    for weight in network.get_layer("a").weights:
        weight.assign(np.full(weight.shape, 0.25))
    network.get_layer("b").trainable = False
    again = saved(network, tmp_path)
    again.precision = network.precision = precision
    np.testing.assert_array_equal(probabilities(network), probabilities(again))
    assert np.all(again.get_layer("a").kernel.numpy() == 0.25)
    rows = {row["layer"]: row for row in pruning.sparsity(network)}
    assert rows["a"]["parameters"] == 8 * 64 + 64 and rows["b"]["parameters"] == 2 * 64 * 32 + 32
    assert network.sampled_operations == 2 * (64 * 32 + 32 * 3)
    np.testing.assert_array_equal(posterior_as_prior(network).get_layer("a").kernel, network.get_layer("a").kernel)


def test_a_network_that_is_frozen_as_a_whole(tmp_path):
    network = start(Network([DenseFlipout(3, name="a")], (8,)))
    network.trainable = False
    np.testing.assert_array_equal(probabilities(network), probabilities(saved(network, tmp_path)))


def test_moving_statistics_are_saved(tmp_path):
    network = Network([tf_keras.layers.BatchNormalization(name="norm"), DeterministicDense(3, name="a")], (8,))
    network.get_layer("norm").moving_mean.assign(np.full(8, 5.0))
    np.testing.assert_array_equal(saved(network, tmp_path).get_layer("norm").moving_mean, np.full(8, 5.0))


def test_names_must_differ():
    with pytest.raises(ValueError, match="several called a"):
        Network([DenseFlipout(8, name="a"), DenseFlipout(8, name="a")], (8,))


def test_images_that_are_too_small_are_refused():
    with pytest.raises(ValueError, match="too small: nothing is left of them behind Pool"):
        build_network(NetworkSettings(arch="BNN-1"), (7, 7, 1))


def test_what_a_layer_was_given_is_saved(tmp_path):
    given = {
        "a": {"prior": LaplacePrior(0.5, HalfCauchy(2.0))},
        "b": {"prior": CauchyPrior(samples=64)},
        "c": {"bias_posterior_fn": None},
        "d": {"activity_regularizer": tf_keras.regularizers.L2(0.1), "kl_weight": 0.01},
        "e": {"prior": "normal", "hyperprior": InverseGamma(3.0)},
    }
    network = start(Network([DenseFlipout(8, name=name, **more) for name, more in given.items()], (8,)))
    again = saved(network, tmp_path)
    np.testing.assert_array_equal(probabilities(network), probabilities(again))
    assert isinstance(again.get_layer("a").prior.hyperprior, HalfCauchy)
    assert again.get_layer("a").prior.hyperprior.scale == 2.0 and again.get_layer("a").prior.scale == 0.5
    assert again.get_layer("b").prior.samples == 64 and again.get_layer("c").bias_posterior is None
    assert float(again.get_layer("d").activity_regularizer.l2) == pytest.approx(0.1)
    assert again.get_layer("d").kl_weight == 0.01 and again.get_layer("e").prior.hyperprior.scale == 3.0
    assert float(again.kl(make_seed(3))) == pytest.approx(float(network.kl(make_seed(3))), rel=1e-6)


def test_a_hyperprior_without_a_name_is_refused(tmp_path):
    prior = LaplacePrior(0.5, InverseGamma(1.0, concentration=2.0))
    with pytest.raises(NotImplementedError, match="no name"):
        saved(Network([DenseFlipout(3, prior=prior)], (8,)), tmp_path)


def test_a_pruned_network_goes_on_pruned():
    network = start(Network([DenseFlipout(8, name="a"), DenseFlipout(3, name="b")], (8,)))
    pruning.prune(network, pruning.masks_of_sparsity(pruning.magnitudes(network), 0.75))
    following = posterior_as_prior(network)
    assert pruning.sparsity(following)[-1]["sparsity"] == 0.75 and float(following.kl()) == pytest.approx(0.0, abs=1e-4)
    np.testing.assert_array_equal(probabilities(network), probabilities(following))


def test_a_prior_that_cannot_be_written_down_can_be_replaced():
    def family(scale):
        return tfp.distributions.StudentT(3.0, 0.0, scale)

    network = start(Network([DenseFlipout(3, name="a", prior=family, hyperprior="half_normal")], (8,)))
    following = posterior_as_prior(network)
    np.testing.assert_array_equal(probabilities(network), probabilities(following))
    with pytest.raises(NotImplementedError):
        network.to_arrays()


def test_names_of_layers_say_nothing_about_weights():
    layer = DenseFlipout(8, name="unbiased_untransformed_scale", loc_init="glorot")
    network = start(Network([layer], (8,)))
    assert layer.kernel_loc.numpy().std() > 0.1 and network.get_layer(layer.name).kernel_scale.numpy().max() < 0.2


def test_the_noise_of_a_layer_without_divergence_has_no_kl():
    layer = DenseFlipout(3, kernel_divergence_fn=None)
    layer.build((None, 8))
    assert float(layer.kl()) == 0.0


def test_sampled_dropout_in_front_of_a_dense_layer_on_sequences():
    layers = [MonteCarloDropout(0.5, True), DeterministicDense(8), tf_keras.layers.Flatten(), DeterministicDense(3)]
    network = start(Network(layers, (4, 2)))
    p = PosteriorPredictive(network, 3).probabilities(INPUTS.reshape(5, 4, 2), 7)
    assert p.shape == (3, 5, 3) and np.ptp(p, axis=0).max() > 0
    draws = network.draw(make_seed(2))
    expected = network.stack[1](INPUTS.reshape(5, 4, 2) * draws[0])
    expected = network.stack[3](tf.reshape(expected, (5, -1)))
    np.testing.assert_allclose(network.apply_draw((INPUTS.reshape(5, 4, 2),), draws), expected, rtol=1e-5, atol=1e-5)


def test_a_copied_layer_keeps_the_weight_of_its_kl():
    layer = Convolution2DFlipout(2, 3, kl_weight=1e-3, name="a")
    assert type(layer).from_config(layer.get_config()).kl_weight == 1e-3
