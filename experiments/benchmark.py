"""How fast: this package against the naive way, in turn, as medians and ratios.

Command: python -m experiments.benchmark [--quick] [--archs=BNN-1,BNN-2] [--works=train_step] [--json=FILE]

The naive way is `experiments.naive`: the same network from plain tfp.layers, float32, a compiled function per batch
(64 for training, 1,000 for prediction), and one full pass over the images per Monte-Carlo sample. It runs in a
process of its own. Works:

  train_step    one minibatch of 64: gradients of the ELBO and Adam
  score_pool    variation ratios of 60,000 images with 100 samples
  predict_test  the predictive distribution of 10,000 images with 100 samples

Naive prediction is timed over one pass and multiplied by the samples; ours is timed in full on `--images` images, and
scaled to the pool's size. The floor is the time that the necessary multiplications and additions take at the
machine's measured rate of float32 matrix products; its share of our time says what is left to win in that arithmetic.

Results: docs/benchmarks.md. Run time: about 25 minutes for all on two cores, 4 with --quick.
"""

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time

from bayes_layers.config import NetworkSettings
from bayes_layers.models.architectures import ARCHITECTURES
from bayes_layers.settings import SettingError, Settings, setting
from experiments import entry
from experiments.errors import UserError
from experiments.records import files

WORKS = ("train_step", "score_pool", "predict_test")
IMAGES = {"score_pool": 60000, "predict_test": 10000}
SAMPLES = 100


@dataclasses.dataclass(frozen=True)
class BenchmarkSettings(Settings):
    """Benchmark"""

    archs: str = setting("all", "Architectures, separated by commas, or all.", result=False)
    works: str = setting("all", f"Works, separated by commas: {', '.join(WORKS)}; or all.", result=False)
    repeats: int = setting(5, "How many times each side is timed, in turn.", minimum=1, result=False)
    images: int = setting(10000, "Images on which our prediction is timed.", minimum=1000, result=False)
    quick: bool = setting(False, "3 repeats, 4,000 images.", result=False)
    json: str = setting("", "A file for the rows, as a JSON list.", result=False)

    def __post_init__(self):
        super().__post_init__()
        for name, known in (("archs", ARCHITECTURES), ("works", WORKS)):
            unknown = set(self.chosen(name, known)) - set(known)
            if unknown:
                raise SettingError(
                    f"--{name}={getattr(self, name)} is not valid: it takes all, or names of {', '.join(known)}"
                )

    def chosen(self, name, known):
        """The names in a comma-separated setting."""
        value = getattr(self, name)
        return known if value == "all" else tuple(part.strip() for part in value.split(","))


class NaiveProcess:
    """The naive way in a process of its own; a context manager."""

    def __enter__(self):
        command = [sys.executable, "-W", "ignore", "-m", "experiments.naive", "--serve"]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        return self

    def __exit__(self, *exception):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def seconds(self, work, arch, count):
        """Asks for one timing."""
        self._process.stdin.write(json.dumps({"work": work, "arch": arch, "count": count}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise UserError("the naive baseline stopped; run `python -m experiments.naive --serve` to see why")
        return json.loads(answer)["seconds"]


def matmul_rate(size=2048, repeats=8):
    """Measured float32 operations per second of a square matrix product."""
    import tensorflow as tf

    product = tf.function(tf.matmul)
    a = tf.random.stateless_normal([size, size], [1, 2])
    product(a, a).numpy()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        product(a, a).numpy()
        times.append(time.perf_counter() - start)
    return 2 * size**3 / statistics.median(times)


def operations(network, is_training):
    """Floating-point operations per image: `(before the split, after it)`, of products and convolutions.

    Training counts three times the forward pass (and twice that for Bayesian layers, which Flipout applies twice).
    """
    shape, counts = (1, *network.one_input_shape), [0, 0]
    for i, layer in enumerate(network.stack):
        outputs = tuple(layer.compute_output_shape(shape))
        kernel = [w for w in layer.trainable_weights if w.name.endswith(("/kernel:0", "kernel_posterior_loc:0"))]
        if kernel:
            positions = outputs[1] * outputs[2] if len(outputs) == 4 else 1
            count = 2 * positions * int(kernel[0].shape.num_elements())
            if is_training:
                count *= 6 if hasattr(layer, "kl") else 3
            counts[i >= network.split] += count
        shape = outputs
    return counts


def time_train_step(arch, naive, config):
    """One row for the training step."""
    import numpy as np

    from bayes_layers import ElboTrainer, build_network

    network = build_network(NetworkSettings(arch=arch))
    trainer = ElboTrainer(network)
    images = np.random.default_rng(0).random((1024, 28, 28, 1), np.float32)
    labels = np.arange(1024) % 10
    trainer.fit(images[:64], labels[:64], epochs=3, kl_weight=1e-3, seed=0)

    def ours():
        start = time.perf_counter()
        trainer.fit(images, labels, epochs=2, kl_weight=1e-3, seed=0)
        return (time.perf_counter() - start) / 32

    naive_seconds, our_seconds = in_turn(lambda: naive.seconds("train_step", arch, 32), ours, config.repeats)
    return naive_seconds, our_seconds, 64 * sum(operations(network, True))


def time_prediction(work, arch, naive, config):
    """One row for scoring the pool or predicting the test set."""
    import numpy as np

    from bayes_layers import PosteriorPredictive, build_network

    network = build_network(NetworkSettings(arch=arch))
    predictive = PosteriorPredictive(network, SAMPLES)
    images = np.random.default_rng(0).integers(0, 256, (config.images, 28, 28, 1)).astype(np.uint8)
    scale = IMAGES[work] / config.images
    naive_samples = SAMPLES if network.is_stochastic else 1
    predict = (lambda: predictive.scores(images, 1, "var_ratios")) if work == "score_pool" else (
        lambda: predictive.mean(images, 1))  # fmt: skip
    predict()

    def ours():
        start = time.perf_counter()
        predict()
        return scale * (time.perf_counter() - start)

    passes = naive_samples * IMAGES[work] / config.images
    count = config.images // 1000 * 1000
    naive_seconds, our_seconds = in_turn(lambda: passes * naive.seconds("pass", arch, count), ours, config.repeats)
    once, often = operations(network, False)
    return naive_seconds, our_seconds, IMAGES[work] * (once + predictive.samples * often)


def in_turn(naive, ours, repeats):
    """Median seconds of both sides, timed alternately."""
    pairs = [(naive(), ours()) for _ in range(repeats)]
    return tuple(statistics.median(side) for side in zip(*pairs, strict=True))


def work(config):
    """Times everything that is asked for and prints a table.

    Args:
      config: a `BenchmarkSettings`.
    """
    if config.quick:
        config = config.replace(repeats=3, images=4000)
    entry.start_tensorflow()
    rate = matmul_rate()
    print(f"float32 matrix product: {rate / 1e9:.0f} GFLOP/s")
    print(f"{'work':<14}{'arch':<12}{'naive':>12}{'ours':>12}{'ratio':>8}{'floor share':>13}", flush=True)
    rows = []
    with NaiveProcess() as naive:
        for name in config.chosen("works", WORKS):
            for arch in config.chosen("archs", ARCHITECTURES):
                timed = time_train_step(arch, naive, config) if name == "train_step" else time_prediction(
                    name, arch, naive, config)  # fmt: skip
                rows.append(_row(name, arch, *timed, rate))
    if config.json:
        files.write_json(config.json, rows)


def _row(name, arch, naive_seconds, our_seconds, count, rate):
    row = {
        "work": name,
        "arch": arch,
        "acquisition": "var_ratios" if name == "score_pool" else None,
        "naive_s": naive_seconds,
        "ours_s": our_seconds,
        "ratio": naive_seconds / our_seconds,
        "floor_share": count / rate / our_seconds,
        "agreement": None,
    }
    unit, factor = ("ms", 1e3) if name == "train_step" else ("s", 1)
    print(
        f"{name:<14}{arch:<12}{factor * naive_seconds:>9.2f} {unit:<2}{factor * our_seconds:>9.2f} {unit:<2}"
        f"{row['ratio']:>7.1f}x{100 * row['floor_share']:>11.0f} %",
        flush=True,
    )
    return row


def main(argv=None):
    """The entry point; returns the exit code."""
    return entry.main(
        sys.argv if argv is None else argv,
        description=__doc__,
        config_class=BenchmarkSettings,
        groups=(BenchmarkSettings,),
        presets={},
        work=work,
    )


if __name__ == "__main__":
    sys.exit(main())
