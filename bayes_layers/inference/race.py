"""The race for the best scores: images without a chance are dropped, the others get all samples.

The images that survive have the scores that full scoring would give them, from the same draws. The rules by which
images are dropped are in `bayes_layers.uncertainty.racing`; they compare with a score that is *known* to be needed:

1. A part of the images gets a few samples, and the best of it all of them. The k-th largest of the complete scores is
   the threshold: whatever the other images do, the k-th best score is not smaller.
2. All images get the samples up to the next stage's end, chunk by chunk; within a chunk, whoever is hopeless at one of
   the rule's boundaries leaves.
3. The most promising survivors are completed, which raises the threshold; on with 2 for the survivors, in chunks
   made anew, until all samples are in.

The union over the k best makes the probability that any of them is lost at most `error`.
"""

import numpy as np
import tensorflow as tf

from bayes_layers.uncertainty import racing, scores
from bayes_layers.uncertainty.acquisitions import MOMENTS_OF_SCORE

PILOT_SHARE, PILOT_SAMPLES = 32, 8  # the pilot: one image in 32, 8 samples
COMPLETED = 128  # images that are completed at a time, at least
ROUNDING = 1e-6  # relative: scores that float32 cannot tell apart are ties


class Race:
    """One race; see `PosteriorPredictive.scores`."""

    def __init__(self, predictive, images, key, acquisition, best, error):
        """Prepares a race for the `best` largest scores of `acquisition`."""
        self.predictive, self.images, self.key = predictive, images, key
        self.name, self.best, self.error = acquisition, best, error
        self.needs = MOMENTS_OF_SCORE[acquisition]
        self.samples = predictive.samples
        self.image_samples = 0  # how many pairs of image and sample were computed
        self._boundaries = racing.boundaries(acquisition, self.samples)

    def run(self, indices, progress=None):
        """Scores the images with these indices `[B]`.

        Returns:
          float64 `[B]`, -inf for images that were dropped.
        """
        self.indices = np.asarray(indices)
        self.result = np.full(len(indices), -np.inf)
        self.is_complete = np.zeros(len(indices), bool)
        self._progress = (lambda done: progress(done, len(indices))) if progress else (lambda done: None)
        self._draws = self.predictive.draws(self.key)
        self._pilot()
        alive, state, start = np.flatnonzero(~self.is_complete), None, 0
        for stop in self._stage_ends():
            if not len(alive):
                break
            if state is not None:
                alive, state = self._complete_best(alive, state, start)
            alive, state = self._stage(alive, state, start, stop)
            start = stop
        if len(alive):
            self.result[alive] = self._scores(state[0])
        return self.result

    def _stage_ends(self):
        """Ends of stages: where much has been dropped, so that making chunks anew is worth while."""
        wanted = (30, 60) if self.name in racing.SELF_NORMALISED else (20, 40)
        return [*(b for b in wanted if b in self._boundaries[:-1]), self.samples]

    def _pilot(self):
        positions = np.arange(0, len(self.indices), PILOT_SHARE)
        count = self._completed_at_a_time()
        if len(positions) < count:
            positions = np.arange(min(len(self.indices), count))
        accumulators = []
        for size, features in self._chunks(positions):
            part = self._accumulate(features, 0, PILOT_SAMPLES, self._empty(len(features[0])))
            accumulators.append(_first(part, size))
        self._complete(positions, _concatenate(accumulators), PILOT_SAMPLES)

    def _completed_at_a_time(self):
        return max(COMPLETED, 2 * self.best)

    def _complete_best(self, alive, state, seen):
        """Completes the survivors with the best scores so far, raises the threshold, and returns the others."""
        remaining = self._complete(alive, state[0], seen)
        return alive[remaining], _take(state, remaining)

    def _complete(self, positions, accumulators, seen):
        """Gives the best of some images all samples; returns which were not among them (places in `positions`)."""
        order = np.argsort(-self._scores(accumulators, seen), kind="stable")
        chosen = np.sort(order[: self._completed_at_a_time()])
        for places in np.split(chosen, range(self.predictive.chunk_size, len(chosen), self.predictive.chunk_size)):
            ((size, features),) = self._chunks(positions[places])
            start = _padded(_take(accumulators, places), len(features[0]))
            final = self._accumulate(features, seen, self.samples - seen, start)
            self.result[positions[places]] = self._scores(_first(final, size))
            self.is_complete[positions[places]] = True
        self.threshold = float(np.sort(self.result)[-self.best]) * (1.0 - ROUNDING)
        return np.setdiff1d(np.arange(len(positions)), chosen)

    def _stage(self, alive, state, start, stop):
        """Samples `start` to `stop - 1` for all survivors; returns who is left, with their state."""
        left, states, before = [], [], 0
        decided = len(self.indices) - len(alive)
        boundaries = [b for b in self._boundaries if start < b <= stop]
        for size, features in self._chunks(alive):
            chunk = alive[before : before + size]
            if start == 0:
                part = self._empty(size), racing.new_evidence(self.name, size)
            else:
                part = _take(state, np.arange(before, before + size))
            chunk, part = self._run_chunk(chunk, features, part, start, boundaries)
            left.append(chunk)
            states.append(part)
            before += size
            decided += size - len(chunk)
            self._progress(decided)
        if not left:
            return alive, state
        return np.concatenate(left), _concatenate(states)

    def _run_chunk(self, chunk, features, state, start, boundaries):
        rows = np.arange(len(chunk))  # of `features`, of those who are left
        for stop in boundaries:
            if not len(rows):
                break
            unit = len(features[0]) if self.predictive.jit_compile else self.predictive.tile_size
            size = -(-len(rows) // unit) * unit
            if size < len(features[0]):
                features = _take(features, np.resize(rows, size))
                rows = np.arange(len(rows))
            padded = _scatter(state, rows, len(features[0]))
            padded = self._collect(features, start, stop - start, *padded)
            state = _take(padded, rows)
            hopeless = racing.is_hopeless(self.name, state[1], stop, self.samples, self.error / self.best).numpy()
            keep = np.flatnonzero(~hopeless) if stop < self.samples else np.arange(len(rows))
            chunk, rows, state, start = chunk[keep], rows[keep], _take(state, keep), stop
        return chunk, state

    def _chunks(self, positions):
        for start in range(0, len(positions), self.predictive.chunk_size):
            chunk = positions[start : start + self.predictive.chunk_size]
            yield len(chunk), self.predictive.features(self.images[self.indices[chunk]])

    def _accumulate(self, features, start, count, accumulators):
        self.image_samples += len(features[0]) * count
        return self.predictive.accumulate(features, self.key, 0, start, count, accumulators, self._draws)

    def _collect(self, features, start, count, accumulators, evidence):
        self.image_samples += len(features[0]) * count
        return self.predictive.collect(
            self.name, features, self.key, start, count, accumulators, evidence, self.threshold, self._draws
        )

    def _empty(self, size):
        return scores.empty_accumulators(self.needs, size, self.predictive.network.num_classes)

    def _scores(self, accumulators, seen=None):
        moments = scores.finish(accumulators, self.samples if seen is None else seen)
        return scores.score_from_moments(self.name, moments).numpy()


def _take(tensors, rows):
    return tf.nest.map_structure(lambda x: tf.gather(x, rows), tensors)


def _first(tensors, size):
    return tf.nest.map_structure(lambda x: x[:size], tensors)


def _padded(tensors, size):
    return _scatter(tensors, np.arange(len(tf.nest.flatten(tensors)[0])), size)


def _scatter(tensors, rows, size):
    """Tensors of `size` rows, zero but for those given."""
    return tf.nest.map_structure(
        lambda x: tf.scatter_nd(np.asarray(rows)[:, None], x, tf.constant([size, *x.shape[1:]])), tensors
    )


def _concatenate(parts):
    return tf.nest.map_structure(lambda *leaves: tf.concat(leaves, axis=0), *parts)
