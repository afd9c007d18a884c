"""The posterior predictive by Monte Carlo, streamed (Zeng et al. 2018, appendix B).

    p(y = c | x, D)  ~  1/T sum_t p(y = c | x, w_t),   w_t ~ q(w)

The network's deterministic layers run once per image, only the rest T times, and each sample is folded
into running moments: memory grows neither with images x samples nor with samples.

Images pass through the network in *tiles*, few enough that a layer's activations stay in the processor's cache, and
several tiles make a *chunk*, whose moments are accumulated sample by sample. The last tile is filled up with zeros, so
that an image's prediction does not depend on how many others there are.
"""

import time

import numpy as np
import tensorflow as tf

from bayes_layers.inference.race import Race
from bayes_layers.layers.randomness import make_seed
from bayes_layers.uncertainty import racing, scores
from bayes_layers.uncertainty.acquisitions import MOMENTS_OF_SCORE

SAMPLINGS = ("weights", "image")
TILE_FLOATS = 3 * 2**20  # activations of a layer for one tile: 12 MiB
CHUNK_FLOATS = 2**25  # features of a chunk: 128 MiB
FEATURE_TILE = 256
DRAW_BYTES = 2**28  # draws of all samples are kept for the length of a pass, if they are not larger
SECONDS_BETWEEN_LOOKS = 1.0
ERROR = 1e-3  # of a race: probability that not all of the best survive


class PosteriorPredictive:
    """Predicts with T draws from a network's posterior; built once per run.

    Sample t is the same draw whatever images are asked about (`sampling="weights"`), because it depends on
    the key and on t alone.
    """

    def __init__(self, network, num_samples=100, sampling="weights", jit_compile=False):
        """Prepares prediction.

        Args:
          network: a `Network`, in its final precision.
          num_samples: T; a network without stochastic layers needs, and takes, only one.
          sampling: "weights" for one draw of the weights for all images, "image" for one per image.
          jit_compile: compile the scoring of a chunk of images as one XLA computation.

        Raises:
          ValueError: for fewer than one sample, or another sampling.
        """
        if num_samples < 1:
            raise ValueError(f"num_samples={num_samples} is not valid: it is at least 1")
        if sampling not in SAMPLINGS:
            raise ValueError(f"sampling={sampling} is not valid: it takes {' or '.join(SAMPLINGS)}")
        self.network = network
        self.samples = num_samples if network.is_stochastic else 1
        self.sampling = sampling
        self.jit_compile = jit_compile
        self.tile_size, self.chunk_size = _sizes(network, sampling, jit_compile)
        self._features = tf.function(network.features, autograph=False, jit_compile=jit_compile, reduce_retracing=True)
        self._compiled = {}
        self._portion = 4  # samples between two looks of the host, adapted to the time that they take

    def mean(self, images, key, progress=None):
        """The predictive distribution: mean probabilities float64 `[B, C]`; see `moments`."""
        return self.moments(images, key, ("mean",), progress)["mean"]

    def scores(self, images, key, acquisition, progress=None, indices=None, best=None):
        """The acquisition scores of images; see `bayes_layers.uncertainty.scores` and `moments`.

        Args:
          images: as of `moments`.
          key: as of `moments`.
          acquisition: a key of `MOMENTS_OF_SCORE`.
          progress: as of `moments`; with `best`, `done_images` are those that are scored or dropped.
          indices: as of `moments`.
          best: None, or how many of the largest scores are wanted: images that have no chance of being among
            them are dropped after a few samples, in a race that loses one of the best with a probability of at most
            `ERROR` (`bayes_layers.inference.race`).

        Returns:
          float64 `[B]`; -inf for images that were dropped.

        Raises:
          ValueError: for an unknown acquisition.
        """
        scores.check_name(acquisition)
        indices = np.arange(len(images)) if indices is None else indices
        if best and self.can_race(len(indices), best):
            return Race(self, images, key, acquisition, best, ERROR).run(indices, progress)
        moments = self.moments(images, key, MOMENTS_OF_SCORE[acquisition], progress, indices)
        return np.asarray(scores.score_from_moments(acquisition, moments))

    def can_race(self, num_images, best):
        """Whether there is anything to save: enough samples, enough images, and more than a small last layer drawn."""
        is_large = num_images >= max(20 * best, 16 * self.tile_size)
        is_costly = self.network.sampled_operations >= 10**5
        return self.sampling == "weights" and self.samples >= 20 and is_large and is_costly

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
        draws = self.draws(key) if len(indices) > self.chunk_size else ()
        parts = []
        for number, size, features in self.chunks(images, indices):

            def chunk_progress(done_samples, before=number * self.chunk_size, size=size):
                if progress:
                    progress(before + size * done_samples // self.samples, len(indices))

            accumulators = self._accumulate_all(tuple(needs), features, key, number, draws, chunk_progress)
            parts.append({name: value.numpy()[:size] for name, value in accumulators.items()})
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return {name: np.asarray(value) for name, value in scores.finish(joined, self.samples).items()}

    def probabilities(self, images, key):
        """All samples, float32 `[S, B, C]`: for few images, since this does grow with S x B."""
        draws = self.draws(key) if len(images) > self.chunk_size else ()
        parts = [
            self._all_samples(features, key, number, draws)[:, :size]
            for number, size, features in self.chunks(images, np.arange(len(images)))
        ]
        return np.concatenate(parts, axis=1)

    def chunks(self, images, indices):
        """Yields the number of each chunk, its size, and the features of its images, filled up to whole tiles."""
        if not len(indices):
            raise ValueError("there is no image to predict")
        for number, start in enumerate(range(0, len(indices), self.chunk_size)):
            chunk = indices[start : start + self.chunk_size]
            yield number, len(chunk), self.features(images[chunk])

    def features(self, images):
        """The features of images, filled up with zeros to whole tiles."""
        images = as_float(images)
        unit = self.chunk_size if self.jit_compile else self.tile_size
        rows = -(-len(images) // unit) * unit
        step = min(rows, FEATURE_TILE)
        images = _resized(images, -(-len(images) // step) * step)
        parts = [self._features(images[i : i + step]) for i in range(0, len(images), step)]
        joined = [tf.concat(part, axis=0) if len(part) > 1 else part[0] for part in zip(*parts, strict=True)]
        return tuple(_resized(feature, rows) for feature in joined)

    def draws(self, key):
        """The draws of all samples: a tuple of stacked tensors, or () where each is better drawn when it is needed."""
        if self.sampling == "image" or not self.network.is_stochastic:
            return ()
        if "draws" not in self._compiled:
            function = tf.function(self._stacked_draws, autograph=False, jit_compile=self.jit_compile)
            outputs = function.get_concrete_function(tf.TensorSpec([], tf.int64)).structured_outputs
            self._draw_bytes = sum(leaf.shape.num_elements() * leaf.dtype.size for leaf in outputs)
            self._compiled["draws"] = function
        return self._compiled["draws"](tf.constant(key, tf.int64)) if self._draw_bytes <= DRAW_BYTES else ()

    def _stacked_draws(self, key):
        self._draw_structure = self.network.draw(make_seed(key, 0))
        example = _leaves(self._draw_structure)
        stacks = tuple(tf.TensorArray(leaf.dtype, self.samples, element_shape=leaf.shape) for leaf in example)

        def body(t, stacks):
            leaves = _leaves(self.network.draw(make_seed(key, t)))
            return t + 1, tuple(stack.write(t, leaf) for stack, leaf in zip(stacks, leaves, strict=True))

        _, stacks = tf.while_loop(lambda t, _: t < self.samples, body, (0, stacks), parallel_iterations=1)
        return tuple(stack.stack() for stack in stacks)

    def sample(self, features, key, t, chunk, draws):
        """Probabilities `[B, C]` of sample t for features of whole tiles."""
        if self.sampling == "image":
            counter = tf.cast(t, tf.int64) + tf.cast(chunk, tf.int64) * self.samples
            return tf.nn.softmax(self.network.sampled_logits(features, make_seed(key, counter), "image"))
        if draws:
            leaves = iter([stack[t] for stack in draws])
            draw = tf.nest.map_structure(lambda leaf: None if leaf is None else next(leaves), self._draw_structure)
        else:
            draw = self.network.draw(make_seed(key, t))
        if self.jit_compile:
            return tf.nn.softmax(self.network.apply_draw(features, draw))
        return self._in_tiles(features, draw)

    def _in_tiles(self, features, draw):
        tiles = tf.shape(features[0])[0] // self.tile_size
        parts = tf.TensorArray(tf.float32, tiles, element_shape=[self.tile_size, self.network.num_classes])

        def body(i, parts):
            start = i * self.tile_size
            tile = tuple(feature[start : start + self.tile_size] for feature in features)
            tile = tuple(tf.ensure_shape(x, [self.tile_size, *x.shape[1:]]) for x in tile)
            return i + 1, parts.write(i, tf.nn.softmax(self.network.apply_draw(tile, draw)))

        _, parts = tf.while_loop(lambda i, _: i < tiles, body, (0, parts), parallel_iterations=1)
        return tf.reshape(parts.stack(), [-1, self.network.num_classes])

    def _accumulate_all(self, needs, features, key, chunk, draws, progress):
        """All samples of a chunk, in portions of about a second, between which the host has control."""
        accumulators = scores.empty_accumulators(needs, len(features[0]), self.network.num_classes)
        done, count = 0, self._portion
        while done < self.samples:
            count = min(count, self.samples - done)
            began = time.perf_counter()
            accumulators = self.accumulate(features, key, chunk, done, count, accumulators, draws)
            next(iter(accumulators.values())).numpy()
            done += count
            progress(done)
            count = max(1, int(SECONDS_BETWEEN_LOOKS * count / (time.perf_counter() - began)))
        self._portion = count
        return accumulators

    def accumulate(self, features, key, chunk, start, count, accumulators, draws):
        """Adds the samples `start` to `start + count - 1` to the accumulators, in one compiled computation."""
        scalars = (tf.constant(key, tf.int64), *(tf.constant(x, tf.int32) for x in (chunk, start, count)))
        return self._call("accumulate", self._loop, features, *scalars, accumulators, draws)

    def _call(self, name, function, *arguments):
        """Calls a function that is compiled once for arguments of this structure, whatever their numbers of rows."""
        specs = tf.nest.map_structure(lambda x: tf.TensorSpec([None, *x.shape[1:]][: x.shape.rank], x.dtype), arguments)
        key = f"{name} {specs}"
        if key not in self._compiled:
            self._compiled[key] = tf.function(
                function, autograph=False, jit_compile=self.jit_compile, input_signature=specs
            )
        return self._compiled[key](*arguments)

    def _loop(self, features, key, chunk, start, count, accumulators, draws):
        def body(t, accumulators):
            sample = self.sample(features, key, t, chunk, draws)
            return t + 1, scores.accumulate(accumulators, sample, t)

        _, accumulators = tf.while_loop(
            lambda t, _: t < start + count, body, (start, accumulators), parallel_iterations=1
        )
        return accumulators

    def collect(self, name, features, key, start, count, accumulators, evidence, threshold, draws):
        """`accumulate` that also collects what the samples say against each image in a race.

        Args:
          name: the acquisition function.
          features, key, start, count, accumulators, draws: as of `accumulate`.
          evidence: as of `racing.collect`.
          threshold: score that is at least needed.

        Returns:
          `(accumulators, evidence)`.
        """

        def loop(features, key, start, count, accumulators, evidence, threshold, draws):
            line = racing.tangent(name, accumulators, tf.maximum(start, 1), threshold)

            def body(t, accumulators, evidence):
                p = self.sample(features, key, t, 0, draws)
                new = racing.collect(name, evidence, line, accumulators, p, t, self.samples, threshold)
                has_tangent = start > 0  # nothing is known before the first samples
                evidence = tf.nest.map_structure(lambda a, b: tf.where(has_tangent, a, b), new, evidence)
                return t + 1, scores.accumulate(accumulators, p, t), evidence

            _, accumulators, evidence = tf.while_loop(
                lambda t, *_: t < start + count, body, (start, accumulators, evidence), parallel_iterations=1
            )
            return accumulators, evidence

        scalars = (tf.constant(key, tf.int64), tf.constant(start, tf.int32), tf.constant(count, tf.int32))
        threshold = tf.constant(threshold, tf.float64)
        return self._call(f"collect {name}", loop, features, *scalars, accumulators, evidence, threshold, draws)

    def _all_samples(self, features, key, chunk, draws):
        key, chunk = tf.constant(key, tf.int64), tf.constant(chunk)
        call = lambda t: self._call("sample", self.sample, features, key, tf.constant(t), chunk, draws)  # noqa: E731
        return np.stack([call(t).numpy() for t in range(self.samples)])


def as_float(images):
    """Images as float32: uint8 is divided by 255, floats stay as they are."""
    images = np.asarray(images)
    return images.astype(np.float32) / np.float32(255) if images.dtype == np.uint8 else images.astype(np.float32)


def _resized(rows, count):
    """The first `count` rows, filled up with zeros."""
    if count <= len(rows):
        return rows[:count]
    widths = [(0, count - len(rows))] + [(0, 0)] * (len(rows.shape) - 1)
    return np.pad(rows, widths) if isinstance(rows, np.ndarray) else tf.pad(rows, widths)


def _leaves(draws):
    return [leaf for leaf in tf.nest.flatten(draws) if leaf is not None]


def _sizes(network, sampling, jit_compile):
    """Images per tile and per chunk, powers of two, so that activations after the split, and features, are bounded."""
    shapes = [(1, *network.one_input_shape)]
    for layer in network.stack:
        shapes.append(tuple(layer.compute_output_shape(shapes[-1])))
    sizes = [int(np.prod(shape)) for shape in shapes]
    if sampling == "image" or jit_compile:
        chunk = _power_of_two(CHUNK_FLOATS / max(sizes[network.split :]))
        return chunk, chunk
    tile = _power_of_two(TILE_FLOATS / max(sizes[network.split :]))
    return tile, max(tile, _power_of_two(CHUNK_FLOATS / sizes[network.split]))


def _power_of_two(size):
    return int(np.clip(2 ** int(np.log2(size)), 64, 8192))
