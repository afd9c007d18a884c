"""The naive way: what a TFP user writes. A frozen baseline; it imports nothing of this package.

The same network from plain tfp.layers and tf_keras, float32, `compile` and `fit` for every cycle on a fresh model, and
one full pass over the pool per Monte-Carlo sample. `experiments.benchmark` times this package against it.

Command: python -m experiments.naive --arch=BNN-2 --max_labels=30 --data_dir=DIRECTORY
prints one JSON line per cycle with its seconds, and one with the total. Data: MNIST through TFDS.
With `--serve` it instead answers the benchmark's requests, one JSON line each, on made-up images.
"""

import json
import sys
import time

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
import tensorflow_probability as tfp
import tf_keras
from absl import app, flags

FLAGS = flags.FLAGS
BAYESIAN = {
    "BNN": (1, 1, 1, 1),
    "BNN-1": (0, 0, 0, 1),
    "BNN-2": (0, 0, 1, 1),
    "BNN-3": (0, 1, 1, 1),
    "BNN1": (1, 0, 0, 0),
    "BNN2": (1, 1, 0, 0),
    "BNN3": (1, 1, 1, 0),
    "CNN": (0, 0, 0, 0),
    "MC-Dropout": (0, 0, 0, 0),
}


def define_flags():
    """Defines the flags of the command line."""
    flags.DEFINE_enum("arch", "BNN-2", list(BAYESIAN), "Which layers are Bayesian.")
    flags.DEFINE_integer("epochs", 200, "Epochs per cycle.")
    flags.DEFINE_integer("num_samples", 100, "Passes over the pool per cycle.")
    flags.DEFINE_integer("max_labels", 30, "Labels at the end, from 20 in steps of 10.")
    flags.DEFINE_string("data_dir", None, "TFDS directory.")
    flags.DEFINE_integer("seed", 0, "Random seed.")
    flags.DEFINE_bool("serve", False, "Answer timing requests from standard input.")


class AlwaysDropout(tf_keras.layers.Dropout):
    """Dropout that is on at prediction as well."""

    def call(self, inputs, training=None):
        """Drops units."""
        return super().call(inputs, training=True)


def make_model(arch, kl_divisor, mu_init=-3.0):
    """The CNN of Table 1 from plain tfp.layers, compiled; the KL is divided by `kl_divisor`."""
    bayesian = BAYESIAN[arch]
    dropout = AlwaysDropout if arch == "MC-Dropout" else tf_keras.layers.Dropout

    def layer(number, plain, flipout, *args, **kwargs):
        if not bayesian[number]:
            return plain(*args, **kwargs)
        posterior = tfp.layers.default_mean_field_normal_fn(
            loc_initializer=tf_keras.initializers.RandomNormal(stddev=0.1),
            untransformed_scale_initializer=tf_keras.initializers.RandomNormal(mean=mu_init, stddev=0.1),
        )
        return flipout(
            *args,
            **kwargs,
            kernel_posterior_fn=posterior,
            kernel_divergence_fn=lambda q, p, _: tfp.distributions.kl_divergence(q, p) / kl_divisor,
        )

    conv = (tf_keras.layers.Conv2D, tfp.layers.Convolution2DFlipout)
    dense = (tf_keras.layers.Dense, tfp.layers.DenseFlipout)
    model = tf_keras.Sequential(
        [
            layer(0, *conv, 32, 4, activation="relu"),
            layer(1, *conv, 32, 4, activation="relu"),
            tf_keras.layers.MaxPooling2D(2),
            dropout(0.25),
            tf_keras.layers.Flatten(),
            layer(2, *dense, 128, activation="relu"),
            dropout(0.5),
            layer(3, *dense, 10),
        ]
    )
    model.build((None, 28, 28, 1))
    model.compile(
        tf_keras.optimizers.Adam(learning_rate=0.001), tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    return model


def mean_probabilities(model, images, samples, batch_size=1000):
    """One full pass over the images per sample; a compiled function per batch."""
    predict = tf.function(prediction_of(model))
    total = np.zeros([len(images), 10])
    for _ in range(samples):
        for start in range(0, len(images), batch_size):
            total[start : start + batch_size] += predict(images[start : start + batch_size]).numpy()
    return total / samples


def train_step_of(model):
    """The function of one minibatch step."""

    def step(images, labels):
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            nll = tf_keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
            loss = tf.reduce_mean(nll) + sum(model.losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return step


def prediction_of(model):
    """The function of one sample of a batch."""
    return lambda batch: tf.nn.softmax(model(batch, training=False))


def train_step_seconds(arch, steps):
    """Seconds per minibatch of 64: one compiled function per batch."""
    step = tf.function(train_step_of(make_model(arch, 1000)))
    images, labels = tf.random.uniform([64, 28, 28, 1]), tf.random.uniform([64], maxval=10, dtype=tf.int32)
    for _ in range(3):
        step(images, labels).numpy()
    start = time.perf_counter()
    for _ in range(steps):
        loss = step(images, labels)
    loss.numpy()
    return (time.perf_counter() - start) / steps


def pass_seconds(arch, images):
    """Seconds of one pass over so many images in batches of 1,000: one sample."""
    predict = tf.function(prediction_of(make_model(arch, 1000)))
    batch = tf.random.uniform([1000, 28, 28, 1])
    predict(batch).numpy()
    start = time.perf_counter()
    for _ in range(images // 1000):
        predict(batch).numpy()
    return time.perf_counter() - start


def serve():
    """Answers requests `{"work": "train_step" or "pass", "arch": ..., "count": ...}` with `{"seconds": ...}`."""
    works = {"train_step": train_step_seconds, "pass": pass_seconds}
    for line in sys.stdin:
        request = json.loads(line)
        seconds = works[request["work"]](request["arch"], request["count"])
        print(json.dumps({"seconds": seconds}), flush=True)


def main(_):
    """Runs active learning with variation ratios, or serves."""
    if FLAGS.serve:
        serve()
        return
    tf_keras.utils.set_random_seed(FLAGS.seed)
    arrays = {}
    for split in ("train", "test"):
        batches = list(tfds.as_numpy(tfds.load("mnist", split=split, data_dir=FLAGS.data_dir).batch(1000)))
        arrays[split] = tuple(np.concatenate([b[name] for b in batches]) for name in ("image", "label"))
    images, labels = arrays["train"][0].astype(np.float32) / 255, arrays["train"][1]
    test_images, test_labels = arrays["test"][0].astype(np.float32) / 255, arrays["test"][1]
    order = np.random.permutation(len(images))
    labelled = np.concatenate([order[labels[order] == c][:2] for c in range(10)])
    began = time.perf_counter()
    while True:
        start = time.perf_counter()
        model = make_model(FLAGS.arch, len(labelled))
        model.fit(images[labelled], labels[labelled], batch_size=64, epochs=FLAGS.epochs, verbose=0)
        trained = time.perf_counter()
        mean = mean_probabilities(model, test_images, FLAGS.num_samples)
        tested = time.perf_counter()
        row = {"labels": len(labelled), "test_error": float(np.mean(mean.argmax(1) != test_labels))}
        row |= {"train_seconds": trained - start, "test_seconds": tested - trained}
        row["test_images_per_second"] = len(test_images) * FLAGS.num_samples / (tested - trained)
        finished = len(labelled) + 10 > FLAGS.max_labels
        if not finished:
            pool = np.setdiff1d(np.arange(len(images)), labelled)
            scores = 1 - mean_probabilities(model, images[pool], FLAGS.num_samples).max(1)
            row["score_seconds"] = time.perf_counter() - tested
            labelled = np.concatenate([labelled, pool[np.argsort(-scores)[:10]]])
        print(json.dumps(row), flush=True)
        if finished:
            break
    print(json.dumps({"total_seconds": time.perf_counter() - began}), flush=True)


if __name__ == "__main__":
    define_flags()
    app.run(main)
