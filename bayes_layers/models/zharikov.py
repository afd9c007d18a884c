"""The convolutional network of Zharikov, Isachenko & Bochkarev's report on MNIST, every layer Bayesian.

Convolution 5x5, 32, tanh - 2x2 max pooling - convolution 5x5, 32, tanh - 2x2 max pooling - dense 64, tanh - dense C.
The report does not say how convolutions are padded; here they are not.
"""

import tf_keras

from bayes_layers.models.bayesian_layers import bayesian_layers, description_of
from bayes_layers.models.network import Network


def build_network(settings, input_shape=(28, 28, 1), num_classes=10):
    """Builds the network.

    Args:
      settings: a `bayes_layers.config.NetworkSettings`; of its architecture nothing is used.
      input_shape: shape of one image.
      num_classes: number of classes C.

    Returns:
      A `Network` with logits `[B, C]`.
    """
    convolution, dense = bayesian_layers(settings)
    layers = [
        convolution(32, 5, activation="tanh", name="Conv1"),
        tf_keras.layers.MaxPooling2D(2, name="Pool1"),
        convolution(32, 5, activation="tanh", name="Conv2"),
        tf_keras.layers.MaxPooling2D(2, name="Pool2"),
        tf_keras.layers.Flatten(name="Flatten"),
        dense(64, activation="tanh", name="Dense1"),
        dense(num_classes, name="Dense2"),
    ]
    return Network(layers, input_shape, description_of(settings), name="zharikov")
