"""What a run would do: settings, path, work and memory, without doing it."""

import dataclasses
import math

from experiments import datasets
from experiments.active_learning.config import GROUPS
from experiments.active_learning.loop import stored_settings
from experiments.records import record
from experiments.records.checkpoint import read
from experiments.records.kept import cycles_in
from experiments.records.paths import record_path, text_of


def describe(config, dataset_name):
    """A text with the resolved settings, the record's path, and the expected work and memory.

    Args:
      config: an `ActiveLearningConfig`.
      dataset_name: "mnist" or "digits".

    Returns:
      str.
    """
    path = record_path(config, dataset_name)
    resolved = stored_settings(config, path, dataset_name)
    lines = ["settings"]
    for group in GROUPS:
        for field in dataclasses.fields(group):
            value = resolved.get(field.name, getattr(config, field.name))
            lines.append(f"  {field.name:<18}{text_of(value)}")
    lines += ["record", f"  {path} ({_progress(config, path)})", "work", *_work(config, dataset_name)]
    return "\n".join(lines)


def _progress(config, path):
    if record.read_config(path) is None:
        return "does not exist yet"
    if record.is_kept(path):
        done = cycles_in(path)
    else:
        state = read(path / "checkpoint")
        done = state.cycle + 1 if state else 0
    return f"{min(done, config.last_cycle + 1)} of {config.last_cycle + 1} cycles are done"


def _work(config, dataset_name):
    from bayes_layers.inference.prediction import DRAW_BYTES, PosteriorPredictive
    from bayes_layers.models.registry import build_network

    train_size, test_size, classes = datasets.SIZES[dataset_name]
    network = build_network(config, (28, 28, 1), classes)
    predictive = PosteriorPredictive(network, config.num_samples, config.sampling)
    scored = (
        0
        if config.acquisition == "random"
        else (min(config.pool_subset or train_size, train_size - config.initial_labels))
    )
    tests = sum(config.is_tested(cycle) for cycle in range(config.last_cycle + 1))
    weights = sum(int(weight.shape.num_elements()) for weight in network.trainable_weights)
    features, widest, activations = _activations(network)
    sampled = sum(int(w.shape.num_elements()) for layer in network.stack[network.split :] for w in layer.weights)
    megabytes = (
        700
        + (
            784 * (train_size + test_size)  # images, one byte a pixel
            + 4 * 4 * weights * config.replicas  # weights, gradients, Adam's momenta
            + 4 * config.epochs * config.max_labels * config.replicas  # the order of the minibatches
            + 4 * 3 * activations * config.batch_size * config.replicas  # forward, perturbed, backward
            + 4 * 2 * (widest * predictive.tile_size + features * predictive.chunk_size)
            + 2 * min(DRAW_BYTES, 4 * sampled * predictive.samples)  # the draws, while they are stacked
        )
        / 2**20
    )
    up_to = "up to " if config.scoring == "race" and predictive.can_race(scored, config.query_size) else ""
    return [
        f"  cycles          {config.last_cycle + 1}, from {config.initial_labels} to "
        f"{config.labels_at(config.last_cycle)} labels",
        f"  training        {config.training_steps():,} minibatch steps of a network with {weights:,} weights",
        f"  scoring         {config.last_cycle} x {scored:,} images x {up_to}{predictive.samples} samples",
        f"  testing         {tests} x {test_size:,} images x {predictive.samples} samples",
        f"  memory          about {megabytes / 1024:.1f} GiB, of which 0.7 GiB is TensorFlow itself",
    ]


def _activations(network):
    """Floats per image: of the features, of the widest layer's output from the split on, of all layers together."""
    shape, sizes = (1, *network.one_input_shape), [math.prod(network.one_input_shape)]
    for layer in network.stack:
        shape = tuple(layer.compute_output_shape(shape))
        sizes.append(math.prod(shape))
    return sizes[network.split], max(sizes[network.split :]), sum(sizes[1:])
