"""The KL's weight over the steps of training: constant, Blundell's, warm-up; several draws per step; going on."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from bayes_layers.inference import ElboTrainer, elbo
from bayes_layers.inference.elbo import kl_weights
from bayes_layers.layers import Convolution2DLocalReparameterization, DenseFlipout
from bayes_layers.layers.randomness import fold_in, make_seed
from bayes_layers.models.network import Network

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 6, 6, 1)).astype(np.float32), RNG.integers(0, 3, 40)


def small_network():
    layers = [
        Convolution2DLocalReparameterization(3, 3, activation="softplus", name="conv"),
        tf_keras.layers.Flatten(name="flat"),
        DenseFlipout(3, name="head"),
    ]
    network = Network(layers, (6, 6, 1))
    network.assign(network.initial_values(make_seed(1)))
    return network


def test_constant_is_one_number():
    assert kl_weights(1 / 50, 4, 3) == 1 / 50
    assert kl_weights(1 / 50, 4, 3, warmup=2, first_epoch=2) == 1 / 50


@pytest.mark.parametrize("steps", [1, 2, 10, 127, 128, 5000])
def test_blundells_weights_are_his_and_do_not_overflow(steps):
    weights = kl_weights(1.0, steps, 2, schedule="blundell")
    assert weights.shape == (2 * steps,) and np.isfinite(weights).all()
    betas = weights[:steps] / steps
    assert betas.sum() == pytest.approx(1)  # an epoch carries the whole KL once
    np.testing.assert_array_equal(weights[:steps], weights[steps:])
    if steps <= 127:
        exact = [2 ** (steps - i) / (2**steps - 1) for i in range(1, steps + 1)]
        np.testing.assert_allclose(betas, exact, rtol=1e-12)
    assert betas[:10].sum() > 0.999


def test_warm_up_rises_linearly_and_whole_epochs_fit_together():
    weights = kl_weights(0.1, 4, 3, warmup=2)
    np.testing.assert_allclose(weights, 0.1 * np.minimum(np.arange(1, 13) / 8, 1))
    for schedule in ("constant", "blundell"):
        whole = kl_weights(0.1, 4, 3, schedule=schedule, warmup=2)
        parts = [kl_weights(0.1, 4, 1, schedule=schedule, warmup=2, first_epoch=e) for e in range(3)]
        np.testing.assert_array_equal(whole, np.concatenate([np.broadcast_to(part, 4) for part in parts]))


def test_another_schedule_is_refused():
    with pytest.raises(ValueError, match="kl_schedule=cosine is not valid: it takes constant or blundell"):
        kl_weights(1.0, 2, 1, schedule="cosine")


def test_every_step_uses_its_weight():
    """With the whole KL on the first step of an epoch, the others are those of training without a KL."""
    arguments = {"epochs": 1, "seed": 0}
    first, none = small_network(), small_network()
    one, other = (ElboTrainer(network, batch_size=20) for network in (first, none))
    curve = one.fit(X, Y, kl_weight=np.array([0.0, 1.0]), **arguments)
    without = other.fit(X[:40], Y, kl_weight=0.0, **arguments)
    np.testing.assert_allclose(curve["nll"], without["nll"])  # the second step's KL comes after its NLL
    moved = [np.abs(a - b).max() for a, b in zip(first.get_weights(), none.get_weights(), strict=True)]
    assert max(moved) > 1e-4
    assert curve["negative_elbo"] == pytest.approx(curve["nll"] + curve["kl"] / 2, rel=1e-3)


def test_several_draws_average_the_loss_and_its_gradients():
    network = small_network()
    arguments = (X[:8], Y[:8].astype(np.int32), np.ones(8, np.float32), 0.02)
    seed = make_seed(5)
    loss, nll, kl, gradients = ElboTrainer(network, train_samples=4).gradients(*arguments, seed)
    singles = []
    for draw in range(4):
        with tf.GradientTape() as tape:
            parts = elbo.negative_elbo(network, *arguments[:3], fold_in(seed, draw), 0.02)
        singles.append((parts, tape.gradient(parts[0], network.trainable_weights)))
    assert float(nll) == pytest.approx(np.mean([float(p[1]) for p, _ in singles]), rel=1e-5)
    assert float(loss) == pytest.approx(np.mean([float(p[0]) for p, _ in singles]), rel=1e-5)
    assert float(kl) == pytest.approx(float(network.kl()))
    for number, gradient in enumerate(gradients):
        np.testing.assert_allclose(gradient, np.mean([g[number] for _, g in singles], axis=0), atol=1e-5, rtol=1e-4)


def test_epoch_after_epoch_is_the_same_as_all_at_once():
    """Also when weights and Adam's moments went through arrays into another trainer."""
    whole = small_network()
    arguments = {"kl_weight": 0.01, "seed": 3}
    expected = ElboTrainer(whole, batch_size=16, train_samples=2).fit(X, Y, epochs=3, **arguments)
    network = small_network()
    trainer = ElboTrainer(network, batch_size=16, train_samples=2)
    curves = []
    for epoch in range(3):
        if epoch == 2:
            weights, moments = network.weight_arrays(), trainer.optimizer_arrays()
            network = small_network()
            network.assign_arrays(weights)
            trainer = ElboTrainer(network, batch_size=16, train_samples=2)
            trainer.assign_optimizer_arrays(moments)
        curves.append(trainer.fit(X, Y, epochs=1, first_epoch=epoch, **arguments))
    for name, values in expected.items():
        np.testing.assert_array_equal(values, np.concatenate([curve[name] for curve in curves]))
    for one, two in zip(whole.trainable_weights, network.trainable_weights, strict=True):
        np.testing.assert_array_equal(one, two)


def test_decay_of_means_pulls_bayesian_kernels_only():
    network = small_network()
    arguments = (X[:8], Y[:8].astype(np.int32), np.ones(8, np.float32), 0.0, make_seed(1))
    decayed, plain = (ElboTrainer(network, mean_decay=rate).gradients(*arguments)[3] for rate in (0.1, 0.0))
    for weight, one, other in zip(network.trainable_weights, decayed, plain, strict=True):
        expected = 0.2 * weight.numpy() if weight.name.endswith("kernel_posterior_loc:0") else 0.0
        np.testing.assert_allclose(one.numpy() - other.numpy(), expected, atol=1e-5)
