"""The package's XLA programs as files, to be checked and timed on any XLA runtime.

For every architecture: `train`, minibatch steps of Adam on the negative ELBO, `step`, the gradients of one such step,
and `score`, samples of a scoring pass over a chunk of images; and of the naive way (`experiments.naive`), compiled too,
`naive_step`, a minibatch step, and `naive_pass`, one sample of 1,000 images. Each is a StableHLO module in its portable
serialisation, with inputs in the program's order (the variables last) and, but for the naive ones, whose noise is
TensorFlow's own, with what TensorFlow's own kernels make of those inputs on the machine that wrote them.

`programs.json` says what each computes, and how much; `arrays.npz` holds every array once. A count of steps or samples
is an argument (`count_argument`): `check` is the count that the outputs are for, `time` the count that a run of the
package passes. `experiments.run_programs` reads the directory.
"""

import hashlib
import pathlib
import warnings

import numpy as np

from bayes_layers.config import NetworkSettings
from experiments.records import files
from experiments.speed import floor
from experiments.speed.stored import ARRAYS, LISTED

BATCH, LABELS, NAIVE_BATCH = 64, 256, 1000
CHECKED = {"train": 4, "score": 4}  # steps and samples
TIMED = {"train": 256, "score": 100}


def export(directory, archs, works, *, estimator="flipout", precision="float32", replicas=1):
    """Writes the programs of some architectures to a directory.

    Args:
      directory: made if need be; what an earlier export wrote is replaced.
      archs: names.
      works: names of `PROGRAMS`; "train" alone with several replicas.
      estimator, precision: as of `NetworkSettings`, and "float32" or "bfloat16", of the package's programs.
      replicas: networks side by side in `train`.

    Raises:
      OSError: if it cannot be written.
    """
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    listed, arrays = [], {}
    for arch in archs:
        for name in works:
            made = PROGRAMS[name](Example(arch, estimator, precision, replicas))
            inputs = inputs_of(made["function"], made["arguments"])
            outputs = outputs_of(made["reference"], made["arguments"]) if "reference" in made else []
            entry = {
                "program": f"{arch}-{name}.mlirbc",
                "work": name,
                "arch": arch,
                "inputs": _keep(arrays, inputs),
                "outputs": _keep(arrays, outputs),
                **made["facts"],
            }
            program = stablehlo(made["function"], made["arguments"], "stablehlo_serialized")
            files.write_bytes(directory / entry["program"], program)
            listed.append(entry)
            print(f"{entry['program']}: {len(program):,} bytes", flush=True)
    files.write_bytes(directory / ARRAYS, files.npz_bytes(arrays, compressed=True))
    files.write_json(directory / LISTED, listed)


class Example:
    """What a program is made for: a network of one architecture, and images."""

    def __init__(self, arch, estimator="flipout", precision="float32", replicas=1):
        self.arch, self.replicas = arch, replicas
        self._estimator, self._precision = estimator, precision

    def network(self):
        """The network, in its initial state."""
        from bayes_layers import build_network
        from bayes_layers.layers.randomness import make_seed

        network = build_network(NetworkSettings(arch=self.arch, estimator=self._estimator))
        network.precision = self._precision
        network.assign(network.initial_values(make_seed(0)))
        return network

    def rows(self, count, *axes):
        """So many images `[*axes, count, 28, 28, 1]` of random grey levels, sixteen of them, so that files are small.

        Real images are even in places, where the maximum of a pooling window is a tie that rounding decides.
        """
        levels = np.random.default_rng(0).integers(0, 16, (*axes, count, 28, 28, 1), np.int32)
        return levels.astype(np.float32) / np.float32(15)

    def facts(self, **work):
        """The entry of `programs.json`."""
        return {"precision": self._precision, "estimator": self._estimator, **work}


def train_program(example):
    """The compiled loop of `ElboTrainer`, or of `ReplicaTrainer`; a count of steps is among its arguments."""
    import tensorflow as tf

    from bayes_layers import ElboTrainer
    from bayes_layers.inference import ReplicaTrainer
    from bayes_layers.inference.training import minibatches
    from bayes_layers.streams import stream_key

    count, network = example.replicas, example.network()

    def trainer_of(jit_compile):
        settings = {"batch_size": BATCH, "jit_compile": jit_compile}
        if count == 1:
            return ElboTrainer(example.network(), **settings)
        trainer = ReplicaTrainer(network, count, **settings)
        for stack, weight in zip(trainer._stacked, network.trainable_weights, strict=True):
            stack.assign(tf.stack([weight] * count))
        return trainer

    axes = () if count == 1 else (count,)
    steps = TIMED["train"]
    order = [minibatches(seed, 0, LABELS, steps * BATCH // LABELS, BATCH) for seed in range(count)]
    arguments = (
        example.rows(LABELS, *axes),
        np.broadcast_to(np.arange(LABELS, dtype=np.int32) % 10, [*axes, LABELS]),
        np.stack(order, axis=1) if axes else order[0],
        np.full([steps], 1 / LABELS, np.float32),
        np.array([stream_key(seed, "noise", 0) for seed in range(count)], np.int64).reshape(axes),
        np.int32(CHECKED["train"]),
    )

    def loop(jit_compile):
        trainer = trainer_of(jit_compile)

        def train(images, labels, order, weights, keys, count):
            start, before = tf.constant(0), tf.constant(0)
            return trainer._run_steps(images, labels, order, start, count, before, weights, keys)

        return tf.function(train, autograph=False, jit_compile=jit_compile)

    facts = example.facts(
        count_argument=5,
        check=CHECKED["train"],
        time=TIMED["train"],
        replicas=count,
        operations=count * floor.training_operations(network, BATCH),
        bytes=count * floor.weight_bytes(network),
    )
    return {"function": loop(True), "reference": loop(False), "arguments": _tensors(arguments), "facts": facts}


def step_program(example):
    """Loss, NLL, KL and gradients of one minibatch step."""
    import tensorflow as tf

    from bayes_layers import ElboTrainer
    from bayes_layers.layers.randomness import make_seed

    gradients = ElboTrainer(example.network(), batch_size=BATCH).gradients
    arguments = _tensors((example.rows(BATCH), np.arange(BATCH, dtype=np.int32) % 10, np.ones([BATCH], np.float32)))
    arguments = (*arguments, tf.constant(1.0 / LABELS), make_seed(1, 2))
    return {
        "function": tf.function(gradients, autograph=False, jit_compile=True),
        "reference": tf.function(gradients, autograph=False),
        "arguments": arguments,
        "facts": example.facts(),
    }


def score_program(example, images=0):
    """Samples of a pass of `PosteriorPredictive`, as moments of BALD, over `images` images; 0 for a whole chunk."""
    import tensorflow as tf

    from bayes_layers import PosteriorPredictive
    from bayes_layers.uncertainty import scores
    from bayes_layers.uncertainty.acquisitions import MOMENTS_OF_SCORE

    network = example.network()
    samples = TIMED["score"] if network.is_stochastic else 1
    compiled = PosteriorPredictive(network, samples, jit_compile=True)
    rows = example.rows(images or compiled.chunk_size)

    def loop(predictive):
        def score(images, key, count):
            features = network.features(images)
            accumulators = scores.empty_accumulators(MOMENTS_OF_SCORE["bald"], len(rows), network.num_classes)
            zero = tf.constant(0)
            return predictive._loop(features, key, zero, zero, count, accumulators, ())

        return tf.function(score, autograph=False, jit_compile=predictive.jit_compile)

    facts = example.facts(
        count_argument=2,
        check=min(CHECKED["score"], samples),
        time=samples,
        images=len(rows),
        operations=floor.prediction_operations(network, samples * len(rows), len(rows)),
        bytes=rows.nbytes,
    )
    return {
        "function": loop(compiled),
        "reference": loop(PosteriorPredictive(network, samples)),
        "arguments": _tensors((rows, np.int64(1), np.int32(facts["check"]))),
        "facts": facts,
    }


def naive_step_program(example):
    """A minibatch step of the naive way, compiled by XLA."""
    import tensorflow as tf

    naive, model = _naive(example)
    model.optimizer.build(model.trainable_variables)
    arguments = _tensors((example.rows(BATCH), np.arange(BATCH, dtype=np.int32) % 10))
    function = tf.function(naive.train_step_of(model), autograph=False, jit_compile=True)
    return {"function": function, "arguments": arguments, "facts": {"precision": "float32"}}


def naive_pass_program(example):
    """One sample of 1,000 images the naive way, compiled by XLA."""
    import tensorflow as tf

    naive, model = _naive(example)
    predict = naive.prediction_of(model)
    function = tf.function(predict, autograph=False, jit_compile=True)
    arguments = _tensors((example.rows(NAIVE_BATCH),))
    return {"function": function, "arguments": arguments, "facts": {"precision": "float32", "images": NAIVE_BATCH}}


def _naive(example):
    """The module and its network, with the weights of ours."""
    from experiments import naive

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tfp.layers call what tf_keras has deprecated
        model = naive.make_model(example.arch, LABELS)
    for weight, ours in zip(model.trainable_variables, example.network().trainable_weights, strict=True):
        weight.assign(ours)
    return naive, model


PROGRAMS = {
    "train": train_program,
    "step": step_program,
    "score": score_program,
    "naive_step": naive_step_program,
    "naive_pass": naive_pass_program,
}


def stablehlo(function, arguments, stage="stablehlo"):
    """The StableHLO of a compiled function: text, or bytes if the stage is "stablehlo_serialized"."""
    return function.experimental_get_compiler_ir(*arguments)(stage=stage)


def inputs_of(function, arguments):
    """The inputs of a compiled function's program: the arguments, then the variables that it reads, as XLA has them."""
    captured = function.get_concrete_function(*arguments).captured_inputs
    return [argument.numpy() for argument in arguments] + [_value(tensor) for tensor in captured]


def outputs_of(function, arguments):
    """What a function makes of its arguments, a list of arrays; a program's outputs begin with them."""
    import tensorflow as tf

    return [np.asarray(output) for output in tf.nest.flatten(function(*arguments)) if output is not None]


def _keep(arrays, values):
    """Adds arrays to those that are there, each once; their names. `NAME*16` is sixteen times the same, stacked."""
    names = []
    for value in values:
        times = ""
        if value.ndim > 1 and len(value) > 1 and (value == value[:1]).all():
            value, times = value[0], f"*{len(value)}"
        digest = hashlib.sha256(f"{value.dtype} {value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
        name = digest.hexdigest()[:16]
        arrays[name] = value
        names.append(name + times)
    return names


def _tensors(arrays):
    import tensorflow as tf

    return tuple(tf.constant(array) for array in arrays)


def _value(tensor):
    import tensorflow as tf

    if tensor.dtype != tf.resource:
        return tensor.numpy()
    handle = tensor._handle_data.shape_and_type[0]
    return tf.raw_ops.ReadVariableOp(resource=tensor, dtype=tf.dtypes.as_dtype(handle.dtype)).numpy()
