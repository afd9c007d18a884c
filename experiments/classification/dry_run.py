"""What a run would do: settings, path, work and memory, without doing it."""

import dataclasses
import math

from bayes_layers.inference.prediction import PosteriorPredictive
from bayes_layers.models.registry import build_network
from experiments import datasets
from experiments.classification.config import GROUPS, objective, split_sizes
from experiments.classification.place import record_path, stored_settings
from experiments.records.checkpoint import read
from experiments.records.layout import IMAGE_CLASSIFICATION
from experiments.records.paths import text_of
from experiments.records.record import read_config


def describe(config, dataset):
    """A text with the resolved settings, the record's path, and the expected work and memory.

    Args:
      config: a `ClassificationConfig`.
      dataset: the data set's name.

    Returns:
      str.
    """
    path = record_path(config, dataset)
    resolved = stored_settings(config, path, dataset)
    lines = ["settings"]
    for group in GROUPS:
        for field in dataclasses.fields(group):
            value = text_of(resolved.get(field.name, getattr(config, field.name)))
            lines.append(f"  {field.name:<16}{'-' if field.name in config.meaningless else value}")
    lines += ["record", f"  {path} ({_progress(config, path)})", "work", *_work(config, dataset)]
    return "\n".join(lines)


def _progress(config, path):
    if read_config(path) is None:
        return "does not exist yet"
    state = read(path / "checkpoint", IMAGE_CLASSIFICATION)
    return f"{min(state.cycle if state else 0, config.epochs)} of {config.epochs} epochs are done"


def _work(config, dataset):
    train_images, test_images, classes = datasets.SIZES[dataset]
    learn, held_out = split_sizes(train_images, config.validation)
    network = build_network(config.network, datasets.IMAGE_SHAPES[dataset], classes)
    predictive = PosteriorPredictive(network, config.num_samples, config.sampling)
    weights = sum(int(weight.shape.num_elements()) for weight in network.trainable_weights)
    tests = len({*range(config.test_every, config.epochs + 1, config.test_every), config.epochs})
    draws = objective(config)[0]
    return [
        f"  images          {learn:,} to learn from, {held_out:,} for validation, {test_images:,} to test on",
        f"  training        {config.epochs} epochs of {-(-learn // config.batch_size):,} minibatch steps with "
        f"{draws} draw{'s' if draws > 1 else ''} of a network with {weights:,} weights",
        f"  validation      {config.epochs} x {2 * held_out:,} images x {predictive.samples} samples",
        f"  testing         {tests} x {test_images:,} images x {predictive.samples} samples",
        f"  memory          about {_gibibytes(config, dataset, network, predictive, weights):.1f} GiB, of which 0.7 "
        "GiB is TensorFlow itself",
    ]


def _gibibytes(config, dataset, network, predictive, weights):
    train_images, test_images, _ = datasets.SIZES[dataset]
    pixels = math.prod(datasets.IMAGE_SHAPES[dataset])
    shape, activations = (1, *network.one_input_shape), 0
    for layer in network.stack:
        shape = tuple(layer.compute_output_shape(shape))
        activations += math.prod(shape)
    size = (
        pixels * (train_images + test_images)  # one byte a pixel
        + 2 * 4 * pixels * train_images  # as floats, and once more while they are copied
        + 4 * 4 * weights  # weights, gradients, Adam's moments
        + 4 * 4 * activations * config.batch_size  # forward, squared, backward
        + 4 * 2 * activations * predictive.tile_size
    )
    return 0.7 + size / 2**30
