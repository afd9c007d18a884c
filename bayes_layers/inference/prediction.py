"""The posterior predictive by Monte Carlo, streamed (Zeng et al. 2018, appendix B).

    p(y = c | x, D)  ~  1/T sum_t p(y = c | x, w_t),   w_t ~ q(w)

The network's deterministic layers run once per image, only the rest T times, and each sample is folded
into running moments: memory grows neither with images x samples nor with samples.
"""

import time

import numpy as np
import tensorflow as tf

from bayes_layers.layers.randomness import make_seed
from bayes_layers.uncertainty import scores
from bayes_layers.uncertainty.acquisitions import MOMENTS_OF_SCORE

CHUNK_FLOATS = 2**25  # activations of one layer for a chunk of images: 128 MiB
FEATURE_BATCH = 1024
SECONDS_BETWEEN_LOOKS = 1.0


class PosteriorPredictive:
    """Predicts with T draws from a network's posterior; built once per run.

    Sample t is the same draw whatever images are asked about (`sampling="weights"`), because it depends on
    the key and on t alone.
    """

    def __init__(self, network, num_samples=100, sampling="weights", jit_compile=False):
        """Prepares prediction.

        Args:
          network: a `Network`.
          num_samples: T; a network without stochastic layers needs, and takes, only one.
          sampling: "weights" for one draw of the weights for all images, "image" for one per image.
          jit_compile: compile the scoring of a chunk of images as one XLA computation.
        """
        self.network = network
        self.samples = num_samples if network.is_stochastic else 1
        self.sampling = sampling
        self.jit_compile = jit_compile
        self.chunk_size = _chunk_size(network)
        self._features = tf.function(network.features, autograph=False, jit_compile=jit_compile, reduce_retracing=True)
        self._compiled = {}
        self._portion = 4  # samples between two looks of the host, adapted to the time that they take

    def mean(self, images, key, progress=None):
        """The predictive distribution: mean probabilities float64 `[B, C]`; see `moments`."""
        return self.moments(images, key, ("mean",), progress)["mean"]

    def scores(self, images, key, acquisition, progress=None, indices=None):
        """The acquisition scores float64 `[B]`; see `bayes_layers.uncertainty.scores` and `moments`."""
        moments = self.moments(images, key, MOMENTS_OF_SCORE[acquisition], progress, indices)
        return np.asarray(scores.score_from_moments(acquisition, moments))

    def moments(self, images, key, needs, progress=None, indices=None):
        """Moments over the samples, as `scores.moments_of` would give them for `probabilities`.

        Args:
          images: `[B, ...]`, float32, or uint8 that is divided by 255.
          key: int from `stream_key`; the draws follow from it.
          needs: names of moments.
          progress: called as `progress(done_images, all_images)` every second or so, or None.
          indices: which of the images, `[B]`; None for all. (The pool is never copied as a whole.)

        Returns:
          dict of float64 arrays.
        """
        indices = np.arange(len(images)) if indices is None else indices
        parts = []
        for number, size, features in self._chunks(images, indices):

            def chunk_progress(done_samples, before=number * self.chunk_size, size=size):
                if progress:
                    progress(before + size * done_samples // self.samples, len(indices))

            accumulators = self._accumulate_all(tuple(needs), features, key, number, chunk_progress)
            parts.append({name: value.numpy()[:size] for name, value in accumulators.items()})
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return {name: np.asarray(value) for name, value in scores.finish(joined, self.samples).items()}

    def probabilities(self, images, key):
        """All samples, float32 `[S, B, C]`: for few images, since this does grow with S x B."""
        parts = [
            self._all_samples(features, key, number)[:, :size]
            for number, size, features in self._chunks(images, np.arange(len(images)))
        ]
        return np.concatenate(parts, axis=1)

    def _chunks(self, images, indices):
        """Yields the number of each chunk, its size, and the features of its images."""
        if not len(indices):
            raise ValueError("there is no image to predict")
        for number, start in enumerate(range(0, len(indices), self.chunk_size)):
            chunk = indices[start : start + self.chunk_size]
            padded = self._pad(as_float(images[chunk]))
            features = [self._features(padded[i : i + FEATURE_BATCH]) for i in range(0, len(padded), FEATURE_BATCH)]
            yield number, len(chunk), tf.concat(features, axis=0) if len(features) > 1 else features[0]

    def _pad(self, chunk):
        if not self.jit_compile:
            return chunk
        return np.pad(chunk, [(0, self.chunk_size - len(chunk))] + [(0, 0)] * (chunk.ndim - 1))

    def _sample(self, features, key, t, chunk):
        counter = tf.cast(t, tf.int64)
        if self.sampling == "image":
            counter += tf.cast(chunk, tf.int64) * self.samples
        return tf.nn.softmax(self.network.sampled_logits(features, make_seed(key, counter), self.sampling))

    def _accumulate_all(self, needs, features, key, chunk, progress):
        """All samples of a chunk, in portions of about a second, between which the host has control."""
        accumulators = scores.empty_accumulators(needs, len(features), self.network.num_classes)
        done, count = 0, self._portion
        while done < self.samples:
            count = min(count, self.samples - done)
            began = time.perf_counter()
            accumulators = self._accumulate(needs)(features, key, chunk, done, count, accumulators)
            next(iter(accumulators.values())).numpy()
            done += count
            progress(done)
            count = max(1, int(SECONDS_BETWEEN_LOOKS * count / (time.perf_counter() - began)))
        self._portion = count
        return accumulators

    def _accumulate(self, needs):
        if needs not in self._compiled:
            empty = scores.empty_accumulators(needs, 1, self.network.num_classes)
            accumulators = {name: tf.TensorSpec([None, *value.shape[1:]], value.dtype) for name, value in empty.items()}
            self._compiled[needs] = tf.function(
                self._loop,
                autograph=False,
                jit_compile=self.jit_compile,
                input_signature=[
                    tf.TensorSpec([None, *self._feature_shape()]),
                    tf.TensorSpec([], tf.int64),
                    tf.TensorSpec([], tf.int32),
                    tf.TensorSpec([], tf.int32),
                    tf.TensorSpec([], tf.int32),
                    accumulators,
                ],
            )
        return self._compiled[needs]

    def _feature_shape(self):
        shape = (None, *self.network.one_input_shape)
        for layer in self.network.stack[: self.network.split]:
            shape = layer.compute_output_shape(shape)
        return tuple(shape)[1:]

    def _loop(self, features, key, chunk, start, count, accumulators):
        """Adds the samples `start` to `start + count - 1` to the accumulators."""

        def body(t, accumulators):
            return t + 1, scores.accumulate(accumulators, self._sample(features, key, t, chunk), t)

        _, accumulators = tf.while_loop(
            lambda t, _: t < start + count, body, (start, accumulators), parallel_iterations=1
        )
        return accumulators

    def _all_samples(self, features, key, chunk):
        if "all" not in self._compiled:
            self._compiled["all"] = tf.function(
                self._sample, autograph=False, jit_compile=self.jit_compile, reduce_retracing=True
            )
        key, chunk = tf.constant(key, tf.int64), tf.constant(chunk)
        return np.stack(
            [self._compiled["all"](features, key, tf.constant(t), chunk).numpy() for t in range(self.samples)]
        )


def as_float(images):
    """Images as float32: uint8 is divided by 255, floats stay as they are."""
    images = np.asarray(images)
    return images.astype(np.float32) / np.float32(255) if images.dtype == np.uint8 else images.astype(np.float32)


def _chunk_size(network):
    """Images per chunk, a power of two, so that the widest activation after the split stays bounded."""
    shape, widest = (1, *network.one_input_shape), 1
    for i, layer in enumerate(network.stack):
        if i >= network.split:
            widest = max(widest, int(np.prod(shape)))
        shape = tuple(layer.compute_output_shape(shape))
        if i >= network.split:
            widest = max(widest, int(np.prod(shape)))
    size = 2 ** int(np.log2(CHUNK_FLOATS / widest))
    return int(np.clip(size, 64, 8192))
