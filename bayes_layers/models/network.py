"""A stack of layers that knows where its randomness starts."""

import json
import zipfile

import numpy as np
import tensorflow as tf
import tf_keras

from bayes_layers.layers import dropout, flipout, initializers, randomness

CUSTOM_OBJECTS = {
    cls.__name__: cls
    for cls in (
        flipout.DenseFlipout,
        flipout.Convolution2DFlipout,
        dropout.MonteCarloDropout,
        initializers.Normal,
        initializers.GlorotUniform,
        initializers.Zeros,
    )
}


class Network(tf_keras.Model):
    """A stack of tf_keras layers, some of them stochastic, that ends in logits `[B, C]`.

    The network is split at its first layer that is sampled at prediction: what comes before is the same
    for all Monte-Carlo samples and need be computed once (`features`), only the rest is repeated
    (`sampled_logits`).
    """

    def __init__(self, layers, input_shape, description=None, **kwargs):
        """Builds the network and its weights.

        Args:
          layers: the layers in order; their names must differ.
          input_shape: shape of one input, e.g. `(28, 28, 1)`.
          description: dict of JSON values that is saved with the network, e.g. its settings.
          **kwargs: those of `tf_keras.Model`.
        """
        super().__init__(**kwargs)
        self.stack = list(layers)
        self.one_input_shape = tuple(int(size) for size in input_shape)
        self.description = dict(description or {})
        shape = tf.TensorShape((None, *self.one_input_shape))
        for layer in self.stack:
            with tf.name_scope(layer.name):
                layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.num_classes = int(shape[-1])
        self.built = True

    def call(self, inputs, training=None, seed=None):
        """Logits `[B, C]` of inputs `[B, ...]`, every example with its own network.

        Args:
          inputs: `[B, ...]`.
          training: whether dropout is on.
          seed: int64 tensor `[2]`, or None for the layers' own seeds.

        Returns:
          Logits `[B, C]`.
        """
        return self._apply(inputs, 0, len(self.stack), training, seed)

    @property
    def split(self):
        """Index of the first layer that is sampled at prediction; the number of layers if there is none."""
        return next((i for i, layer in enumerate(self.stack) if _is_stochastic(layer)), len(self.stack))

    @property
    def is_stochastic(self):
        """Whether two predictions for one input can differ."""
        return self.split < len(self.stack)

    @property
    def bayesian_layers(self):
        """The layers that have a posterior over their weights, in order."""
        return [layer for layer in self.stack if hasattr(layer, "kl")]

    def features(self, inputs):
        """The output of the deterministic layers before the split."""
        return self._apply(inputs, 0, self.split, False, None)

    def sampled_logits(self, features, seed, sampling="weights"):
        """Logits `[B, C]` of one Monte-Carlo sample.

        Args:
          features: what `features` returned, `[B, ...]`.
          seed: int64 tensor `[2]`.
          sampling: "weights" for one draw of the weights that all inputs share (Zeng et al. 2018,
            appendix B), "image" for one per input.

        Returns:
          Logits `[B, C]`.
        """
        if sampling == "image":
            return self._apply(features, self.split, len(self.stack), False, seed)
        outputs = features
        for i in range(self.split, len(self.stack)):
            layer = self.stack[i]
            if _is_stochastic(layer):
                outputs = layer.apply_draw(outputs, layer.draw(randomness.fold_in(seed, i)))
            else:
                outputs = self._apply(outputs, i, i + 1, False, None)
        return outputs

    def _apply(self, outputs, first, last, training, seed):
        for i in range(first, last):
            layer = self.stack[i]
            arguments = {"training": training} if layer._expects_training_arg else {}
            if seed is not None and hasattr(layer, "draw"):
                arguments["seed"] = randomness.fold_in(seed, i)
            outputs = layer(outputs, **arguments)
        return outputs

    def kl(self):
        """KL[q || p] in nats, summed over all Bayesian layers; a scalar, 0 without any."""
        return tf.add_n([layer.kl() for layer in self.bayesian_layers] or [tf.constant(0.0)])

    def initial_values(self, seed):
        """Fresh initial values of the trainable weights, in their order, for a seed tensor `[2]`."""
        values = []
        for i, layer in enumerate(self.stack):
            values += _initial_values(layer, randomness.fold_in(seed, i))
        return values

    def assign(self, values):
        """Assigns values to the trainable weights, in their order."""
        for weight, value in zip(self.trainable_weights, values, strict=True):
            weight.assign(value)

    def weight_arrays(self):
        """The trainable weights as a dict from name to array."""
        return {weight.name.split(":")[0]: weight.numpy() for weight in self.trainable_weights}

    def assign_arrays(self, arrays):
        """Assigns what `weight_arrays` returned.

        Raises:
          ValueError: if names or shapes are not this network's.
        """
        expected = {name: value.shape for name, value in self.weight_arrays().items()}
        found = {name: np.shape(value) for name, value in arrays.items()}
        if expected != found:
            raise ValueError(f"these weights are not of this network: it has {expected}, they are {found}")
        self.assign([arrays[weight.name.split(":")[0]] for weight in self.trainable_weights])

    def to_arrays(self):
        """Configuration and weights as a dict of arrays, for `np.savez`."""
        config = {
            "layers": [{"class": type(layer).__name__, "config": _layer_config(layer)} for layer in self.stack],
            "input_shape": self.one_input_shape,
            "description": dict(self.description),
        }
        weights = {f"weight/{name}": value for name, value in self.weight_arrays().items()}
        return {"network": np.array(json.dumps(config)), **weights}

    @classmethod
    def from_arrays(cls, arrays):
        """The network of `to_arrays`."""
        config = json.loads(str(arrays["network"]))
        layers = [
            tf_keras.layers.deserialize(
                {"class_name": entry["class"], "config": entry["config"]}, custom_objects=CUSTOM_OBJECTS
            )
            for entry in config["layers"]
        ]
        network = cls(layers, config["input_shape"], config["description"])
        prefix = "weight/"
        network.assign_arrays({name[len(prefix) :]: value for name, value in arrays.items() if name.startswith(prefix)})
        return network

    def save(self, path):
        """Saves configuration and weights to one `.npz` file; `load_network` reads it."""
        with open(path, "wb") as file:
            np.savez(file, **self.to_arrays())


def load_network(path):
    """Loads a network that `Network.save` wrote, or the one in a record's checkpoint.

    Args:
      path: the `.npz` file.

    Returns:
      A `Network`.

    Raises:
      ValueError: if the file is not such a file, or is damaged.
      FileNotFoundError: if there is none.
    """
    try:
        with open(path, "rb") as opened, np.load(opened) as file:
            arrays = {name: file[name] for name in file.files}
    except (zipfile.BadZipFile, EOFError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is not a saved network, or is damaged: {error}") from error
    if "network" not in arrays:
        raise ValueError(f"{path} holds no network")
    return Network.from_arrays(arrays)


def _is_stochastic(layer):
    return bool(getattr(layer, "is_stochastic", False))


def _layer_config(layer):
    config = layer.get_config()
    for name, value in config.items():
        if isinstance(value, tf_keras.initializers.Initializer):
            config[name] = tf_keras.initializers.serialize(value)
    return config


def _initial_values(layer, seed):
    if hasattr(layer, "initial_values"):
        return layer.initial_values(seed)
    values = []
    for number, weight in enumerate(layer.trainable_weights):
        kind = weight.name.split(":")[0].split("/")[-1]
        initializer = getattr(layer, f"{kind}_initializer", None)
        if not isinstance(initializer, initializers.StatelessInitializer):
            raise ValueError(
                f"{layer.name}'s {kind} has no initialiser of bayes_layers.layers.initializers; "
                "it cannot be drawn anew from a seed"
            )
        values.append(initializer.values(weight.shape, randomness.fold_in(seed, number)))
    return values
