"""Images that a network was not trained on, in the shape that it takes."""

import numpy as np

from bayes_layers.streams import stream_generator
from experiments import datasets
from experiments.errors import DataError

NOISES = ("uniform_noise", "normal_noise")
TRANSFORMS = ("shuffled_pixels", "inverted")
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def foreign_images(name, familiar, data_dir, count, seed):
    """Images of a foreign kind.

    Args:
      name: a data set; uniform_noise, pixels from U(0, 1); normal_noise, with each pixel's mean and standard deviation
        over the familiar images; shuffled_pixels, familiar images whose pixels change places, each in its own way; or
        inverted, familiar images with 1 - x.
      familiar: uint8 `[N, H, W, C]`.
      data_dir: TFDS's directory.
      count: the most images wanted, from the test set.
      seed: int.

    Returns:
      float32 `[M, H, W, C]` from 0 to 1, or uint8.

    Raises:
      DataError: if a data set cannot be had.
    """
    generator = stream_generator(seed, f"foreign {name}")
    some = familiar[:count]
    if name == "uniform_noise":
        return generator.random(some.shape, np.float32)
    if name == "normal_noise":
        pixels = familiar.reshape(len(familiar), -1) / 255.0
        noise = pixels.mean(0) + pixels.std(0) * generator.standard_normal((len(some), pixels.shape[1]))
        return np.clip(noise, 0, 1).astype(np.float32).reshape(some.shape)
    if name == "shuffled_pixels":
        return _shuffled(some.reshape(len(some), -1, some.shape[-1]), generator).reshape(some.shape)
    if name == "inverted":
        return 255 - some
    return fitted(datasets.load(name, data_dir).test_images[:count], familiar.shape[1:])


def _shuffled(pixels, generator):
    """Each image's pixels in an order of its own, the channels of a pixel together."""
    order = np.argsort(generator.random(pixels.shape[:2]), axis=1)
    return np.take_along_axis(pixels, order[:, :, None], axis=1)


def fitted(images, shape):
    """Images in another shape: grey made of colours or colours of grey, borders of zeros or cut off, centred.

    Args:
      images: uint8 `[N, h, w, c]`.
      shape: `(H, W, C)`, C being 1 or 3.

    Returns:
      uint8 `[N, H, W, C]`.

    Raises:
      DataError: for other numbers of channels.
    """
    if images.shape[-1] != shape[-1]:
        if {images.shape[-1], shape[-1]} != {1, 3}:
            raise DataError(f"images with {images.shape[-1]} channels cannot be given {shape[-1]}")
        images = (
            np.repeat(images, 3, axis=-1) if shape[-1] == 3 else np.round(images @ LUMA[:, None]).astype(images.dtype)
        )
    for axis, size in ((1, shape[0]), (2, shape[1])):
        images = _centred(images, axis, size)
    return images


def _centred(images, axis, size):
    missing = size - images.shape[axis]
    if missing <= 0:
        start = -missing // 2
        return np.take(images, range(start, start + size), axis=axis)
    widths = [(0, 0)] * images.ndim
    widths[axis] = (missing // 2, missing - missing // 2)
    return np.pad(images, widths)
