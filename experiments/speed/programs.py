"""The package's XLA programs as files, to be checked and timed on any XLA runtime.

For every architecture three programs: `train`, a chunk of minibatch steps of Adam on the negative ELBO, `step`, the
gradients of one such step, and `score`, the samples of a scoring pass over a chunk of images. Each is a StableHLO
module in its portable serialisation (`PROGRAM.mlirbc`), with example inputs (`PROGRAM.inputs.npz`: arg0, arg1, ... in
the program's order, the variables last) and a line in `programs.json` that says what it computes, and how much. `train`
returns the new variables in the memory of the old ones: a runtime that runs it again has to pass them again.
"""

import pathlib

import numpy as np

from bayes_layers.config import NetworkSettings
from experiments.records import files

STEPS, SAMPLES, LABELS, BATCH, IMAGES = 64, 10, 256, 64, 1024


def export(directory, archs, estimator="flipout"):
    """Writes the programs of some architectures to a directory.

    Raises:
      OSError: if it cannot be written.
    """
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    listed = []
    for arch in archs:
        for name, make in PROGRAMS.items():
            function, arguments, work = make(arch, estimator)
            program, inputs = stablehlo(function, arguments)
            stem = f"{arch}-{name}"
            files.write_bytes(directory / f"{stem}.mlirbc", program)
            files.write_bytes(directory / f"{stem}.inputs.npz", files.npz_bytes(inputs))
            listed.append({"program": f"{stem}.mlirbc", "inputs": f"{stem}.inputs.npz", "arch": arch, **work})
            print(f"{stem}: {len(program):,} bytes", flush=True)
    files.write_json(directory / "programs.json", listed)


def train_program(arch, estimator="flipout"):
    """The compiled loop of `ElboTrainer`, with arguments for `STEPS` steps; `(function, arguments, what it does)`."""
    import tensorflow as tf

    from bayes_layers import ElboTrainer
    from bayes_layers.inference.training import minibatches
    from bayes_layers.streams import stream_key

    trainer = ElboTrainer(_network(arch, estimator), batch_size=BATCH, jit_compile=True)
    random = np.random.default_rng(0)
    images = tf.constant(random.random((LABELS, 28, 28, 1), np.float32))
    labels = tf.constant(random.integers(0, 10, LABELS).astype(np.int32))
    order = tf.constant(minibatches(0, 0, LABELS, STEPS * BATCH // LABELS, BATCH))
    key = tf.constant(stream_key(0, "noise", 0), tf.int64)

    def train(images, labels, order, weight, key):
        start, count, before = tf.constant(0), tf.constant(STEPS), tf.constant(0)
        weights = tf.fill([order.shape[0]], weight)
        return trainer._run_steps(images, labels, order, start, count, before, weights, key)

    function = tf.function(train, autograph=False, jit_compile=True)
    work = {"work": "train", "steps": STEPS, "batch_size": BATCH}
    return function, (images, labels, order, tf.constant(1.0 / LABELS), key), work


def step_program(arch, estimator="flipout"):
    """The gradients of one minibatch step; see `train_program`."""
    import tensorflow as tf

    from bayes_layers import ElboTrainer
    from bayes_layers.layers.randomness import make_seed

    trainer = ElboTrainer(_network(arch, estimator), batch_size=BATCH)
    images = tf.constant(np.random.default_rng(0).random((BATCH, 28, 28, 1), np.float32))
    arguments = (images, tf.range(BATCH) % 10, tf.ones([BATCH]), tf.constant(1.0 / LABELS), make_seed(1, 2))
    function = tf.function(trainer.gradients, autograph=False, jit_compile=True)
    return function, arguments, {"work": "step", "steps": 1, "batch_size": BATCH}


def score_program(arch, estimator="flipout"):
    """A scoring pass of `PosteriorPredictive`: the moments of BALD over `SAMPLES` samples of a chunk of images."""
    import tensorflow as tf

    from bayes_layers import PosteriorPredictive
    from bayes_layers.uncertainty import scores
    from bayes_layers.uncertainty.acquisitions import MOMENTS_OF_SCORE

    network = _network(arch, estimator)
    predictive = PosteriorPredictive(network, SAMPLES, jit_compile=True)
    images = tf.constant(np.random.default_rng(0).random((IMAGES, 28, 28, 1), np.float32))
    samples = predictive.samples

    def score(images, key):
        accumulators = scores.empty_accumulators(MOMENTS_OF_SCORE["bald"], IMAGES, network.num_classes)
        features = network.features(images)
        return predictive._loop(features, key, tf.constant(0), tf.constant(0), tf.constant(samples), accumulators, ())

    function = tf.function(score, autograph=False, jit_compile=True)
    work = {"work": "score", "images": IMAGES, "samples": samples}
    return function, (images, tf.constant(1, tf.int64)), work


PROGRAMS = {"train": train_program, "step": step_program, "score": score_program}


def stablehlo(function, arguments):
    """The portable StableHLO of a compiled function, and its inputs.

    Args:
      function: a `tf.function` with `jit_compile=True`.
      arguments: its arguments, tensors.

    Returns:
      `(bytes, dict)`: the program, and arrays `arg0`, `arg1`, ...: the arguments, then the variables that it
      reads, as XLA orders them.
    """
    program = function.experimental_get_compiler_ir(*arguments)(stage="stablehlo_serialized")
    captured = function.get_concrete_function(*arguments).captured_inputs
    arrays = [argument.numpy() for argument in arguments] + [_value(tensor) for tensor in captured]
    return program, {f"arg{i}": array for i, array in enumerate(arrays)}


def _value(tensor):
    import tensorflow as tf

    if tensor.dtype != tf.resource:
        return tensor.numpy()
    handle = tensor._handle_data.shape_and_type[0]
    return tf.raw_ops.ReadVariableOp(resource=tensor, dtype=tf.dtypes.as_dtype(handle.dtype)).numpy()


def _network(arch, estimator):
    from bayes_layers import build_network
    from bayes_layers.layers.randomness import make_seed

    network = build_network(NetworkSettings(arch=arch, estimator=estimator))
    network.assign(network.initial_values(make_seed(0)))
    return network
