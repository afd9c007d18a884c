"""The objective and the compiled loop."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from bayes_layers.inference import ElboTrainer, NonFiniteLossError, elbo, training
from bayes_layers.layers import Convolution2DFlipout, DenseFlipout, DeterministicDense, MonteCarloDropout
from bayes_layers.layers.initializers import GlorotUniform, Zeros
from bayes_layers.layers.randomness import make_seed
from bayes_layers.models.network import Network
from bayes_layers.streams import stream_key

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(50, 6, 6, 1)).astype(np.float32), RNG.integers(0, 3, 50)


def small_network(deterministic=False):
    head = (
        tf_keras.layers.Dense(3, kernel_initializer=GlorotUniform(), bias_initializer=Zeros(), name="head")
        if deterministic
        else DenseFlipout(3, name="head")
    )
    network = Network(
        [
            Convolution2DFlipout(4, 3, activation="relu", name="conv"),
            tf_keras.layers.Flatten(name="flat"),
            MonteCarloDropout(0.25, name="drop"),
            head,
        ],
        (6, 6, 1),
    )
    network.assign(network.initial_values(make_seed(1)))
    return network


def fit(network, n=50, trainer=None, **arguments):
    trainer = trainer or ElboTrainer(network, batch_size=16)
    return trainer.fit(X[:n], Y[:n], **{"epochs": 3, "kl_weight": 1 / n, "seed": 0, **arguments})


def test_kl_weight_is_the_reciprocal_of_what_kl_scale_names():
    assert elbo.kl_weight("labels", 20, 60000) == 1 / 20
    assert elbo.kl_weight("dataset", 20, 60000) == 1 / 60000
    assert elbo.kl_weight(500.0, 20, 60000) == 1 / 500


def test_negative_elbo_is_mean_nll_plus_weighted_kl():
    network = small_network()
    mask = np.array([1.0] * 5 + [0.0] * 3, np.float32)
    total, nll, kl = elbo.negative_elbo(network, X[:8], Y[:8].astype(np.int32), mask, make_seed(3), 0.01)
    logits = network(X[:8], training=True, seed=make_seed(3)).numpy().astype(np.float64)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    assert float(nll) == pytest.approx(-log_p[np.arange(5), Y[:5]].mean(), rel=1e-5)
    assert float(kl) == pytest.approx(sum(float(layer.kl()) for layer in network.bayesian_layers), rel=1e-6)
    assert float(total) == pytest.approx(float(nll) + 0.01 * float(kl), rel=1e-6)


def test_every_epoch_has_every_image_once():
    order = training.minibatches(0, 3, 50, 4, 16)
    assert order.shape == (16, 16)
    for epoch in order.reshape(4, 64):
        assert sorted(epoch[epoch >= 0]) == list(range(50))
    assert not np.array_equal(order[:4], order[4:8])
    np.testing.assert_array_equal(order, training.minibatches(0, 3, 50, 4, 16))
    assert not np.array_equal(order, training.minibatches(1, 3, 50, 4, 16))
    assert not np.array_equal(order, training.minibatches(0, 4, 50, 4, 16))
    np.testing.assert_array_equal(order[:8], training.minibatches(0, 3, 50, 2, 16))  # a longer run begins alike


def test_the_loop_is_adam_on_the_negative_elbo():
    """The compiled loop against a plain loop with Keras' Adam, the same minibatches and noise."""
    looped, plain = small_network(), small_network()
    curve = fit(looped)
    adam = tf_keras.optimizers.Adam(learning_rate=0.001)
    key, nlls = stream_key(0, "noise", 0), []
    for step, row in enumerate(training.minibatches(0, 0, 50, 3, 16)):
        row = row[row >= 0]  # no padding here: the last minibatch is a smaller one
        with tf.GradientTape() as tape:
            logits = plain(X[row], training=True, seed=make_seed(key, step))
            nll = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=Y[row], logits=logits))
            loss = nll + plain.kl() / 50
        weights = plain.trainable_weights
        adam.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        nlls.append(float(nll))
    np.testing.assert_allclose(curve["nll"], np.reshape(nlls, [3, 4]).mean(1), rtol=2e-3)
    for one, two in zip(looped.trainable_weights, plain.trainable_weights, strict=True):
        np.testing.assert_allclose(one, two, atol=3e-4)


def test_one_trace_for_a_growing_training_set():
    network = small_network()
    trainer = ElboTrainer(network, batch_size=16)
    for cycle, n in enumerate((10, 20, 30, 40, 50)):
        fit(network, n, trainer, cycle=cycle, kl_weight=1 / n)
    assert trainer.traces == 1


def test_where_the_host_looks_does_not_matter(monkeypatch):
    often, seldom = small_network(), small_network()
    monkeypatch.setattr(training, "SECONDS_BETWEEN_LOOKS", 1e-9)
    looks = []
    first = fit(often, epochs=10, progress=lambda done, total: looks.append((done, total)))
    monkeypatch.setattr(training, "SECONDS_BETWEEN_LOOKS", 100.0)
    second = fit(seldom, epochs=10)
    assert len(looks) > 5 and looks[-1] == (40, 40)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
    for one, two in zip(often.trainable_weights, seldom.trainable_weights, strict=True):
        np.testing.assert_array_equal(one, two)


def test_adam_starts_anew_in_every_fit():
    network, fresh = small_network(), small_network()
    trainer = ElboTrainer(network, batch_size=16)
    start = [w.numpy() for w in network.trainable_weights]
    fit(network, trainer=trainer)
    network.assign(start)
    again, first = fit(network, trainer=trainer), fit(fresh)
    np.testing.assert_array_equal(again["nll"], first["nll"])


def test_curve_parts_add_up():
    curve = fit(small_network())
    np.testing.assert_allclose(curve["negative_elbo"], curve["nll"] + curve["kl"] / 50)


def test_weight_decay_pulls_deterministic_kernels_only():
    network = small_network(deterministic=True)
    plain = ElboTrainer(network)
    decayed = ElboTrainer(network, weight_decay=0.1)
    arguments = (X[:8], Y[:8].astype(np.int32), np.ones(8, np.float32), 0.0, make_seed(1))
    for weight, with_decay, without in zip(
        network.trainable_weights, decayed.gradients(*arguments)[3], plain.gradients(*arguments)[3], strict=True
    ):
        expected = 0.2 * weight.numpy() if weight.name == "head/kernel:0" else 0.0
        np.testing.assert_allclose(with_decay.numpy() - without.numpy(), expected, atol=1e-5)


def test_a_loss_that_is_not_finite_stops_with_its_place():
    network = small_network()
    network.trainable_weights[0].assign(tf.fill(network.trainable_weights[0].shape, np.nan))
    with pytest.raises(NonFiniteLossError, match="epoch 1, step 1"):
        fit(network)
    network = small_network()
    with pytest.raises(NonFiniteLossError) as error:
        fit(network, trainer=ElboTrainer(network, learning_rate=1e30, batch_size=16))
    assert (error.value.epoch, error.value.step) == (1, 2)


def test_one_step_with_and_without_xla():
    images, labels, mask = X[:16], Y[:16].astype(np.int32), np.ones(16, np.float32)
    network = small_network()
    trainer = ElboTrainer(network, batch_size=16)
    compiled = tf.function(trainer.gradients, jit_compile=True, autograph=False)
    plain = trainer.gradients(images, labels, mask, 0.02, make_seed(2))
    for one, two in zip(plain[3], compiled(images, labels, mask, tf.constant(0.02), make_seed(2))[3], strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5, rtol=1e-4)


def test_the_whole_loop_compiles_to_one_xla_program():
    plain, compiled = small_network(), small_network()
    trainer = ElboTrainer(compiled, batch_size=16, jit_compile=True)
    first = fit(plain, n=20)
    second = fit(compiled, n=20, trainer=trainer, capacity=50)
    np.testing.assert_allclose(first["nll"], second["nll"], rtol=1e-3)
    fit(compiled, n=50, trainer=trainer, capacity=50, cycle=1)
    assert trainer.traces == 1


def test_uint8_images_are_scaled_as_in_prediction():
    pixels = RNG.integers(0, 256, (20, 6, 6, 1), np.uint8)
    curves = []
    for images in (pixels, pixels.astype(np.float32) / np.float32(255)):
        network = small_network()
        trainer = ElboTrainer(network, batch_size=16)
        curves.append(trainer.fit(images, Y[:20], epochs=2, kl_weight=0.05, seed=0)["negative_elbo"])
    np.testing.assert_array_equal(*curves)


@pytest.mark.parametrize(("images", "labels", "epochs"), [(X[:0], Y[:0], 1), (X[:5], Y[:6], 1), (X[:5], Y[:5], 0)])
def test_nothing_to_learn_from_is_refused(images, labels, epochs):
    with pytest.raises(ValueError, match="fit takes images, as many labels, and at least one epoch"):
        ElboTrainer(small_network()).fit(images, labels, epochs=epochs, kl_weight=1.0, seed=0)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (DeterministicDense(3, kernel_regularizer="l2", name="head"), "head has a kernel_regularizer"),
        (DeterministicDense(3, kernel_constraint="non_neg", name="head"), "head has a kernel_constraint"),
        (DenseFlipout(3, activity_regularizer="l2", name="head"), "head has a activity_regularizer"),
        (tf_keras.layers.BatchNormalization(name="norm"), "norm normalises batches"),
    ],
)
def test_what_training_would_not_do_is_refused(layer, words):
    with pytest.raises(ValueError, match=words):
        ElboTrainer(Network([layer], (3,)))
