"""Named layers of anybody's tf_keras model made Bayesian: weights, KL in plain fit, samples, refusals."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from bayes_layers import DenseFlipout, MonteCarloDropout, bayesian, build_network, predict_samples
from bayes_layers.config import NetworkSettings
from bayes_layers.layers.randomness import make_seed
from bayes_layers.models.storage import CUSTOM_OBJECTS

layers = tf_keras.layers
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 8, 8, 1)).astype(np.float32), RNG.integers(0, 3, 60)


@pytest.fixture(scope="module")
def functional():
    """A residual network, with a layer without bias and one of another activation."""
    inputs = tf_keras.Input((8, 8, 1))
    first = layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(inputs)
    second = layers.Conv2D(4, 3, padding="same", dilation_rate=2, use_bias=False, name="second")(first)
    joined = layers.BatchNormalization(name="norm")(layers.Add(name="skip")([first, second]))
    pooled = layers.Conv2D(2, 3, strides=2, name="third")(joined)
    outputs = layers.Dense(3, activation="softmax", name="logits")(layers.Flatten(name="flat")(pooled))
    model = tf_keras.Model(inputs, outputs)
    model.set_weights([RNG.uniform(0.1, 0.9, weight.shape) - 0.3 * (weight.ndim > 1) for weight in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def sequential():
    tf_keras.utils.set_random_seed(0)
    stack = [
        layers.Flatten(name="flat"),
        layers.Dense(5, activation="tanh", name="hidden"),
        layers.Dense(3, name="out"),
    ]
    model = tf_keras.Sequential(stack)
    model.build((None, 8, 8, 1))
    return model


@pytest.mark.parametrize("estimator", ["flipout", "local_reparameterization_all"])
def test_means_are_the_weights_and_without_variance_it_is_the_model(functional, estimator):
    model = bayesian(functional, ["second", "third", "logits"], num_examples=60, estimator=estimator, mu_init=-50,
                     sigma_init=0)  # fmt: skip
    np.testing.assert_array_equal(model.get_layer("third").kernel_loc, functional.get_layer("third").kernel)
    kinds = [type(model.get_layer(name)).__name__ for name in ("first", "second", "logits")]
    assert kinds[0] == "Conv2D" and ("LocalReparameterization" in kinds[1]) == (estimator != "flipout")
    assert len(model.get_layer("second").get_weights()) == 3  # means, rho and a counter: no bias
    expected = functional(X).numpy()
    np.testing.assert_allclose(model(X), expected, atol=1e-5)
    np.testing.assert_allclose(predict_samples(model, X, 2), [expected, expected], atol=1e-5)
    assert functional.get_layer("logits").__class__ is layers.Dense  # the model itself is as it was


def test_plain_fit_minimises_the_negative_elbo(sequential):
    """With a posterior too narrow to matter, one step of SGD against the ELBO's gradient by hand."""
    model = bayesian(sequential, ["out"], num_examples=60, mu_init=-8, sigma_init=0)
    head = model.get_layer("out")
    kl = float(head.kl())
    sigma = np.log1p(np.exp(-8.0))
    mu = sequential.get_layer("out").kernel.numpy()
    assert kl == pytest.approx(np.sum(-np.log(sigma) + (sigma**2 + mu**2) / 2 - 0.5), rel=1e-4)
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf_keras.optimizers.SGD(0.1), loss)
    with tf.GradientTape() as tape:
        weights = sequential.trainable_weights
        value = loss(Y, sequential(X)) + tf.reduce_sum(weights[2] ** 2) / 2 / 60
    gradient = tape.gradient(value, weights[2]).numpy()
    reported = model.fit(X, Y, batch_size=60, epochs=1, verbose=0).history["loss"][0]
    assert reported == pytest.approx(float(loss(Y, sequential(X))) + kl / 60, rel=1e-3)
    np.testing.assert_allclose(head.kernel_loc.numpy(), mu - 0.1 * gradient, atol=2e-3)


def test_samples_are_functions_of_the_seed(functional):
    model = bayesian(functional, "logits", num_examples=60, mu_init=-1)
    samples = predict_samples(model, X, 3)
    assert samples.shape == (3, 60, 3) and samples.dtype == np.float32
    np.testing.assert_allclose(samples.sum(-1), 1, atol=1e-5)  # this model ends in a softmax
    sevens = predict_samples(model, X, 2, batch_size=7)
    np.testing.assert_array_equal(predict_samples(model, X[7:14], 2, batch_size=7), sevens[:, 7:14])  # to the bit
    np.testing.assert_allclose(sevens, samples[:2], atol=1e-5)  # other batches are summed in another order
    assert np.abs(samples[0] - samples[1]).max() > 0.01
    assert not np.allclose(predict_samples(model, X, 1, seed=1), samples[:1])
    twice = predict_samples(model, np.repeat(X[:1], 2, axis=0), 3)
    np.testing.assert_array_equal(twice[:, 0], twice[:, 1])  # one draw for all inputs


def test_moments_of_the_samples(sequential):
    model = bayesian(sequential, ["out"], num_examples=60, mu_init=-1, sigma_init=0)
    samples, hidden = predict_samples(model, X[:2], 1000), sequential.layers[1](sequential.layers[0](X[:2]))
    deviation = np.ones(3) * np.sqrt((hidden.numpy() ** 2).sum(-1, keepdims=True)) * np.log1p(np.exp(-1))
    np.testing.assert_array_less(np.abs(samples.mean(0) - sequential(X[:2])), 5 * deviation / np.sqrt(1000))
    np.testing.assert_array_less(np.abs(samples.std(0) / deviation - 1), 5 / np.sqrt(2 * 1000))


def test_models_of_ones_own_layers_and_networks():
    stack = [layers.Flatten(), MonteCarloDropout(0.5, sample_at_prediction=True), DenseFlipout(3, mu_init=-1)]
    model = tf_keras.Sequential(stack)
    model.build((None, 8, 8, 1))
    samples = predict_samples(model, X[:4], 3)
    assert samples.shape == (3, 4, 3) and np.abs(samples[0] - samples[1]).max() > 0.01
    network = build_network(NetworkSettings(arch="BNN-1"), (8, 8, 1), 3)
    samples = predict_samples(network, X[:4], 2)
    expected = network.apply_draw(network.features(X[:4]), [network.stack[-1].draw(make_seed(0))])
    assert samples.shape == (2, 4, 3) and expected.shape == samples.shape[1:]
    assert network.stack[-1]._shared_draw is None


def test_a_shared_layer_is_refused_but_not_one_of_another_model():
    inputs, shared = tf_keras.Input((4,)), layers.Dense(4, name="shared")
    twice = tf_keras.Model(inputs, layers.Dense(2, name="out")(shared(shared(inputs))))
    with pytest.raises(ValueError, match=r"shared is used 2 times in .*: a shared layer would draw other weights"):
        bayesian(twice, ["shared"], num_examples=10)
    assert bayesian(twice, ["out"], num_examples=10)
    once = tf_keras.Model(inputs, shared(inputs))
    assert isinstance(bayesian(once, ["shared"], num_examples=10).get_layer("shared"), DenseFlipout)


def test_mistakes_are_named(functional, sequential):
    known = "first, second, third, logits"
    for names in (["nothing"], ["flat"], []):
        with pytest.raises(ValueError, match=rf"is not valid: it takes names of Dense .* which are here {known}"):
            bayesian(functional, names, num_examples=60)
    for wrong in (0, -3, 0.5, None):
        with pytest.raises(ValueError, match=f"num_examples={wrong} is not valid"):
            bayesian(functional, ["logits"], num_examples=wrong)
    with pytest.raises(ValueError, match="estimator=dropout is not valid: it takes flipout, local"):
        bayesian(functional, ["logits"], num_examples=60, estimator="dropout")
    with pytest.raises(ValueError, match="variance=softplus only"):
        bayesian(functional, ["logits"], num_examples=60, variance="alpha")
    with pytest.raises(TypeError, match="takes a functional or sequential tf_keras model, got Network"):
        bayesian(build_network(NetworkSettings(arch="CNN")), ["Dense2"], num_examples=60)
    with pytest.raises(ValueError, match="has no weights yet"):
        bayesian(tf_keras.Sequential([layers.Dense(2, name="out")]), ["out"], num_examples=60)
    with pytest.raises(ValueError, match="at least one input and one sample"):
        predict_samples(sequential, X[:0], 3)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"kernel_regularizer": "l2"}, "has a kernel_regularizer"),
        ({"bias_constraint": "non_neg"}, "has a bias_constraint"),
        ({"dtype": "mixed_bfloat16"}, "computes in bfloat16"),
    ],
)
def test_what_a_bayesian_layer_cannot_be_is_refused(arguments, why):
    model = tf_keras.Sequential([layers.Dense(2, name="out", **arguments)])
    model.build((None, 4))
    with pytest.raises(ValueError, match=why):
        bayesian(model, ["out"], num_examples=10)


def test_the_weight_of_the_kl_survives_copies(functional, tmp_path):
    head = bayesian(functional, ["logits", "second"], num_examples=1000)
    head.save(tmp_path / "head.keras")
    copies = [
        tf_keras.models.clone_model(head),
        tf_keras.models.load_model(tmp_path / "head.keras", custom_objects=CUSTOM_OBJECTS),
        bayesian(head, ["third"], num_examples=1000),
    ]
    for copy in copies:
        copy(X[:4])
        expected = sum(1e-3 * float(layer.kl()) for layer in copy.layers if hasattr(layer, "kl"))
        assert float(tf.add_n(copy.losses)) == pytest.approx(expected, rel=1e-5)


def test_layers_of_one_seed_have_noise_of_their_own(functional):
    names = ["second", "third", "logits"]
    models = [bayesian(functional, names, num_examples=9, seed=seed) for seed in (0, 0, 1)]
    seeds = [[model.get_layer(name).seed for name in names] for model in models]
    assert len(set(seeds[0])) == 3 and seeds[0] == seeds[1] and not set(seeds[0]) & set(seeds[2])


def test_the_weight_of_the_kl_is_said_once(functional):
    with pytest.raises(ValueError, match="takes no kl_weight: num_examples says it"):
        bayesian(functional, ["logits"], num_examples=10, kl_weight=1.0)
