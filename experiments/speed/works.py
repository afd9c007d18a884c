"""The works that are timed; each gives one row."""

import time

import numpy as np

from bayes_layers.config import NetworkSettings
from bayes_layers.processor import resolve_precision
from experiments.speed import floor
from experiments.speed.baseline import in_turn

SIZES = {"score_pool": 60000, "predict_test": 10000}
SAMPLES, PICKS, BATCH = 100, 10, 64
LABELS, EPOCHS = 100, 100  # of the network whose posterior predicts
STEPS = 32
KEY = 1


class Bench:
    """What all works share: settings, images, the naive process, the machine's rates."""

    def __init__(self, config, dataset, naive, rates):
        self.config, self.dataset, self.naive, self.rates = config, dataset, naive, rates
        self.pool = enlarged(dataset.train_images, max(config.images, 1024) + LABELS)
        self.precision = resolve_precision(config.precision, NetworkSettings())
        self.rates_of_naive = {}
        self._fitted = {}

    def network(self, arch):
        """A network that was fitted to a few labels, so that racing has something to see."""
        from bayes_layers import ElboTrainer, build_network
        from bayes_layers.layers.randomness import make_seed

        if arch not in self._fitted:
            network = build_network(NetworkSettings(arch=arch, estimator=self.config.estimator))
            network.assign(network.initial_values(make_seed(0)))
            network.precision = self.precision
            images = self.pool[-LABELS:].astype(np.float32) / 255
            labels = np.resize(self.dataset.train_labels, len(self.pool))[-LABELS:]
            ElboTrainer(network).fit(images, labels, epochs=EPOCHS, kl_weight=1 / LABELS, seed=0)
            self._fitted = {arch: network}
        return self._fitted[arch]

    def naive_pass(self, arch, images):
        """Seconds of the naive way for one pass over so many images."""
        count = images // 1000 * 1000
        seconds = self.naive.seconds("pass", arch, count)
        self.rates_of_naive[arch] = count / seconds
        return seconds * images / count


def train_step(bench, arch):
    """One minibatch of 64: gradients of the ELBO and Adam."""
    from bayes_layers import ElboTrainer, build_network

    network = build_network(NetworkSettings(arch=arch, estimator=bench.config.estimator))
    network.precision = bench.precision
    trainer = ElboTrainer(network)
    images = bench.pool[:1024].astype(np.float32) / 255
    labels = np.arange(1024) % 10
    trainer.fit(images[:BATCH], labels[:BATCH], epochs=3, kl_weight=1e-3, seed=0)

    def ours():
        return _seconds(lambda: trainer.fit(images, labels, epochs=2, kl_weight=1e-3, seed=0)) / STEPS

    naive, our = in_turn(lambda: bench.naive.seconds("train_step", arch, STEPS), ours, bench.config.repeats)
    count, size = floor.training_operations(network, BATCH), floor.weight_bytes(network)
    return _row("train_step", arch, naive, our, floor.floor_seconds(bench.rates, bench.precision, count, size))


def score_pool(bench, arch):
    """Variation ratios of 60,000 images with 100 samples, for the ten best."""
    return _prediction(bench, arch, "score_pool", "var_ratios")


def predict_test(bench, arch):
    """The predictive distribution of 10,000 images with 100 samples."""
    return _prediction(bench, arch, "predict_test", None)


def _prediction(bench, arch, work, acquisition):
    from bayes_layers import PosteriorPredictive
    from bayes_layers.inference.race import Race

    network, images = bench.network(arch), bench.pool[: min(bench.config.images, SIZES[work])]
    predictive, computed = PosteriorPredictive(network, SAMPLES), []
    is_race = work == "score_pool" and bench.config.scoring == "race" and predictive.can_race(len(images), PICKS)

    def ours():
        if is_race:
            race = Race(predictive, images, KEY, acquisition, PICKS, 1e-3)
            seconds = _seconds(lambda: race.run(np.arange(len(images))))
            computed.append(race.image_samples)
        elif work == "score_pool":
            seconds = _seconds(lambda: predictive.scores(images, KEY, acquisition))
        else:
            seconds = _seconds(lambda: predictive.mean(images, KEY))
        return seconds * SIZES[work] / len(images)

    ours()
    passes = SAMPLES if network.is_stochastic else 1
    scale = passes * SIZES[work] / len(images)
    naive, our = in_turn(lambda: scale * bench.naive_pass(arch, len(images)), ours, bench.config.repeats)
    image_samples = (computed[-1] if computed else predictive.samples * len(images)) * SIZES[work] / len(images)
    count = floor.prediction_operations(network, image_samples, SIZES[work])
    seconds = floor.floor_seconds(bench.rates, bench.precision, count, SIZES[work] * images[0].size)
    return _row(work, arch, naive, our, seconds, acquisition)


def picks_agreement(bench, arch):
    """Racing's picks among those of full scoring, for every acquisition function; nothing is timed."""
    from bayes_layers import PosteriorPredictive
    from bayes_layers.inference.prediction import ERROR
    from bayes_layers.inference.race import Race
    from bayes_layers.uncertainty import scores
    from bayes_layers.uncertainty.acquisitions import MOMENTS, MOMENTS_OF_SCORE

    predictive, images = PosteriorPredictive(bench.network(arch), SAMPLES), bench.pool[: bench.config.images]
    if not predictive.network.is_stochastic:
        return []
    moments = predictive.moments(images, KEY, MOMENTS)
    rows = []
    for acquisition in MOMENTS_OF_SCORE:
        full = np.asarray(scores.score_from_moments(acquisition, moments))
        raced = Race(predictive, images, KEY, acquisition, PICKS, ERROR).run(np.arange(len(images)))
        picks = [set(np.argsort(-values, kind="stable")[:PICKS]) for values in (full, raced)]
        rows.append(_row("picks_agreement", arch, None, None, None, acquisition, len(picks[0] & picks[1]) / PICKS))
    return rows


WORKS = {
    "train_step": train_step,
    "score_pool": score_pool,
    "predict_test": predict_test,
    "picks_agreement": picks_agreement,
}


def enlarged(images, count):
    """`count` images: the first of those given, and beyond them, copies moved by up to two pixels.

    A pool as large as MNIST's is wanted also where only the digits are to be had.
    """
    if count <= len(images):
        return images[:count]
    shifts = np.random.default_rng(0).integers(-2, 3, (count, 2))
    shifts[: len(images)] = 0
    copies = np.resize(np.arange(len(images)), count)
    return np.stack([np.roll(images[i], shift, (0, 1)) for i, shift in zip(copies, shifts, strict=True)])


def _seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _row(work, arch, naive, ours, least, acquisition=None, agreement=None):
    is_timed = ours is not None
    return {
        "work": work,
        "arch": arch,
        "acquisition": acquisition,
        "naive_s": naive,
        "ours_s": ours,
        "ratio": naive / ours if is_timed else None,
        "floor_share": least / ours if is_timed else None,
        "agreement": agreement,
    }
