"""The Bayesian layers: moments, KL, independence, starts, and life as plain Keras layers."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from bayes_layers.layers import Convolution2DFlipout, DenseFlipout
from bayes_layers.layers.randomness import fold_in, make_seed
from tests.layers.over_seeds import over_seeds

tfd = tfp.distributions
S = 4000


def dense(units=3, inputs=5, **arguments):
    layer = DenseFlipout(units, mu_init=-1.0, **arguments)
    layer.build((None, inputs))
    return layer


def convolution(**arguments):
    layer = Convolution2DFlipout(3, 2, mu_init=-1.0, **arguments)
    layer.build((None, 4, 4, 2))
    return layer


def inputs_for(layer, batch=2):
    shape = (batch, 5) if isinstance(layer, DenseFlipout) else (batch, 4, 4, 2)
    return tf.constant(np.random.default_rng(0).normal(size=shape), tf.float32)


def calls(layer, x, count=S):
    """`[count, ...]`: the layer's outputs for x in calls with different seeds."""
    return over_seeds(lambda seed: layer(x, seed=seed), 11, count)


def expected_moments(layer, x):
    mean = layer._linear(x, layer.kernel_loc) + layer._bias(make_seed(0))
    return mean.numpy(), layer._linear(x**2, layer.kernel_scale**2).numpy()


@pytest.mark.parametrize("make", [dense, convolution])
def test_moments_of_one_row_over_many_calls(make):
    layer = make()
    x = inputs_for(layer, 1)
    y = calls(layer, x)
    mean, variance = expected_moments(layer, x)
    np.testing.assert_array_less(np.abs(y.mean(0) - mean), 5 * np.sqrt(variance / S))
    np.testing.assert_array_less(np.abs(y.var(0) / variance - 1), 5 * np.sqrt(2 / S))


@pytest.mark.parametrize("make", [dense, convolution])
def test_moments_of_weight_draws(make):
    layer = make()
    deviations = over_seeds(lambda seed: layer.draw(seed)[0], 5, 1000)
    scale = layer.kernel_scale.numpy()
    np.testing.assert_array_less(np.abs(deviations.mean(0)), 5 * scale / np.sqrt(1000))
    np.testing.assert_array_less(np.abs(deviations.var(0) / scale**2 - 1), 5 * np.sqrt(2 / 1000))
    x = inputs_for(layer, 3)
    kernel = layer.kernel_loc + deviations[0]
    expected = layer._linear(x, kernel) + layer._bias(make_seed(0))
    np.testing.assert_allclose(layer.apply_draw(x, layer.draw(make_seed(5, 0))), expected, atol=1e-6)


def test_rows_of_a_call_are_uncorrelated():
    layer = dense()
    x = tf.repeat(inputs_for(layer, 1), 2, axis=0)  # the same input twice
    y = calls(layer, x)
    for unit in range(3):
        assert abs(np.corrcoef(y[:, 0, unit], y[:, 1, unit])[0, 1]) < 5 / np.sqrt(S)


def test_a_shared_draw_gives_all_rows_the_same_network():
    layer = dense()
    x = tf.repeat(inputs_for(layer, 1), 2, axis=0)
    y = layer.apply_draw(x, layer.draw(make_seed(1))).numpy()
    np.testing.assert_array_equal(y[0], y[1])


def test_all_positions_of_an_example_see_the_same_weights():
    """Signs per (example, channel), not per pixel: a constant image gives constant feature maps."""
    layer = convolution()
    y = layer(tf.ones([3, 4, 4, 2]), seed=make_seed(1)).numpy()
    np.testing.assert_allclose(y, np.broadcast_to(y[:, :1, :1], y.shape), atol=1e-6)
    assert np.abs(y[0] - y[1]).max() > 1e-3


def test_dense_on_sequences_shares_an_examples_weights_along_the_sequence():
    layer = dense()
    y = layer(tf.ones([2, 7, 5]), seed=make_seed(1)).numpy()
    np.testing.assert_allclose(y, np.broadcast_to(y[:, :1], y.shape), atol=1e-6)


@pytest.mark.parametrize("make", [dense, convolution])
def test_without_variance_it_is_the_plain_keras_layer(make):
    layer = make(activation="relu")
    layer.kernel_posterior.distribution.scale.pretransformed_input.assign(tf.fill(layer.kernel_loc.shape, -90.0))
    x = inputs_for(layer)
    if make is dense:
        plain = tf_keras.layers.Dense(3, activation="relu")
    else:
        plain = tf_keras.layers.Conv2D(3, 2, activation="relu")
    plain.build(x.shape)
    plain.set_weights([layer.kernel_loc.numpy(), layer._bias(make_seed(0)).numpy()])
    np.testing.assert_allclose(layer(x, seed=make_seed(1)), plain(x), atol=1e-6)
    np.testing.assert_allclose(layer.apply_draw(x, layer.draw(make_seed(1))), plain(x), atol=1e-6)


def numpy_kl(mu, sigma, prior_mu, prior_sigma):
    return np.sum(np.log(prior_sigma / sigma) + (sigma**2 + (mu - prior_mu) ** 2) / (2 * prior_sigma**2) - 0.5)


@pytest.mark.parametrize("make", [dense, convolution])
def test_kl_is_the_closed_form_from_posterior_to_prior(make):
    def prior(dtype, shape, name, trainable, add_variable_fn):
        return tfd.Independent(tfd.Normal(tf.fill(shape, 0.3), tf.fill(shape, 2.0)), len(shape))

    for layer, prior_mu, prior_sigma in ((make(), 0.0, 1.0), (make(kernel_prior_fn=prior), 0.3, 2.0)):
        mu = layer.kernel_loc.numpy().astype(np.float64)
        sigma = layer.kernel_scale.numpy().astype(np.float64)
        expected = numpy_kl(mu, sigma, prior_mu, prior_sigma)
        reverse = numpy_kl(np.full_like(mu, prior_mu), np.full_like(mu, prior_sigma), mu, sigma)
        assert abs(float(layer.kl()) / expected - 1) < 1e-5
        assert abs(reverse / expected - 1) > 0.1  # the other direction is another number
        layer(inputs_for(layer), seed=make_seed(0))
        assert layer.losses == []  # with a seed, the caller takes kl()
        layer(inputs_for(layer))
        np.testing.assert_allclose(sum(layer.losses), layer.kl(), rtol=1e-6)


def test_standard_deviation_is_softplus_of_rho():
    layer = DenseFlipout(200, mu_init=-3.0, sigma_init=0.1)
    layer.build((None, 300))
    rho = layer.kernel_posterior.distribution.scale.pretransformed_input.numpy()
    assert abs(rho.mean() + 3) < 0.002 and abs(rho.std() - 0.1) < 0.002
    np.testing.assert_allclose(layer.kernel_scale, np.log1p(np.exp(rho.astype(np.float64))), rtol=1e-6)
    assert abs(layer.kernel_loc.numpy().std() - 0.1) < 0.002


def test_a_very_narrow_posterior_keeps_its_standard_deviation():
    layer = DenseFlipout(50, mu_init=-11.0, sigma_init=0.0)
    layer.build((None, 50))
    np.testing.assert_allclose(layer.kernel_scale, np.log1p(np.exp(-11.0)), rtol=1e-5)


def test_glorot_means():
    layer = DenseFlipout(200, loc_init="glorot")
    layer.build((None, 300))
    limit = np.sqrt(6 / 500)
    mu = layer.kernel_loc.numpy()
    assert np.abs(mu).max() <= limit and abs(mu.std() / (limit / np.sqrt(3)) - 1) < 0.02
    np.testing.assert_array_equal(layer._bias(None), np.zeros(200))


def test_layers_and_seeds_start_differently():
    first, second = dense(), dense()
    assert np.abs(first.kernel_loc.numpy() - second.kernel_loc.numpy()).min() > 0
    tf_keras.utils.set_random_seed(1)
    again = dense().kernel_loc.numpy()
    tf_keras.utils.set_random_seed(1)
    np.testing.assert_array_equal(dense().kernel_loc, again)
    tf_keras.utils.set_random_seed(2)
    assert np.abs(dense().kernel_loc.numpy() - again).min() > 0


def test_initial_values_follow_from_the_seed():
    layer = dense()
    one, same, other = (layer.initial_values(make_seed(k)) for k in (1, 1, 2))
    for a, b, c in zip(one, same, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.abs(a.numpy() - c.numpy()).min() > 0


def test_variational_bias_has_a_posterior_and_a_kl():
    point, variational = dense(), dense(variational_bias=True)
    assert len(point.trainable_weights) == 3 and len(variational.trainable_weights) == 4
    bias = variational.bias_posterior.distribution
    expected = numpy_kl(bias.loc.numpy(), tf.convert_to_tensor(bias.scale).numpy(), 0.0, 1.0)
    kernel = numpy_kl(variational.kernel_loc.numpy(), variational.kernel_scale.numpy(), 0.0, 1.0)
    assert abs(float(variational.kl()) / (kernel + expected) - 1) < 1e-5
    draws = over_seeds(lambda seed: variational.draw(seed)[1], 0, 1000)
    np.testing.assert_array_less(np.abs(draws.std(0) / tf.convert_to_tensor(bias.scale).numpy() - 1), 5 / np.sqrt(2000))


@pytest.mark.parametrize("make", [dense, convolution])
def test_same_outputs_with_and_without_xla(make):
    layer = make()
    x = inputs_for(layer)
    compiled = tf.function(lambda seed: layer(x, seed=seed), jit_compile=True)
    np.testing.assert_allclose(layer(x, seed=make_seed(3)), compiled(make_seed(3)), atol=1e-5)


def test_without_a_seed_every_call_differs_and_a_layers_seed_repeats_them():
    x = tf.ones([1, 5])
    layer = dense(seed=4)
    first, second = layer(x).numpy(), layer(x).numpy()
    assert np.abs(first - second).min() > 0
    twin = dense(seed=4)
    twin.set_weights(layer.get_weights())
    twin._own_calls.assign(0)
    np.testing.assert_array_equal(twin(x), first)


def test_gradients_vary_less_than_with_one_shared_draw():
    layer = dense(units=1)
    rng = np.random.default_rng(0)
    x, y = tf.constant(rng.normal(size=(64, 5)), tf.float32), tf.constant(rng.normal(size=(64, 1)), tf.float32)

    def gradients(seed):
        with tf.GradientTape(persistent=True) as tape:
            flipout = tf.reduce_mean((layer(x, seed=seed) - y) ** 2)
            shared = tf.reduce_mean((layer.apply_draw(x, layer.draw(seed)) - y) ** 2)
        loc = layer.trainable_weights[0]
        return tape.gradient(flipout, loc), tape.gradient(shared, loc)

    ours, shared = over_seeds(gradients, 0, 500)
    np.testing.assert_allclose(ours.mean(0), shared.mean(0), atol=5 * shared.std(0).max() / np.sqrt(500))
    assert ours.var(0).sum() < 0.2 * shared.var(0).sum()


def test_plain_keras_compile_and_fit():
    tf_keras.utils.set_random_seed(0)
    model = tf_keras.Sequential(
        [Convolution2DFlipout(4, 2, activation="relu"), tf_keras.layers.Flatten(), DenseFlipout(2)]
    )
    x = np.random.default_rng(0).normal(size=(64, 4, 4, 1)).astype(np.float32)
    y = (x.mean((1, 2, 3)) > 0).astype(np.int64)
    model.compile("adam", tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = model.fit(x, y, epochs=3, verbose=0).history["loss"]
    kl = sum(float(layer.kl()) for layer in model.layers if hasattr(layer, "kl"))
    assert losses[2] < losses[0]
    assert kl < losses[2] < kl + 20  # the raw KL, a sum, is in the loss once


@pytest.mark.parametrize("make", [dense, convolution])
def test_configuration_round_trip(make):
    layer = make(activation="relu", loc_init="glorot", seed=3)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    with pytest.raises(NotImplementedError, match="kernel_prior_fn"):
        make(kernel_prior_fn=tfp.layers.default_multivariate_normal_fn).get_config()
    without = make(kernel_prior_fn=None, bias_posterior_fn=None)
    again = type(without).from_config(without.get_config())
    assert again.get_config() == without.get_config() and again.prior is None and float(without.kl()) == 0.0


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"loc_init='zeros'.*tfp, glorot or normal"):
        dense(loc_init="zeros")
    with pytest.raises(ValueError, match="channels_last"):
        convolution(data_format="channels_first")
    with pytest.raises(TypeError, match=r"tfd.Independent\(tfd.Normal\)"):
        dense(kernel_posterior_fn=tfp.layers.default_mean_field_normal_fn(is_singular=True))
    with pytest.raises(ValueError, match="cannot be drawn anew"):
        dense(kernel_prior_fn=tfp.layers.default_multivariate_normal_fn).initial_values(fold_in(make_seed(0), 0))
