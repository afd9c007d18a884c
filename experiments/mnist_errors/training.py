"""Training with a commit per epoch, and the record of the predictions."""

import numpy as np

from bayes_layers.streams import stream_generator, stream_key
from experiments.errors import UserError
from experiments.mnist_errors.measures import measures
from experiments.records import arrays, facts

CHECKPOINT, PREDICTIONS = "checkpoint.npz", "predictions.npz"
VALIDATION_SHARE = 6  # one in six: 10,000 of MNIST's 60,000


def split(size, seed):
    """Data-set indices of the images to learn from and to validate on: 50,000 and 10,000 of MNIST's 60,000."""
    order = stream_generator(seed, "validation").permutation(size)
    count = size // VALIDATION_SHARE
    return np.sort(order[count:]), np.sort(order[:count])


def train(config, dataset, directory, tell):
    """Trains the network, or goes on from the last finished epoch.

    Args:
      config: an `UncertaintyConfig`.
      dataset: a `Dataset`.
      directory: of the record.
      tell: called with a line after each epoch.

    Returns:
      The trained `Network`.

    Raises:
      UserError: if the loss is not finite.
    """
    from bayes_layers import ElboTrainer
    from bayes_layers.inference.prediction import as_float
    from bayes_layers.inference.training import NonFiniteLossError
    from bayes_layers.layers.randomness import make_seed
    from bayes_layers.models import zharikov

    learned, _ = split(len(dataset.train_images), config.seed)
    images, labels = as_float(dataset.train_images[learned]), dataset.train_labels[learned]
    network = zharikov.build_network(config.network_settings, images.shape[1:], dataset.num_classes)
    trainer = ElboTrainer(network, learning_rate=config.learning_rate, batch_size=config.batch_size)
    found = arrays.read(directory / CHECKPOINT)
    if found is None:
        network.assign(network.initial_values(make_seed(stream_key(config.seed, "weights"))))
        curve = []
    else:
        curve = found[0]["curve"]
        prefix = "weight/"
        network.assign_arrays({n.removeprefix(prefix): a for n, a in found[1].items() if n.startswith(prefix)})
        trainer.assign_optimizer_arrays(found[1])
    for epoch in range(len(curve), config.epochs):
        try:
            part = trainer.fit(images, labels, epochs=1, kl_weight=1 / len(images), seed=config.seed, first_epoch=epoch)
        except NonFiniteLossError as error:
            raise UserError(f"{error}; try a smaller --learning_rate (now {config.learning_rate:g})") from error
        curve.append({name: float(values[0]) for name, values in part.items()})
        arrays.write(directory / CHECKPOINT, {"curve": curve}, {**network.to_arrays(), **trainer.optimizer_arrays()})
        tell(f"epoch {epoch + 1} of {config.epochs}: NLL {curve[-1]['nll']:.4f}, KL {curve[-1]['kl']:.0f} nats")
    return network


def predict(config, network, dataset, directory):
    """Predicts the validation images with posterior samples, and records what they say."""
    from bayes_layers import PosteriorPredictive

    _, validation = split(len(dataset.train_images), config.seed)
    predictive = PosteriorPredictive(network, config.num_samples)
    key = stream_key(config.seed, "posterior")
    images, parts, step = dataset.train_images[validation], [], 1000
    for start in range(0, len(images), step):
        parts.append(measures(predictive.probabilities(images[start : start + step], key)))
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    labels = dataset.train_labels[validation]
    head = {
        "settings": config.identity,
        "dataset": dataset.name,
        "images": len(images),
        "error": float(np.mean(found["predicted"] != labels)),
        "versions": facts.versions(),
        "git_commit": facts.git_commit(),
    }
    arrays.write(directory / PREDICTIONS, head, {**found, "label": labels, "index": validation, "image": images})
