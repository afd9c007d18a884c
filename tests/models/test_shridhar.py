"""LeNet-5, AlexNet and AlexNetHalf: shapes, weights, dropout, variants, saving, and what is refused."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from bayes_layers import PosteriorPredictive, build_network, load_network
from bayes_layers.config import NetworkSettings
from bayes_layers.layers import Convolution2DFlipout, Convolution2DLocalReparameterization, DenseFlipout
from bayes_layers.layers.randomness import make_seed
from bayes_layers.processor import resolve_precision
from bayes_layers.settings import SettingError

# kernels and biases of Tables 11, 12 and 5 with the output layer for 10 classes, on 32x32 colour images
LENET5 = (5 * 5 * 3 * 6 + 6) + (5 * 5 * 6 * 16 + 16) + (400 * 120 + 120) + (120 * 84 + 84) + (84 * 10 + 10)


def alexnet(widths, units, channels=3, classes=10):
    sizes, inputs, count = (11, 5, 3, 3, 3), channels, 0
    for size, width in zip(sizes, widths, strict=True):
        count, inputs = count + size * size * inputs * width + width, width
    return count + (inputs * units + units) + (units * classes + classes)


COUNTS = {
    "lenet5": LENET5,
    "alexnet": alexnet((64, 192, 384, 256, 128), 128),
    "alexnet_half": alexnet((32, 96, 192, 128, 64), 64),
}
SIZES = {"lenet5": [28, 14, 10, 5], "alexnet": [8, 4, 4, 2, 2, 2, 2, 1]}


def network_of(arch="lenet5", shape=(32, 32, 3), classes=10, **settings):
    return build_network(NetworkSettings(arch=arch, **settings), shape, classes)


def count(network):
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)


def sizes(network):
    """Height of the feature maps behind each convolution and pool."""
    shape, found = (1, *network.one_input_shape), []
    for layer in network.stack:
        shape = layer.compute_output_shape(shape)
        if layer.name.startswith(("Conv", "Pool")):
            found.append(shape[1])
    return found


@pytest.mark.parametrize("arch", COUNTS)
def test_the_tables(arch):
    frequentist, variational = network_of(arch, inference="frequentist"), network_of(arch)
    biases = sum(int(w.shape[0]) for w in frequentist.trainable_weights if w.shape.rank == 1)
    assert count(frequentist) == COUNTS[arch]
    assert count(variational) == 2 * COUNTS[arch] - biases  # the biases are point estimates
    assert sizes(frequentist) == SIZES[arch.removesuffix("_half")]
    hidden = [layer for layer in frequentist.stack if getattr(layer, "activation", None) is not None]
    assert {layer.activation for layer in hidden[:-1]} == {tf_keras.activations.softplus}
    assert all(isinstance(layer, Convolution2DLocalReparameterization) for layer in variational.bayesian_layers[:2])
    assert not frequentist.is_stochastic and variational.bayesian_layers[-1].name == hidden[-1].name


def test_mnist_gets_a_border():
    network = network_of(shape=(28, 28, 1), inference="frequentist")
    border = network.stack[0](tf.ones([1, 28, 28, 1])).numpy()[0, :, :, 0]
    assert border.shape == (32, 32) and border.sum() == 28 * 28 and border[2:30, 2:30].all()
    assert count(network) == LENET5 - 2 * 5 * 5 * 6
    with pytest.raises(ValueError, match="images are at most 32x32, these are 33x32"):
        network_of(shape=(33, 32, 3))


@pytest.mark.parametrize(
    ("arch", "layers", "behind"),
    [
        ("alexnet_half", "0", []),
        ("alexnet_half", "1", ["Dense1"]),
        ("alexnet_half", "3", ["Pool1", "Conv4", "Dense1"]),
        ("lenet5", "1", ["Dense2"]),
        ("lenet5", "3", ["Pool1", "Dense1", "Dense2"]),
        ("lenet5", "all", ["Pool1", "Pool2", "Dense1", "Dense2"]),
    ],
)
def test_where_dropout_is(arch, layers, behind):
    for inference in ("frequentist", "dropout"):
        network = network_of(arch, inference=inference, dropout_layers=layers)
        names = [layer.name for layer in network.stack]
        found = [names[i - 1] for i, name in enumerate(names) if name.startswith("Dropout")]
        assert found == behind
        assert network.is_stochastic == (inference == "dropout" and layers != "0")


def test_auto_dropout_and_weight_init():
    assert len([layer for layer in network_of(inference="dropout").stack if "Dropout" in layer.name]) == 4
    assert not [layer for layer in network_of(inference="frequentist").stack if "Dropout" in layer.name]
    normal = network_of(inference="frequentist", weight_init="normal")
    values = normal.initial_values(make_seed(1))
    assert float(tf.math.reduce_std(values[4])) == pytest.approx(1, rel=0.02)
    assert float(tf.math.reduce_std(network_of(inference="frequentist").initial_values(make_seed(1))[4])) < 0.1


def test_estimators():
    assert NetworkSettings(arch="lenet5").noise_estimator == "local_reparameterization_all"
    assert NetworkSettings(estimator="flipout").is_estimator_usual and NetworkSettings().noise_estimator == "flipout"
    kept = NetworkSettings(estimator="flipout").replace(arch="lenet5")  # what was asked for stays so for all networks
    assert kept.noise_estimator == "flipout" and not kept.is_estimator_usual
    mixed = network_of(estimator="local_reparameterization")
    assert isinstance(mixed.bayesian_layers[0], Convolution2DFlipout)
    assert isinstance(network_of(estimator="flipout").bayesian_layers[-1], DenseFlipout)
    zeng = build_network(NetworkSettings(arch="BNN", estimator="local_reparameterization_all"))
    assert isinstance(zeng.bayesian_layers[0], Convolution2DLocalReparameterization)
    zeng = build_network(NetworkSettings(arch="BNN", estimator="local_reparameterization"))
    assert isinstance(zeng.bayesian_layers[0], Convolution2DFlipout)


def test_precision_follows_the_posterior(monkeypatch):
    monkeypatch.setattr("bayes_layers.processor.has_bfloat16", lambda: True)
    monkeypatch.setattr("bayes_layers.processor.has_gpu", lambda: False)
    narrow = NetworkSettings(arch="lenet5", mu_init=-9)
    assert resolve_precision("auto", narrow) == "float32"
    assert resolve_precision("auto", narrow.replace(inference="frequentist")) == "bfloat16"


@pytest.mark.parametrize("settings", [{"variance": "alpha"}, {"inference": "dropout"}])
def test_saved_and_loaded_it_predicts_the_same(settings, tmp_path):
    network = network_of("lenet5", (28, 28, 1), **settings)
    network.assign(network.initial_values(make_seed(2)))
    network.save(tmp_path / "network.npz")
    loaded = load_network(tmp_path / "network.npz")
    x = np.random.default_rng(0).random((5, 28, 28, 1), np.float32)
    one, other = (PosteriorPredictive(each, 2).probabilities(x, 1) for each in (network, loaded))
    np.testing.assert_array_equal(one, other)
    assert one.shape == (2, 5, 10) and np.abs(one[0] - one[1]).max() > 0
    assert loaded.description["arch"] == "lenet5"


def test_pooling_first_gives_the_same_numbers():
    """Softplus is monotone, so that a convolution may be pooled before bias and activation."""
    network = network_of(inference="frequentist", shape=(28, 28, 1))
    network.assign(network.initial_values(make_seed(1)))
    x = tf.constant(np.random.default_rng(0).random((3, 28, 28, 1)), tf.float32)
    outputs = x
    for layer in network.stack:
        outputs = layer(outputs)
    assert network._after(1) == 3  # Border, Conv1 with Pool1
    np.testing.assert_allclose(network(x), outputs, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (
            {"arch": "BNN", "inference": "frequentist"},
            "--inference=frequentist is not valid: it takes variational with --arch=BNN",
        ),
        ({"arch": "CNN", "dropout_layers": "3"}, "--dropout_layers=3 is not valid: it takes auto with --arch=CNN"),
        ({"arch": "lenet5", "dropout_layers": "3"}, "--dropout_layers=3 is not valid: it takes auto or 0 with"),
        ({"arch": "resnet"}, "--arch=resnet is not valid: it takes one of BNN, .*lenet5, alexnet, alexnet_half"),
    ],
)
def test_what_does_not_fit_together_is_refused(settings, why):
    with pytest.raises(SettingError, match=why):
        NetworkSettings(**settings)
