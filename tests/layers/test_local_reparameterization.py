"""Dense layers by local reparameterisation: moments, independence, gradients, against Flipout."""

import numpy as np
import tensorflow as tf
import tf_keras

from bayes_layers.layers import DenseFlipout, DenseLocalReparameterization
from bayes_layers.layers.randomness import make_seed
from tests.layers.over_seeds import over_seeds

S = 4000


def layer_of(kind=DenseLocalReparameterization, units=3, inputs=5, **arguments):
    layer = kind(units, mu_init=-1.0, **arguments)
    layer.build((None, inputs))
    return layer


def inputs_of(batch, size=5):
    return tf.constant(np.random.default_rng(0).normal(size=(batch, size)), tf.float32)


def test_moments_in_one_batched_call():
    layer = layer_of()
    x = inputs_of(1)
    y = layer(tf.repeat(x, S, axis=0), seed=make_seed(3)).numpy()
    mean = (x @ layer.kernel_loc + layer._bias(make_seed(0))).numpy()[0]
    variance = (x**2 @ layer.kernel_scale**2).numpy()[0]
    np.testing.assert_array_less(np.abs(y.mean(0) - mean), 5 * np.sqrt(variance / S))
    np.testing.assert_array_less(np.abs(y.var(0) / variance - 1), 5 * np.sqrt(2 / S))
    correlations = np.corrcoef(np.concatenate([y[:-1], y[1:]], axis=1).T) - np.eye(6)
    assert np.abs(correlations).max() < 5 / np.sqrt(S)  # units and rows are independent


def test_one_draw_for_all_inputs_is_that_of_flipout():
    layer, flipout = layer_of(), layer_of(DenseFlipout)
    flipout.set_weights(layer.get_weights())
    x = inputs_of(4)
    draw = layer.draw(make_seed(1))
    np.testing.assert_array_equal(layer.apply_draw(x, draw), flipout.apply_draw(x, flipout.draw(make_seed(1))))
    assert float(layer.kl()) == float(flipout.kl())


def test_the_gradient_varies_less_than_with_flipout():
    """The gradient by the means differs in its noise only; flipout's examples share |dW|."""
    x, y = inputs_of(64), tf.constant(np.random.default_rng(1).normal(size=(64, 1)), tf.float32)
    samples = {}
    start = layer_of(units=1).get_weights()
    for kind in (DenseLocalReparameterization, DenseFlipout):
        layer = layer_of(kind, units=1)
        layer.set_weights(start)

        def gradient(seed, layer=layer):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((layer(x, seed=seed) - y) ** 2)
            return tape.gradient(loss, layer.trainable_weights[1])

        samples[kind] = over_seeds(gradient, 0, 1000)
    ours, theirs = samples.values()
    error = np.sqrt((ours.var(0) + theirs.var(0)) / 1000)
    np.testing.assert_array_less(np.abs(ours.mean(0) - theirs.mean(0)), 5 * error)
    assert ours.var(0).sum() < theirs.var(0).sum()


def test_inputs_of_zero_have_a_finite_gradient():
    layer = layer_of()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(tf.zeros([2, 5]), seed=make_seed(0)) ** 2)
    assert all(np.isfinite(g).all() for g in tape.gradient(loss, layer.trainable_weights))


def test_configuration_and_plain_fit():
    model = tf_keras.Sequential([DenseLocalReparameterization(4, activation="relu", seed=1), tf_keras.layers.Dense(1)])
    model.compile("adam", "mse")
    x = inputs_of(32)
    losses = model.fit(x, x[:, :1], epochs=2, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    twin = DenseLocalReparameterization.from_config(model.layers[0].get_config())
    assert twin.get_config() == model.layers[0].get_config()
