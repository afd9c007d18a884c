"""One way to every network: by the name in `settings.arch`."""

from bayes_layers.models import shridhar, zeng
from bayes_layers.models.architectures import IMAGE_NETWORKS


def build_network(settings, input_shape=(28, 28, 1), num_classes=10):
    """Builds a network by its name.

    Args:
      settings: a `bayes_layers.config.NetworkSettings`.
      input_shape: shape of one image.
      num_classes: number of classes.

    Returns:
      A `Network` with logits `[B, num_classes]`.

    Raises:
      ValueError: if the network does not take images of that shape.
    """
    builder = shridhar if settings.arch in IMAGE_NETWORKS else zeng
    return builder.build_network(settings, input_shape, num_classes)
