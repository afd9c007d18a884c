"""Patience, and training that goes back to its best weights."""

import json

import numpy as np

from bayes_layers import DeterministicDense, ElboTrainer, Network
from bayes_layers.inference.early_stopping import Patience, fit_with_patience, last_epoch
from bayes_layers.layers.randomness import make_seed


def test_patience_counts_epochs_without_a_new_best():
    counter = Patience(2)
    told = [(counter.is_best(score), counter.is_over) for score in (0.5, 0.5, 0.6, 0.6, 0.1)]
    assert told == [(True, False), (False, False), (True, False), (False, False), (False, True)]
    assert counter.best == 0.6


def train(scores, patience, epochs=10, memory=None):
    network = Network([DeterministicDense(3, name="only")], (2,))
    network.assign(network.initial_values(make_seed(0)))
    trainer = ElboTrainer(network, learning_rate=0.1, batch_size=4)
    kept, left = [], iter(scores)

    def score():
        kept.append(network.weight_arrays())
        return next(left)

    rng = np.random.default_rng(0)
    ended = fit_with_patience(
        trainer, rng.normal(size=(8, 2)), [0, 1, 2, 0, 1, 2, 0, 1], score, patience=patience, epochs=epochs,
        kl_weight=0, seed=0, memory=memory,
    )  # fmt: skip
    return ended, kept, network.weight_arrays()


def equal(a, b):
    return all(np.array_equal(a[name], b[name]) for name in a)


def test_the_best_weights_remain():
    ended, kept, now = train([0.1, 0.3, 0.2, 0.3, 0.25], patience=3)
    assert ended == (4, 1, 0.3) and equal(now, kept[1]) and not equal(now, kept[4])


def test_what_is_not_improved_is_kept():
    ended, kept, now = train([0.9, 0.3, 0.4], patience=2)
    assert ended == (2, 0, 0.9) and equal(now, kept[0])


def test_the_most_epochs():
    ended, kept, now = train([0.1, 0.2, 0.3, 0.4], patience=5, epochs=3)
    assert ended == (3, 3, 0.4) and equal(now, kept[3])


def test_epochs_one_by_one_are_one_fit():
    _, kept, _ = train([0.1, 0.2, 0.3, 0.4], patience=5, epochs=3)
    network = Network([DeterministicDense(3, name="only")], (2,))
    network.assign(network.initial_values(make_seed(0)))
    images = np.random.default_rng(0).normal(size=(8, 2))
    ElboTrainer(network, learning_rate=0.1, batch_size=4).fit(
        images, [0, 1, 2, 0, 1, 2, 0, 1], epochs=3, kl_weight=0, seed=0
    )
    assert equal(network.weight_arrays(), kept[3])


class Memory:
    """Keeps the last state, and remembers all of them."""

    def __init__(self, kept=None):
        self.kept, self.all = kept, []

    def read(self):
        return self.kept

    def write(self, head, arrays):
        self.all.append((json.loads(json.dumps(head)), arrays))


def test_a_training_goes_on_from_any_epoch():
    scores = [0.1, 0.4, 0.3, 0.35, 0.2, 0.1]
    memory = Memory()
    ended, _, weights = train(scores, patience=3, memory=memory)
    assert ended == (4, 1, 0.4) and len(memory.all) == 4
    for epoch, state in enumerate(memory.all, start=1):
        again, _, continued = train(scores[epoch + 1 :], patience=3, memory=Memory(state))
        assert again == ended and equal(continued, weights)


def test_a_weight_of_the_kl_for_every_step():
    weights = np.arange(8.0)  # four epochs of two steps
    seen = []

    class Trainer:
        network = Network([DeterministicDense(3, name="only")], (2,))

        def fit(self, images, labels, **how):
            seen.append(how["kl_weight"].tolist())

    fit_with_patience(Trainer(), [0] * 4, [0] * 4, lambda: 0.0, patience=3, epochs=4, kl_weight=weights, seed=0)
    assert seen == [[0, 1], [2, 3], [4, 5]]


def test_the_epoch_at_which_a_run_ends():
    errors = [0.4, 0.2, 0.3, 0.2, 0.1, 0.3]  # an equal error is no new best
    assert [last_epoch(errors, 9, patience) for patience in (0, 1, 2, 3)] == [9, 3, 4, 9]
    assert last_epoch(errors, 3, 2) == 3 and last_epoch([], 5, 1) == 5
