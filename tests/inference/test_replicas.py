"""Replicas: several seeds in one computation, each as it is alone."""

import numpy as np
import pytest
import tensorflow as tf

from bayes_layers import ElboTrainer, build_network, posterior_as_prior
from bayes_layers.config import NetworkSettings
from bayes_layers.inference import NonFiniteLossError, ReplicaTrainer
from bayes_layers.inference.elbo import mean_normal_nll
from bayes_layers.layers import DeterministicDense
from bayes_layers.layers.randomness import make_seed
from bayes_layers.models.architectures import ARCHITECTURES
from bayes_layers.models.network import Network
from bayes_layers.settings import SettingError
from experiments.active_learning.config import ActiveLearningConfig

RNG = np.random.default_rng(0)
K = 3
X, Y = RNG.random((K, 8, 12, 12, 1)).astype(np.float32), RNG.integers(0, 10, (K, 8)).astype(np.int32)
MASK = np.ones([K, 8], np.float32)
MASK[:, 6:] = 0


def networks_of(arch, count=K, **settings):
    networks = [build_network(NetworkSettings(arch=arch, **settings), (12, 12, 1)) for _ in range(count)]
    for k, network in enumerate(networks):
        network.assign(network.initial_values(make_seed(k)))
    return networks


def compare_step(networks, trainer, step=lambda function: function, **settings):
    """One step's parts and gradients, all replicas at once against each alone."""
    for number, weight in enumerate(trainer._stacked):
        weight.assign(tf.stack([network.trainable_weights[number] for network in networks]))
    keys = np.array([11, 12, 13])
    together = step(trainer.gradients)(X, Y, MASK, tf.constant(0.01), make_seed(keys, 5))
    for k, network in enumerate(networks):
        alone = ElboTrainer(network, batch_size=8, **settings)
        expected = alone.gradients(X[k], Y[k], MASK[k], tf.constant(0.01), make_seed(int(keys[k]), 5))
        for one, all_of_them in zip(tf.nest.flatten(expected), tf.nest.flatten(together), strict=True):
            np.testing.assert_allclose(all_of_them[k], one, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_gradients_are_those_of_each_replica_alone(arch):
    networks = networks_of(arch)
    compare_step(networks, ReplicaTrainer(networks[0], len(networks), batch_size=8))


def test_gradients_with_other_settings():
    settings = {"weight_decay": 0.01}
    networks = networks_of("BNN-2", estimator="local_reparameterization", test_dropout="true")
    compare_step(networks, ReplicaTrainer(networks[0], len(networks), batch_size=8, **settings), **settings)
    networks = networks_of("MC-Dropout")
    compare_step(networks, ReplicaTrainer(networks[0], len(networks), batch_size=8, **settings), **settings)


def test_gradients_of_convolutions_by_local_reparameterization_and_of_alpha():
    networks = networks_of("BNN2", estimator="local_reparameterization_all", variance="alpha")
    compare_step(networks, ReplicaTrainer(networks[0], len(networks), batch_size=8))


@pytest.mark.parametrize("settings", [{"train_samples": 2}, {"mean_decay": 0.1}])
def test_what_has_no_form_with_a_replica_axis_is_refused(settings):
    network = build_network(NetworkSettings(arch="CNN"), (12, 12, 1))
    with pytest.raises(ValueError, match="train with --replicas=1"):
        ReplicaTrainer(network, 2, **settings)
    with pytest.raises(SettingError, match=r"--replicas=2 is not valid: with --(train_samples|mean_decay)"):
        ActiveLearningConfig(replicas=2, **settings)


@pytest.mark.parametrize("hyperprior", ["fixed", "half_cauchy"])
@pytest.mark.parametrize("prior", ["normal", "laplace", "cauchy"])
def test_gradients_with_other_priors(prior, hyperprior):
    networks = networks_of("BNN-1", prior=prior, hyperprior=hyperprior, prior_scale=0.5, variational_bias=True)
    compare_step(networks, ReplicaTrainer(networks[0], len(networks), batch_size=8))


def test_gradients_of_the_xla_program():
    networks = networks_of("BNN")
    trainer = ReplicaTrainer(networks[0], len(networks), batch_size=8, jit_compile=True)
    compare_step(networks, trainer, lambda function: tf.function(function, autograph=False, jit_compile=True))


def test_a_fit_follows_the_same_minibatches_and_noise():
    """A short fit of replicas is that of each alone, within rounding that few steps do not amplify."""
    networks, alone = networks_of("BNN-2"), networks_of("BNN-2")
    images, labels = RNG.random((K, 20, 12, 12, 1)).astype(np.float32), RNG.integers(0, 10, (K, 20))
    seen = []
    curves = ReplicaTrainer(networks[0], len(networks), batch_size=8).fit_all(
        networks,
        images,
        labels,
        epochs=2,
        kl_weight=0.05,
        seeds=[4, 5, 6],
        cycle=1,
        progress=lambda *done: seen.append(done),
    )
    assert seen[-1] == (6, 6)
    for k in range(K):
        curve = ElboTrainer(alone[k], batch_size=8).fit(
            images[k], labels[k], epochs=2, kl_weight=0.05, seed=4 + k, cycle=1
        )
        for name, values in curve.items():
            np.testing.assert_allclose(curves[k][name], values, rtol=1e-4)
        for one, two in zip(networks[k].trainable_weights, alone[k].trainable_weights, strict=True):
            np.testing.assert_allclose(one, two, atol=2e-4)


def test_replicas_are_repeatable_to_the_bit():
    def fit():
        networks = networks_of("BNN-1", 2)
        ReplicaTrainer(networks[0], len(networks), batch_size=8).fit_all(
            networks, X[:2], Y[:2], epochs=3, kl_weight=0.1, seeds=[1, 2]
        )
        return [w.numpy() for network in networks for w in network.trainable_weights]

    for one, two in zip(fit(), fit(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_replica_whose_loss_is_not_finite_stops_alone():
    ended = []
    for value in (np.nan, 0.1):
        networks = networks_of("BNN-1", 2)
        networks[1].trainable_weights[0].assign(tf.fill(networks[1].trainable_weights[0].shape, value))
        curves = ReplicaTrainer(networks[0], len(networks), batch_size=8).fit_all(
            networks, X[:2], Y[:2], epochs=2, kl_weight=0.1, seeds=[1, 2]
        )
        ended.append((curves, networks))
    (curves, networks), (undisturbed, others) = ended
    assert isinstance(curves[1], NonFiniteLossError) and "epoch 1, step 1" in str(curves[1])
    np.testing.assert_array_equal(curves[0]["negative_elbo"], undisturbed[0]["negative_elbo"])
    for one, other in zip(networks[0].get_weights(), others[0].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_has_no_replica_axis_is_refused():
    import tf_keras

    own = Network([tf_keras.layers.Flatten(), tf_keras.layers.Dense(2, name="plain")], (3, 3, 1))
    with pytest.raises(ValueError, match=r"plain \(Dense\) has no form with a replica axis"):
        ReplicaTrainer(own, 2)
    one, two = (Network([DeterministicDense(2), DeterministicDense(n)], (4,)) for n in (2, 3))
    with pytest.raises(ValueError, match="one architecture"):
        ReplicaTrainer(one, 2).fit_all([one, two], X[:2], Y[:2], epochs=1, kl_weight=0.1, seeds=[1, 2])


def test_what_only_one_network_has_is_refused():
    (network,) = networks_of("BNN-1", 1)
    for settings in ({"penalty": lambda network: 0.0}, {"nll": mean_normal_nll}):
        with pytest.raises(ValueError, match="have no form with a replica axis"):
            ReplicaTrainer(network, 2, **settings)
    with pytest.raises(ValueError, match=r"Dense2 .* has no form with a replica axis"):
        ReplicaTrainer(posterior_as_prior(network), 2)
    network.get_layer("Conv1").trainable = False
    with pytest.raises(ValueError, match=r"Conv1 .* has no form with a replica axis"):
        ReplicaTrainer(network, 2)
