"""The images of a run: to learn from, for validation, for the error on the training set, and to test on."""

import dataclasses

import numpy as np

from experiments.classification.config import split_sizes

SPLIT_SEED = 2019


@dataclasses.dataclass(frozen=True)
class Split:
    """Data-set indices into a `Dataset`'s training images.

    Attributes:
      train: images to learn from, `[N]`.
      validation: images that early stopping and thresholds may look at, `[V]`; none is in `train`.
      probe: as many of `train` as there are in `validation`, on which the training error is evaluated.
    """

    train: np.ndarray
    validation: np.ndarray
    probe: np.ndarray


def split_of(num_images, validation):
    """The `Split` of so many images with this share for validation: the same in every run.

    Raises:
      SettingError: if a part would be empty.
    """
    learn, held_out = split_sizes(num_images, validation)
    order = np.random.Generator(np.random.PCG64(SPLIT_SEED)).permutation(num_images)
    parts = (order[held_out:], order[:held_out], order[held_out : held_out + min(held_out, learn)])
    return Split(*(np.sort(part) for part in parts))
