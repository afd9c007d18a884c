"""The race of `PosteriorPredictive.scores(best=...)`: the picks and the bits of full scoring."""

import numpy as np
import pytest

from bayes_layers import ElboTrainer, PosteriorPredictive, build_network
from bayes_layers.config import NetworkSettings
from bayes_layers.inference import race
from bayes_layers.layers.randomness import make_seed
from bayes_layers.uncertainty.acquisitions import MOMENTS_OF_SCORE
from experiments.datasets import load

KEY = 987654321
SAMPLES, BEST = 40, 5


@pytest.fixture(scope="module")
def digits():
    return load("digits")


@pytest.fixture(scope="module", params=["BNN-2", "MC-Dropout"])
def network(request, digits):
    network = build_network(NetworkSettings(arch=request.param))
    network.assign(network.initial_values(make_seed(2)))
    labelled = np.arange(60)
    images = digits.train_images[labelled].astype(np.float32) / 255
    ElboTrainer(network).fit(images, digits.train_labels[labelled], epochs=30, kl_weight=1 / 60, seed=0)
    return network


def smaller(predictive):
    predictive.tile_size, predictive.chunk_size = 64, 256
    return predictive


@pytest.mark.parametrize("acquisition", MOMENTS_OF_SCORE)
def test_survivors_have_the_scores_of_full_scoring_and_the_best_survive(network, digits, acquisition, monkeypatch):
    monkeypatch.setattr(race, "COMPLETED", 32)
    predictive, indices = smaller(PosteriorPredictive(network, SAMPLES)), np.arange(60, 1160)
    full = predictive.scores(digits.train_images, KEY, acquisition, indices=indices)
    seen = []
    raced = predictive.scores(
        digits.train_images, KEY, acquisition, lambda *done: seen.append(done), indices=indices, best=BEST
    )
    survivors = np.isfinite(raced)
    np.testing.assert_allclose(raced[survivors], full[survivors], atol=1e-6)
    best = np.flatnonzero(full >= np.sort(full)[-BEST] + 1e-6)
    assert survivors[best].all() and BEST <= survivors.sum() < len(indices)
    assert seen == sorted(seen) and all(total == 1100 for _, total in seen)


def test_a_race_computes_less_and_says_how_much(network, digits):
    predictive = smaller(PosteriorPredictive(network, 100))
    one = race.Race(predictive, digits.train_images, KEY, "var_ratios", BEST, 1e-3)
    one.run(np.arange(60, 1260))
    assert one.image_samples < 0.7 * 1200 * 100


def test_a_race_may_end_before_its_last_stage(network, digits, monkeypatch):
    """Nobody but those that the pilot completed may be left."""
    from bayes_layers.uncertainty import racing

    monkeypatch.setattr(race, "COMPLETED", 32)
    monkeypatch.setattr(racing, "is_hopeless", lambda name, evidence, *_: evidence["log_capital"][:, 0] > -np.inf)
    raced = smaller(PosteriorPredictive(network, SAMPLES)).scores(
        digits.train_images, KEY, "var_ratios", indices=np.arange(60, 1160), best=BEST
    )
    assert np.isfinite(raced).sum() == 32


def test_a_race_is_repeatable(network, digits):
    predictive = smaller(PosteriorPredictive(network, SAMPLES))
    first, second = (
        predictive.scores(digits.train_images, KEY, "bald", indices=np.arange(300), best=BEST) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_where_there_is_nothing_to_save_all_are_scored():
    def predictive(arch, samples=100, sampling="weights"):
        return PosteriorPredictive(build_network(NetworkSettings(arch=arch)), samples, sampling)

    assert predictive("BNN-2").can_race(10000, 10)
    assert not predictive("BNN-2").can_race(10000, 1000)  # a pool that is hardly larger than what is wanted
    assert not predictive("BNN-2").can_race(1000, 10)  # a few tiles
    assert not predictive("BNN-2", samples=10).can_race(10000, 10)
    assert not predictive("BNN-2", sampling="image").can_race(10000, 10)
    assert not predictive("BNN-1").can_race(10000, 10)  # only the small last layer is sampled
    assert not predictive("CNN").can_race(10000, 10)


def test_draws_that_are_kept_are_those_that_are_drawn_anew(network, digits, monkeypatch):
    from bayes_layers.inference import prediction

    images = digits.train_images[:300]
    kept = smaller(PosteriorPredictive(network, 5)).mean(images, KEY)
    monkeypatch.setattr(prediction, "DRAW_BYTES", 0)
    anew = smaller(PosteriorPredictive(network, 5))
    assert anew.draws(KEY) == ()
    np.testing.assert_array_equal(kept, anew.mean(images, KEY))


def test_a_race_with_xla_picks_the_same(network, digits):
    if network.name != "BNN-2":
        pytest.skip("one network is enough")
    plain = smaller(PosteriorPredictive(network, SAMPLES))
    compiled = PosteriorPredictive(network, SAMPLES, jit_compile=True)
    compiled.tile_size = compiled.chunk_size = 256
    arguments = (digits.train_images, KEY, "var_ratios")
    scores = [race.Race(p, *arguments, BEST, 1e-3).run(np.arange(60, 560)) for p in (plain, compiled)]
    picks = [np.argsort(-s, kind="stable")[:BEST] for s in scores]
    np.testing.assert_array_equal(*picks)
    np.testing.assert_allclose(scores[0][picks[0]], scores[1][picks[1]], atol=1e-5)
