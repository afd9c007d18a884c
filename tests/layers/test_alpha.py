"""sigma^2 = alpha mu^2: where it starts, how its gradients flow, and convolutions by local reparameterisation."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from bayes_layers.layers import (
    Convolution2DFlipout,
    Convolution2DLocalReparameterization,
    DenseFlipout,
    DenseLocalReparameterization,
    posteriors,
)
from bayes_layers.layers.randomness import make_seed
from tests.layers.over_seeds import over_seeds

S = 4000


def dense(kind=DenseLocalReparameterization, units=50, **arguments):
    layer = kind(units, **{"variance": "alpha", "loc_init": "glorot", "mu_init": -2.0, "sigma_init": 0.0, **arguments})
    layer.build((None, 40))
    return layer


def convolution(kind=Convolution2DLocalReparameterization, **arguments):
    layer = kind(3, 2, mu_init=-1.0, strides=2, padding="same", **arguments)
    layer.build((None, 5, 5, 2))
    return layer


def image(batch=1):
    return tf.constant(np.random.default_rng(0).normal(size=(batch, 5, 5, 2)), tf.float32)


def test_the_variance_is_alpha_times_the_squared_mean():
    layer = dense()
    log_alpha, loc = layer.kernel_posterior.distribution.scale.pretransformed_input, layer.kernel_loc
    assert "log_alpha" in log_alpha.name and log_alpha.shape == loc.shape
    log_alpha.assign(tf.random.stateless_normal(loc.shape, [1, 2]))
    np.testing.assert_allclose(layer.kernel_scale**2, tf.exp(log_alpha) * loc**2, rtol=1e-5)


@pytest.mark.parametrize("loc_init", ["tfp", "glorot"])
def test_means_start_away_from_zero_and_the_mean_variance_is_that_of_softplus(loc_init):
    alpha, softplus = dense(loc_init=loc_init), dense(loc_init=loc_init, variance="softplus")
    size = float(np.sqrt(posteriors.loc_initializer(loc_init).mean_square(alpha.kernel_loc.shape)))
    for layer in (alpha, softplus):
        for weight, value in zip(layer.trainable_weights, layer.initial_values(make_seed(3)), strict=True):
            weight.assign(value)
    means = alpha.kernel_loc.numpy()
    assert np.abs(means).min() == pytest.approx(0.1 * size) and (means < 0).any() and (means > 0).any()
    far = np.abs(means) > 0.11 * size  # the others are the same numbers
    np.testing.assert_array_equal(means[far], softplus.kernel_loc.numpy()[far])
    ratio = np.mean(alpha.kernel_scale.numpy() ** 2) / np.mean(softplus.kernel_scale.numpy() ** 2)
    assert ratio == pytest.approx(1, rel=0.1)
    assert np.log(softplus.kernel_scale.numpy()).std() < 1e-5 < np.log(alpha.kernel_scale.numpy()).std()


def test_the_gradient_passes_through_the_mean_as_well():
    """d sigma / d mu = sqrt(alpha) sign(mu); a mean of 0 has no variance, and no gradient that is not finite."""
    layer = dense(units=1)
    layer.kernel_loc.assign(tf.constant(np.linspace(-1, 1, 41)[1:, None], tf.float32))  # one of them is 0
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer.kernel_scale)
    gradient = tape.gradient(total, layer.kernel_loc).numpy()
    alpha = np.exp(layer.kernel_posterior.distribution.scale.pretransformed_input.numpy())
    np.testing.assert_allclose(gradient, np.sqrt(alpha) * np.sign(layer.kernel_loc.numpy()), rtol=1e-5)
    x = tf.ones([2, 40])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x, seed=make_seed(0))) + layer.kl()
    assert all(np.isfinite(g).all() for g in tape.gradient(loss, layer.trainable_weights))


@pytest.mark.parametrize("make", [dense, lambda **a: convolution(variance="alpha", **a)])
def test_kl_is_the_closed_form(make):
    layer = make()
    mu, sigma = layer.kernel_loc.numpy().astype(float), layer.kernel_scale.numpy().astype(float)
    expected = np.sum(-np.log(sigma) + (sigma**2 + mu**2) / 2 - 0.5)
    assert float(layer.kl()) == pytest.approx(expected, rel=1e-5)


def test_another_name_is_refused():
    with pytest.raises(ValueError, match="variance='sigma' is not valid: it takes softplus or alpha"):
        DenseFlipout(3, variance="sigma")


@pytest.mark.parametrize("variance", ["softplus", "alpha"])
def test_moments_of_the_convolution(variance):
    """Against the closed form and against Flipout; positions are independent, where Flipout's share their weights."""
    layer, flipout = (convolution(kind, variance=variance) for kind in
                      (Convolution2DLocalReparameterization, Convolution2DFlipout))  # fmt: skip
    flipout.set_weights(layer.get_weights())
    x = image()
    y = layer(tf.repeat(x, S, axis=0), seed=make_seed(3)).numpy()
    mean = (layer._linear(x, layer.kernel_loc) + layer._bias(make_seed(0))).numpy()[0]
    deviation = tf.sqrt(layer._linear(x**2, layer.kernel_scale**2)).numpy()[0]
    np.testing.assert_array_less(np.abs(y.mean(0) - mean), 5 * deviation / np.sqrt(S))
    np.testing.assert_array_less(np.abs(y.var(0) / deviation**2 - 1), 5 * np.sqrt(2 / S))
    theirs = over_seeds(lambda seed: flipout(x, seed=seed)[0], 4, S)
    np.testing.assert_array_less(np.abs(theirs.mean(0) - y.mean(0)), 7 * deviation / np.sqrt(S))
    np.testing.assert_array_less(np.abs(theirs.var(0) / y.var(0) - 1), 7 * np.sqrt(2 / S))
    ours = np.corrcoef(y.reshape(S, -1).T) - np.eye(27)
    assert np.abs(ours).max() < 5 / np.sqrt(S)


def test_weight_draws_of_the_convolution_are_those_of_flipout():
    layer, flipout = convolution(), convolution(Convolution2DFlipout)
    flipout.set_weights(layer.get_weights())
    x = image(4)
    ours, theirs = (one.apply_draw(x, one.draw(make_seed(1))) for one in (layer, flipout))
    np.testing.assert_array_equal(ours, theirs)


def test_without_variance_it_is_the_plain_convolution():
    layer = convolution(activation="softplus")
    layer.kernel_posterior.distribution.scale.pretransformed_input.assign(tf.fill(layer.kernel_loc.shape, -90.0))
    plain = tf_keras.layers.Conv2D(3, 2, strides=2, padding="same", activation="softplus")
    plain.build((None, 5, 5, 2))
    plain.set_weights([layer.kernel_loc.numpy(), layer._bias(make_seed(0)).numpy()])
    np.testing.assert_allclose(layer(image(), seed=make_seed(1)), plain(image()), atol=1e-6)


def test_configuration_plain_fit_and_black_images():
    layers = [
        Convolution2DLocalReparameterization(4, 3, activation="softplus", variance="alpha", seed=1),
        tf_keras.layers.Flatten(),
        DenseLocalReparameterization(2, variance="alpha"),
    ]
    model = tf_keras.Sequential(layers)
    model.compile("adam", "mse")
    x = np.concatenate([image(8).numpy(), np.zeros([8, 5, 5, 2], np.float32)])
    history = model.fit(x, np.ones([16, 2], np.float32), epochs=2, verbose=0).history["loss"]
    assert np.isfinite(history).all()
    twin = Convolution2DLocalReparameterization.from_config(layers[0].get_config())
    assert twin.get_config() == layers[0].get_config() and twin.get_config()["variance"] == "alpha"


def test_two_layers_start_apart_and_a_seed_starts_them_again():
    first, second = dense(), dense()
    assert not np.array_equal(first.kernel_loc, second.kernel_loc)
    once, again, other = (first.initial_values(make_seed(seed)) for seed in (1, 1, 2))
    for a, b, c in zip(once[:1], again, other, strict=False):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)
