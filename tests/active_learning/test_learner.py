"""The ask/tell learner on arrays of one's own."""

import numpy as np
import pytest

from bayes_layers.settings import SettingError
from experiments.active_learning import ActiveLearner
from experiments.datasets import load

DIGITS = load("digits")
QUICK = {"arch": "BNN-1", "epochs": 2, "num_samples": 3, "query_size": 4}


def learner(**changes):
    return ActiveLearner(DIGITS.train_images[:60], 10, **{**QUICK, **changes})


def label(one, indices):
    one.tell(indices, DIGITS.train_labels[indices])


def test_ask_and_tell():
    one = learner()
    label(one, np.arange(10))
    asked = []
    for _ in range(3):
        indices = one.ask()
        assert len(indices) == 4 and np.all(np.diff(one.scores) <= 0)
        asked += indices.tolist()
        label(one, indices)
    assert len(set(asked)) == 12 and not set(asked) & set(range(10))
    assert one.cycle == 3 and one.labelled.tolist() == [*range(10), *asked]
    assert one.trainer.traces == 1
    p = one.predict(DIGITS.test_images[:5])
    assert p.shape == (5, 10) and np.allclose(p.sum(1), 1)


def test_the_scores_are_those_of_the_images_asked_for():
    one = learner(acquisition="bald", query_size=50)
    label(one, np.arange(10))
    indices = one.ask()
    again = one.predictive.scores(one.images, one._posterior_key(), "bald", indices=indices)
    np.testing.assert_allclose(one.scores, again, atol=1e-9)


def test_all_follows_from_the_seed():
    picks = []
    for seed in (0, 0, 1):
        one = learner(seed=seed)
        label(one, np.arange(10))
        picks.append(one.ask().tolist())
    assert picks[0] == picks[1] != picks[2]


def test_what_a_seed_fixes_across_acquisitions():
    bald, random = learner(acquisition="bald"), learner(acquisition="random")
    for one in (bald, random):
        label(one, np.arange(10))
        one.fit()
    for name, value in bald.network.weight_arrays().items():
        np.testing.assert_array_equal(value, random.network.weight_arrays()[name])


def test_warm_start_keeps_the_weights():
    cold, warm = learner(epochs=1), learner(epochs=1, warm_start=True)
    for one in (cold, warm):
        label(one, np.arange(10))
        one.fit()
        label(one, np.arange(10, 14))
    before = warm.network.weight_arrays()
    assert all(np.array_equal(before[name], value) for name, value in cold.network.weight_arrays().items())
    cold.fit(), warm.fit()
    distance = {
        one: sum(np.abs(value - before[name]).mean() for name, value in one.network.weight_arrays().items())
        for one in (cold, warm)
    }
    assert distance[warm] < 0.2 * distance[cold]


def test_warm_start_without_a_first_fit_still_follows_from_the_seed():
    starts = []
    for _ in range(2):
        one = learner(warm_start=True, acquisition="random")
        label(one, np.arange(10))
        label(one, one.ask())  # a random acquisition needs no fit
        one.fit()
        starts.append(one.network.weight_arrays())
    assert all(np.array_equal(starts[0][name], starts[1][name]) for name in starts[0])


def test_pool_subset_restricts_the_choice():
    one = learner(pool_subset=5, query_size=5)
    label(one, np.arange(10))
    assert len(one.ask()) == 5


def test_kl_weight_follows_the_labels():
    one = learner()
    label(one, np.arange(10))
    assert one.kl_weight == 1 / 10
    assert learner(kl_scale="dataset").kl_weight == 1 / 60


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="no image is labelled yet"):
        learner().ask()
    with pytest.raises(SettingError, match=r"acquisition=entropy .* bald"):
        learner(acquisition="entropy")
    with pytest.raises(SettingError, match="no such setting: epoch"):
        learner(epoch=3)
    with pytest.raises(SettingError, match="--query_size=-1"):
        learner(query_size=-1)
    with pytest.raises(SettingError, match="--epochs=0"):
        learner(epochs=0)
    one = learner()
    with pytest.raises(ValueError, match="labels are from 0 to 9"):
        one.tell([0], [10])
    with pytest.raises(ValueError, match="whole numbers"):
        one.tell([0], [1.5])
    label(one, np.arange(10))
    with pytest.raises(ValueError, match="labelled already"):
        label(one, np.arange(3))
