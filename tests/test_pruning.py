"""Pruned weights: zero in every draw, through training, saving and loading; scores, shares and counts."""

import numpy as np
import pytest
import tensorflow as tf

from bayes_layers import ElboTrainer, PosteriorPredictive, build_network, load_network, pruning
from bayes_layers.config import NetworkSettings
from bayes_layers.inference import ReplicaTrainer
from bayes_layers.layers.base import PRIOR
from bayes_layers.layers.divergences import FixedScale
from bayes_layers.layers.randomness import fold_in, make_seed

IMAGES = np.random.default_rng(0).uniform(size=(24, 12, 12, 1)).astype(np.float32)
LABELS = np.arange(24) % 4


def network_of(arch="BNN-2", **settings):
    network = build_network(NetworkSettings(arch=arch, **settings), (12, 12, 1), 4)
    network.assign(network.initial_values(make_seed(3)))
    return network


def half(network, score="magnitude"):
    masks = pruning.masks_of_sparsity(pruning.SCORES[score](network), 0.5)
    pruning.prune(network, masks)
    return masks


def fit(network, **settings):
    trainer = ElboTrainer(network, batch_size=8, learning_rate=0.01, **settings)
    return trainer.fit(IMAGES, LABELS, epochs=2, kl_weight=1 / 24, seed=0)


def assert_pruned_in_all_draws(network, masks):
    for i, layer in enumerate(network.stack):
        if layer.name not in masks:
            continue
        pruned = ~masks[layer.name]
        if hasattr(layer, "kl"):
            for t in range(3):
                deviation, _ = layer.draw(fold_in(make_seed(1, t), i))
                assert not np.any(deviation.numpy()[pruned]) and np.any(deviation.numpy()[~pruned])
            assert not np.any(layer.kernel_loc.numpy()[pruned]) and not np.any(layer.kernel_scale.numpy()[pruned])
        else:
            assert not np.any(layer.kept_kernel.numpy()[pruned])


@pytest.fixture(scope="module")
def pruned(tmp_path_factory):
    """BNN-2 and a fully Bayesian network by local reparameterisation, half pruned, trained, saved and loaded."""
    found = []
    for arch, estimator in (("BNN-2", "flipout"), ("BNN", "local_reparameterization")):
        network = network_of(arch, estimator=estimator)
        masks = half(network)
        before = network.weight_arrays()
        curve = fit(network)
        path = tmp_path_factory.mktemp("pruned") / "network.npz"
        network.save(path)
        found.append((network, masks, before, curve, load_network(path)))
    return found


def test_pruned_weights_stay_zero_through_training_saving_and_loading(pruned):
    for network, masks, before, curve, loaded in pruned:
        assert np.isfinite(curve["negative_elbo"]).all()
        for each in (network, loaded):
            assert_pruned_in_all_draws(each, masks)
        for layer in network.pruned_layers:  # training has not moved them behind the mask, and has moved the others
            for weight in layer.trainable_weights:
                name = weight.name.split(":")[0]
                if weight.shape == layer.kernel_shape:
                    pruned = ~masks[layer.name]
                    np.testing.assert_array_equal(weight.numpy()[pruned], before[name][pruned])
                    assert np.mean(weight.numpy()[~pruned] != before[name][~pruned]) > 0.5  # relus may be dead


def test_a_loaded_network_predicts_the_same(pruned):
    for network, _, _, _, loaded in pruned:
        p = [PosteriorPredictive(each, 3).probabilities(IMAGES, 5) for each in (network, loaded)]
        np.testing.assert_array_equal(*p)
        np.testing.assert_allclose(p[0].sum(-1), 1, atol=1e-6)


def test_the_outputs_are_those_of_a_network_with_zeros():
    network, zeros = network_of("CNN"), network_of("CNN")
    masks = half(network)
    for layer in pruning.prunable_layers(zeros):
        layer.kernel.assign(layer.kernel * masks[layer.name])
    np.testing.assert_array_equal(network(IMAGES), zeros(IMAGES))
    network.precision = "bfloat16"
    assert np.abs(np.subtract(network(IMAGES), zeros(IMAGES))).max() < 0.05


def test_the_kl_is_that_of_the_kept_weights():
    network = network_of("BNN")
    whole = float(network.kl())
    masks = half(network, "snr")
    expected = 0.0
    for layer in network.bayesian_layers:
        mean, sd = (getattr(layer.kernel_posterior.distribution, name) for name in ("loc", "scale"))
        mean, sd = (tf.convert_to_tensor(x).numpy()[masks[layer.name]].astype(np.float64) for x in (mean, sd))
        expected += np.sum(-np.log(sd) + (sd**2 + mean**2 - 1) / 2)  # KL[N(mean, sd^2) || N(0, 1)]
    assert float(network.kl()) == pytest.approx(expected, rel=1e-6) and expected < whole
    pruning.prune(network, {name: np.ones_like(mask) for name, mask in masks.items()})
    assert float(network.kl()) == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize("prior", ["laplace", "cauchy"])
def test_the_kl_to_another_prior_is_that_of_the_kept_weights_too(prior):
    from bayes_layers import DenseFlipout

    layer = DenseFlipout(3, prior=prior, name="only")
    layer.build((None, 4))
    seed, mask = make_seed(1), np.arange(12).reshape(4, 3) % 2 == 0
    (posterior,) = layer.normal_posteriors().values()
    of_each = layer.prior.kl_of_weights(
        *map(tf.convert_to_tensor, posterior), FixedScale(1.0), fold_in(fold_in(seed, PRIOR), 0)
    )
    assert float(layer.kl(seed)) == pytest.approx(of_each.numpy().sum(), rel=1e-5)
    layer.kernel_mask = mask
    assert float(layer.kl(seed)) == pytest.approx(of_each.numpy()[mask].sum(), rel=1e-5)


def test_scores_and_shares():
    network = network_of("BNN-1")
    layer = network.get_layer("Dense2")
    sigma = np.log1p(np.exp(layer.trainable_weights[1].numpy()))
    snr = pruning.signal_to_noise(network)
    assert list(snr) == ["Dense2"] and list(pruning.magnitudes(network)) == ["Conv1", "Conv2", "Dense1", "Dense2"]
    np.testing.assert_allclose(snr["Dense2"], np.abs(layer.kernel_loc) / sigma, rtol=1e-6)
    with pytest.raises(ValueError, match="no Bayesian layer"):
        pruning.signal_to_noise(network_of("CNN"))

    scores = {"a": np.array([[3.0, 1.0], [1.0, 5.0]]), "b": np.array([1.0, 0.5])}
    kept = pruning.masks_of_sparsity(scores, 0.5)
    np.testing.assert_array_equal(kept["a"], [[True, False], [False, True]])  # of equal scores the first
    np.testing.assert_array_equal(kept["b"], [True, False])
    kept = pruning.masks_above(scores, 1.0)
    np.testing.assert_array_equal(kept["b"], [True, False])
    for share in (0.0, 1.0):
        assert all((mask == (share == 0)).all() for mask in pruning.masks_of_sparsity(scores, share).values())
    with pytest.raises(ValueError, match="from 0 to 1"):
        pruning.masks_of_sparsity(scores, 1.1)


def test_sparsity_is_counted_per_layer():
    network = network_of("BNN-1")
    rows = {row["layer"]: row for row in pruning.sparsity(network)}
    assert rows["all"]["sparsity"] == 0 and rows["Dense2"]["parameters"] == 2 * 128 * 4 + 4
    assert rows["all"]["parameters"] == sum(w.shape.num_elements() for w in network.trainable_weights)
    masks = half(network)
    rows = {row["layer"]: row for row in pruning.sparsity(network)}
    assert list(rows) == ["Conv1", "Conv2", "Dense1", "Dense2", "all"]
    assert rows["all"]["sparsity"] == pytest.approx(0.5, abs=1e-4)
    for name, mask in masks.items():
        assert rows[name]["kept"] == mask.sum() and rows[name]["sparsity"] == pytest.approx(1 - mask.mean())
    assert rows["Dense2"]["parameters"] == 2 * masks["Dense2"].sum() + 4


def test_later_masks_take_effect_at_once():
    network = network_of("BNN-1")
    scores = pruning.magnitudes(network)
    pruning.prune(network, pruning.masks_of_sparsity(scores, 0.0))
    predictive = PosteriorPredictive(network, 2)
    whole = predictive.probabilities(IMAGES, 1)
    np.testing.assert_array_equal(whole, PosteriorPredictive(network_of("BNN-1"), 2).probabilities(IMAGES, 1))
    pruning.prune(network, pruning.masks_of_sparsity(scores, 1.0))
    np.testing.assert_array_equal(predictive.probabilities(IMAGES, 1)[0], predictive.probabilities(IMAGES, 1)[1])
    pruning.prune(network, pruning.masks_of_sparsity(scores, 0.0))
    np.testing.assert_array_equal(predictive.probabilities(IMAGES, 1), whole)


def test_the_l1_norm_and_its_gradient():
    network = network_of("BNN-2")
    kernels = [w for w in network.trainable_weights if "kernel" in w.name and "untransformed" not in w.name]
    assert float(pruning.l1_norm(network)) == pytest.approx(sum(np.abs(w).sum() for w in kernels), rel=1e-5)
    half(network)
    with tf.GradientTape() as tape:
        norm = pruning.l1_norm(network)
    for weight, gradient in zip(kernels, tape.gradient(norm, kernels), strict=True):
        layer = next(layer for layer in network.pruned_layers if weight.name.startswith(layer.name))
        np.testing.assert_array_equal(gradient, np.sign(weight) * layer.kernel_mask)


def test_mistakes_are_named():
    network = network_of("BNN-1")
    with pytest.raises(ValueError, match="no prunable layer is called Dense3"):
        pruning.prune(network, {"Dense3": np.ones((2, 2), bool)})
    for mask in (np.ones((2, 2), bool), np.ones((128, 4))):
        with pytest.raises(ValueError, match=r"Dense2's mask is a bool array \(128, 4\)"):
            pruning.prune(network, {"Dense2": mask})
    half(network)
    with pytest.raises(ValueError, match="no form with a replica axis"):
        ReplicaTrainer(network, 2)
