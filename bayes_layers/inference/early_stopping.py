"""Training that ends when it no longer helps."""

import math

import numpy as np


class Patience:
    """Counts the epochs since a score was best."""

    def __init__(self, patience):
        """Begins to count.

        Args:
          patience: epochs without a new best after which it is over.
        """
        self.patience = patience
        self.best, self.since = -math.inf, 0

    def is_best(self, score):
        """Takes an epoch's score; whether it is higher than all before it."""
        if score > self.best:
            self.best, self.since = score, 0
            return True
        self.since += 1
        return False

    @property
    def is_over(self):
        """Whether patience is at its end."""
        return self.since >= self.patience


def last_epoch(errors, epochs, patience):
    """The epoch at which a run ends: where patience does, however far it was trained, else `epochs`.

    Args:
      errors: of each epoch so far, on images that are not learned from.
      epochs: the most epochs.
      patience: epochs without a new least error after which it is over; 0 for never.
    """
    counter = Patience(patience)
    for epoch, error in enumerate(errors[:epochs], start=1):
        counter.is_best(-error)
        if patience and counter.is_over:
            return epoch
    return epochs


def fit_with_patience(
    trainer, images, labels, score, *, patience, epochs, kl_weight, seed, cycle=0, progress=None, memory=None
):
    """Trains until a score has not risen for some epochs, and goes back to the weights of its best.

    Shridhar 2019, section 5.7.2: "early stopping when validation accuracy remains unchanged for 5 epochs". The weights
    before the first epoch take part: if no epoch is better, they are what remains.

    Args:
      trainer: an `ElboTrainer`; its network's weights are trained further.
      images, labels: as of `ElboTrainer.fit`.
      score: called without arguments for the network's score, e.g. its accuracy on a validation set.
      patience: epochs without a new best after which training stops.
      epochs: the most epochs.
      kl_weight: as of `ElboTrainer.fit`; that of every step is for all `epochs`.
      seed, cycle: as of `ElboTrainer.fit`.
      progress: called as `progress(epoch, score)` after every epoch, or None.
      memory: what keeps the training's state from epoch to epoch, so that it can go on in another process with the same
        result: an object with `write(head, arrays)`, JSON values and a dict of arrays, and `read()` for both, or for
        None where nothing was kept. Or None.

    Returns:
      `(epochs that were trained, the best epoch, its score)`; epochs count from 1, 0 being before the first.
    """
    counter, network = Patience(patience), trainer.network
    kept = memory.read() if memory else None
    if kept is None:
        counter.is_best(score())
        epoch, best_epoch, best = 0, 0, network.weight_arrays()
    else:
        head, arrays = kept
        counter.best, counter.since, epoch, best_epoch = (head[n] for n in ("best", "since", "epoch", "best_epoch"))
        best = _under("best/", arrays)
        network.assign_arrays(_under("now/", arrays))
        trainer.assign_optimizer_arrays(arrays)
    while epoch < epochs and not counter.is_over:
        trainer.fit(
            images,
            labels,
            epochs=1,
            kl_weight=_of_epoch(kl_weight, epoch, epochs),
            seed=seed,
            cycle=cycle,
            first_epoch=epoch,
        )
        epoch += 1
        value = score()
        if counter.is_best(value):
            best_epoch, best = epoch, network.weight_arrays()
        if memory:
            head = {"best": counter.best, "since": counter.since, "epoch": epoch, "best_epoch": best_epoch}
            states = {"now": network.weight_arrays(), "best": best}
            arrays = {f"{state}/{name}": array for state, mine in states.items() for name, array in mine.items()}
            memory.write(head, {**arrays, **trainer.optimizer_arrays()})
        if progress:
            progress(epoch, value)
    network.assign_arrays(best)
    return epoch, best_epoch, counter.best


def _of_epoch(kl_weight, epoch, epochs):
    return kl_weight if np.ndim(kl_weight) == 0 else np.reshape(kl_weight, (epochs, -1))[epoch]


def _under(prefix, arrays):
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
