"""Reduced precision: what is rounded, what is not, and pooling before bias and activation."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from bayes_layers import Network, build_network
from bayes_layers.config import NetworkSettings
from bayes_layers.layers import (
    Convolution2DFlipout,
    DenseFlipout,
    DeterministicConvolution2D,
    DeterministicDense,
    products,
)
from bayes_layers.layers.randomness import make_seed
from bayes_layers.models import network as network_module
from bayes_layers.models.architectures import ARCHITECTURES

RNG = np.random.default_rng(0)


def rounded(x):
    return tf.cast(tf.cast(x, tf.bfloat16), tf.float64).numpy()


def test_a_product_rounds_its_factors_and_its_result():
    layer = DeterministicDense(7)
    layer.build((None, 200))
    x = RNG.normal(size=(5, 200)).astype(np.float32)
    np.testing.assert_array_equal(layer(x), x @ layer.kernel)
    layer.precision = "bfloat16"
    y = layer(x)
    assert y.dtype == tf.float32
    exact = rounded(x) @ rounded(layer.kernel)
    np.testing.assert_allclose(y, exact, rtol=2**-8, atol=1e-6)
    np.testing.assert_array_equal(y, rounded(y))


CONVOLUTIONS = [Convolution2DFlipout(8, 3, padding=padding) for padding in ("same", "valid")]


@pytest.mark.parametrize("layer, shape", [(DenseFlipout(30), (16, 200)), *[(c, (16, 9, 9, 16)) for c in CONVOLUTIONS]])
def test_without_instructions_products_and_gradients_are_rounded_once(layer, shape, monkeypatch):
    """In TensorFlow's own bfloat16 kernels of such a processor results are cut off, and sums of gradients rounded."""
    monkeypatch.setattr(products, "multiplies_bfloat16", lambda: False)
    layer.build((None, *shape[1:]))
    layer.precision = "bfloat16"
    rng = np.random.default_rng(0)
    factors = rng.normal(size=shape), rng.normal(size=layer.kernel_loc.shape)

    def value_and_gradients(product, factors):
        with tf.GradientTape() as tape:
            tape.watch(factors)
            outputs = product(*factors)
        upstream = rounded(np.random.default_rng(1).normal(size=outputs.shape))  # the same for both
        return outputs, *tape.gradient(outputs, factors, output_gradients=tf.cast(upstream, outputs.dtype))

    exact = value_and_gradients(layer._product, [tf.constant(rounded(x)) for x in factors])
    found = value_and_gradients(layer._linear, [tf.constant(x, tf.float32) for x in factors])
    assert found[0].dtype == tf.bfloat16
    for one, other in zip(exact, found, strict=True):
        error = tf.cast(other, tf.float64).numpy() - one.numpy()
        np.testing.assert_array_less(np.abs(error), 2**-8 * np.abs(one) + 1e-5 * np.abs(one).max())
        assert abs(np.sum(error * np.sign(one))) < 5e-4 * np.sum(np.abs(one))  # cut off, it is 28e-4


def test_thin_products_and_logits_stay_float32():
    network = build_network(NetworkSettings(arch="BNN"))
    network.precision = "bfloat16"
    layers = {layer.name: layer for layer in network.bayesian_layers}
    dtypes = {name: layer.product_dtype(layer.kernel_loc) for name, layer in layers.items()}
    wanted = {"Conv1": tf.float32, "Conv2": tf.bfloat16, "Dense1": tf.bfloat16, "Dense2": tf.float32}
    assert dtypes == wanted
    logits = network(RNG.random((4, 28, 28, 1), np.float32), training=True, seed=make_seed(1))
    assert logits.dtype == tf.float32 and np.abs(logits - rounded(logits)).max() > 0
    with pytest.raises(ValueError, match="float32 or bfloat16"):
        network.precision = "float16"


@pytest.mark.parametrize("kind", ["dense", "convolution"])
def test_narrow_posteriors_keep_their_draws(kind):
    """At mu_init = -11 two draws of a rounded kernel would mostly agree; the deviations are multiplied apart."""
    is_dense = kind == "dense"
    make = (DenseFlipout, 16) if is_dense else (Convolution2DFlipout, 16, 4)
    layer = make[0](*make[1:], mu_init=-11.0)
    shape = (3, 256) if is_dense else (3, 6, 6, 16)
    layer.build((None, *shape[1:]))
    x = tf.constant(RNG.normal(size=shape), tf.float32)

    def difference(precision):
        layer.precision = precision
        mean = layer.mean_outputs(x)
        outputs = [
            layer.apply_draw(x, layer.draw(make_seed(7, t)), None if precision == "float32" else mean) for t in range(2)
        ]
        return (outputs[0] - outputs[1]).numpy()

    exact, low = difference("float32"), difference("bfloat16")
    assert np.abs(exact).max() > 0
    np.testing.assert_allclose(low, exact, atol=0.02 * np.abs(exact).max())


@pytest.mark.parametrize("has_amx", [False, True])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_both_precisions_agree_within_rounding(arch, has_amx, monkeypatch):
    monkeypatch.setattr(network_module, "has_matrix_units", lambda: has_amx)
    network = build_network(NetworkSettings(arch=arch))
    network.assign(network.initial_values(make_seed(1)))
    x = RNG.random((4, 28, 28, 1), np.float32)
    outputs = {}
    for precision in ("float32", "bfloat16"):
        network.precision = precision
        features = network.features(x)
        outputs[precision] = [
            network(x, training=True, seed=make_seed(4)).numpy(),
            network.sampled_logits(features, make_seed(3)).numpy(),
            network.sampled_logits(features, make_seed(3), "image").numpy(),
        ]
    for exact, low in zip(*outputs.values(), strict=True):
        np.testing.assert_allclose(low, exact, atol=0.02 * np.abs(exact).max())


def test_behind_the_first_stochastic_layer_one_product_is_float32_without_matrix_units(monkeypatch):
    network = build_network(NetworkSettings(arch="BNN-3"))
    network.precision = "bfloat16"
    for has_amx, dtype in ((False, tf.float32), (True, tf.bfloat16)):
        monkeypatch.setattr(network_module, "has_matrix_units", lambda has_amx=has_amx: has_amx)
        (conv2, _), (dense1, _), (dense2, _) = network.draw(make_seed(1))
        assert (conv2.dtype, dense1.dtype, dense2.dtype) == (tf.bfloat16, dtype, tf.float32)


def test_pooling_first_changes_no_value_and_no_gradient():
    plain = [tf_keras.layers.Conv2D(4, 3, activation="relu"), tf_keras.layers.MaxPooling2D(2)]
    reference = tf_keras.Sequential([*plain, tf_keras.layers.Flatten(), tf_keras.layers.Dense(3)])
    reference.build((None, 8, 8, 2))
    layers = [DeterministicConvolution2D(4, 3, activation="relu", name="a"), tf_keras.layers.MaxPooling2D(2)]
    network = Network([*layers, tf_keras.layers.Flatten(), DeterministicDense(3, name="b")], (8, 8, 2))
    network.assign(reference.get_weights())
    x = tf.constant(RNG.normal(size=(5, 8, 8, 2)), tf.float32)
    assert network._after(0) == 2
    results = []
    for model in (reference, network):
        with tf.GradientTape() as tape:
            y = model(x)
            loss = tf.reduce_sum(y**2)
        results.append([y, *tape.gradient(loss, model.trainable_weights)])
    for one, two in zip(*results, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-5)
    layers[0].activation = tf.math.sin  # not monotone: pooled afterwards
    assert network._after(0) == 1


def test_a_shared_dropout_mask_scales_the_kernel_instead():
    network = build_network(NetworkSettings(arch="BNN-2", test_dropout="true"))
    features = network.features(RNG.random((3, 28, 28, 1), np.float32))
    draws = network.draw(make_seed(2))
    first, dense1, second, dense2 = draws
    stack = {layer.name: layer for layer in network.stack}
    hidden = stack["Dense1"].apply_draw(features[0] * first, dense1)
    expected = stack["Dense2"].apply_draw(hidden * second, dense2)
    np.testing.assert_allclose(network.apply_draw(features, draws), expected, rtol=1e-4, atol=1e-5)
