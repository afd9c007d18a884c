"""The CNN of Zeng, Lesnikowski & Alvarez 2018 in the nine variants of its Tables 1 and 2."""

import tf_keras

from bayes_layers.layers import deterministic, dropout
from bayes_layers.models.architectures import BAYESIAN_LAYERS
from bayes_layers.models.bayesian_layers import bayesian_layers, description_of
from bayes_layers.models.network import Network


def build_network(settings, input_shape=(28, 28, 1), num_classes=10):
    """Builds one of the networks of Table 1.

    Section 3 of the paper: Conv1 (4x4, 32) - relu - Conv2 (4x4, 32) - relu - 2x2 max pooling -
    dropout 0.25 - Dense1 (128) - relu - dropout 0.5 - Dense2 (classes), modelled after the Keras MNIST CNN:
    unpadded convolutions of stride 1.

    Args:
      settings: a `bayes_layers.config.NetworkSettings`.
      input_shape: shape of one image.
      num_classes: number of classes.

    Returns:
      A `Network` with logits `[B, num_classes]`.
    """
    bayesian = BAYESIAN_LAYERS[settings.arch]
    bayesian_convolution, bayesian_dense = bayesian_layers(settings)

    def convolution(name):
        if name in bayesian:
            return bayesian_convolution(32, 4, activation="relu", name=name)
        return deterministic.DeterministicConvolution2D(32, 4, activation="relu", name=name)

    def dense(name, units, activation):
        if name in bayesian:
            return bayesian_dense(units, activation=activation, name=name)
        return deterministic.DeterministicDense(units, activation=activation, name=name)

    def drop(name, rate):
        return dropout.MonteCarloDropout(rate, settings.dropout_samples, name=name)

    layers = [
        convolution("Conv1"),
        convolution("Conv2"),
        tf_keras.layers.MaxPooling2D(2, name="Pool"),
        tf_keras.layers.Flatten(name="Flatten"),
        drop("Dropout1", 0.25),
        dense("Dense1", 128, "relu"),
        drop("Dropout2", 0.5),
        dense("Dense2", num_classes, None),
    ]
    return Network(layers, input_shape, description_of(settings), name=settings.arch)
