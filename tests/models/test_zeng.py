"""Table 1's networks: which layers are Bayesian, their sizes, their split, and saving them."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from bayes_layers import Network, build_network, load_network
from bayes_layers.config import NetworkSettings
from bayes_layers.layers import Convolution2DFlipout, DenseFlipout
from bayes_layers.layers.randomness import make_seed
from bayes_layers.models.architectures import ARCHITECTURES

# Zeng et al. 2018, Table 1, read from the paper: Conv1, Conv2, Dense1, Dense2; B Bayesian, D deterministic.
TABLE_1 = {
    "BNN": "BBBB",
    "BNN-1": "DDDB",
    "BNN-2": "DDBB",
    "BNN-3": "DBBB",
    "BNN1": "BDDD",
    "BNN2": "BBDD",
    "BNN3": "BBBD",
    "CNN": "DDDD",
    "MC-Dropout": "DDDD",
}
FIRST_STOCHASTIC = {"BNN": "Conv1", "BNN-1": "Dense2", "BNN-2": "Dense1", "BNN-3": "Conv2", "BNN1": "Conv1",
                    "BNN2": "Conv1", "BNN3": "Conv1", "CNN": None, "MC-Dropout": "Dropout1"}  # fmt: skip


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_table_1(arch):
    network = build_network(NetworkSettings(arch=arch))
    kinds = {
        layer.name: "B" if isinstance(layer, Convolution2DFlipout | DenseFlipout) else "D" for layer in network.stack
    }
    assert "".join(kinds[name] for name in ("Conv1", "Conv2", "Dense1", "Dense2")) == TABLE_1[arch]
    assert network(tf.zeros([2, 28, 28, 1]), seed=make_seed(0)).shape == (2, 10)
    # 4x4x1x32, 4x4x32x32, 3872x128 (11x11x32 after pooling) and 128x10 kernels, each with biases;
    # a Bayesian kernel has means and rhos.
    kernels, biases = (512, 16384, 495616, 1280), 32 + 32 + 128 + 10
    expected = sum(k * (2 if kind == "B" else 1) for k, kind in zip(kernels, TABLE_1[arch], strict=True)) + biases
    assert sum(int(np.prod(w.shape)) for w in network.trainable_weights) == expected
    names = [layer.name for layer in network.stack]
    assert (names[network.split] if network.is_stochastic else None) == FIRST_STOCHASTIC[arch]
    assert [layer.name for layer in network.bayesian_layers] == [n for n in names if kinds[n] == "B"]


def test_structure_is_the_papers():
    stack = build_network(NetworkSettings(arch="CNN")).stack
    assert [type(layer).__name__ for layer in stack] == [
        "DeterministicConvolution2D", "DeterministicConvolution2D", "MaxPooling2D", "Flatten",
        "MonteCarloDropout", "DeterministicDense", "MonteCarloDropout", "DeterministicDense"
    ]  # fmt: skip
    assert [stack[i].kernel_size for i in (0, 1)] == [(4, 4)] * 2 and [stack[i].filters for i in (0, 1)] == [32, 32]
    assert stack[2].pool_size == (2, 2) and (stack[4].rate, stack[6].rate) == (0.25, 0.5)
    assert [stack[i].activation.__name__ for i in (0, 1, 5, 7)] == ["relu", "relu", "relu", "linear"]


def test_dropout_samples_at_prediction_only_where_it_should():
    assert NetworkSettings(arch="MC-Dropout").dropout_samples
    assert not NetworkSettings(arch="BNN").dropout_samples
    network = build_network(NetworkSettings(arch="BNN-1", test_dropout="true"))
    assert network.stack[network.split].name == "Dropout1"
    assert not build_network(NetworkSettings(arch="MC-Dropout", test_dropout="false")).is_stochastic


@pytest.mark.parametrize("arch", ["BNN", "BNN-2", "MC-Dropout"])
def test_save_and_load(arch, tmp_path):
    network = build_network(NetworkSettings(arch=arch, mu_init=-5))
    network.save(tmp_path / "network.npz")
    again = load_network(tmp_path / "network.npz")
    x = tf.random.stateless_uniform([3, 28, 28, 1], [1, 2])
    np.testing.assert_array_equal(
        network(x, training=True, seed=make_seed(1)), again(x, training=True, seed=make_seed(1))
    )
    np.testing.assert_array_equal(
        network.sampled_logits(network.features(x), make_seed(2)), again.sampled_logits(again.features(x), make_seed(2))
    )
    assert dict(again.description) == {**dict(network.description)} and again.description["mu_init"] == -5.0
    for one, two in zip(network.initial_values(make_seed(3)), again.initial_values(make_seed(3)), strict=True):
        np.testing.assert_array_equal(one, two)


def test_damaged_and_foreign_files_are_named(tmp_path):
    path = tmp_path / "network.npz"
    network = build_network(NetworkSettings(arch="BNN-1"))
    network.save(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="damaged"):
        load_network(path)
    np.savez(path, other=np.zeros(3))
    with pytest.raises(ValueError, match="holds no network"):
        load_network(path)
    with pytest.raises(FileNotFoundError):
        load_network(tmp_path / "none.npz")
    with pytest.raises(ValueError, match="not of this network"):
        network.assign_arrays({"x": np.zeros(3)})


def test_initial_means_are_shared_across_mu_and_noise_too():
    """What a seed fixes across mu_init: the means and the noise of rho (a comparison of starts, not of luck)."""
    wide, narrow = (build_network(NetworkSettings(arch="BNN", mu_init=mu)) for mu in (-3, -9))
    for one, two, weight in zip(
        wide.initial_values(make_seed(1)), narrow.initial_values(make_seed(1)), wide.trainable_weights, strict=True
    ):
        shift = 6.0 if "untransformed_scale" in weight.name else 0.0
        np.testing.assert_allclose(one.numpy() - two.numpy(), shift, atol=2e-6)


def test_a_network_of_ones_own_layers():
    network = Network([tf_keras.layers.Flatten(name="flat"), DenseFlipout(3, name="head")], (4, 4, 1))
    assert network.num_classes == 3 and network.split == 1
    with pytest.raises(ValueError, match="no initialiser"):
        Network([tf_keras.layers.Dense(3, name="d")], (4,)).initial_values(make_seed(0))
