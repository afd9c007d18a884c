"""How a network becomes one file, and is made from it again: its configuration as JSON, its weights as arrays."""

import json
import zipfile

import numpy as np
import tf_keras

from bayes_layers.layers import deterministic, dropout, flipout, initializers, local_reparameterization
from bayes_layers.layers.base import PRIOR_NAMES, kind_of, state_of

CUSTOM_OBJECTS = {
    cls.__name__: cls
    for cls in (
        deterministic.DeterministicConvolution2D,
        deterministic.DeterministicDense,
        local_reparameterization.DenseLocalReparameterization,
        local_reparameterization.Convolution2DLocalReparameterization,
        flipout.DenseFlipout,
        flipout.Convolution2DFlipout,
        dropout.MonteCarloDropout,
        initializers.Normal,
        initializers.GlorotUniform,
        initializers.Zeros,
    )
}


class Storable:
    """Mixin of `Network`: its weights, and the whole of it, as arrays by name."""

    def weight_arrays(self):
        """The weights, those of frozen layers too, as a dict from name to array.

        Left out are masks, counters of seeds, and priors that are trained posteriors (`prior_arrays`).
        """
        return {weight.name.split(":")[0]: weight.numpy() for weight in state_of(self)}

    def assign_arrays(self, arrays):
        """Assigns what `weight_arrays` returned.

        Raises:
          ValueError: if names or shapes are not this network's.
        """
        expected = {name: value.shape for name, value in self.weight_arrays().items()}
        found = {name: np.shape(value) for name, value in arrays.items()}
        if expected != found:
            raise ValueError(f"these weights are not of this network: it has {expected}, they are {found}")
        for weight in state_of(self):
            weight.assign(arrays[weight.name.split(":")[0]])

    def prior_arrays(self):
        """The weights of priors that are trained posteriors, as a dict from name to array."""
        return {weight.name.split(":")[0]: weight.numpy() for weight in self._prior_weights()}

    def _prior_weights(self):
        return [weight for weight in self.non_trainable_weights if kind_of(weight).endswith(PRIOR_NAMES)]

    def to_arrays(self):
        """Configuration and weights as a dict of arrays, for `np.savez`.

        The precision is no part of it: it belongs to the machine that computes.

        Raises:
          NotImplementedError: if a layer has a prior, or functions, that cannot be written down.
        """
        config = {
            "layers": [{"class": type(layer).__name__, "config": _layer_config(layer)} for layer in self.stack],
            "input_shape": self.one_input_shape,
            "description": dict(self.description),
        }
        weights = {f"weight/{name}": value for name, value in self.weight_arrays().items()}
        priors = {f"prior/{name}": value for name, value in self.prior_arrays().items()}
        masks = {f"mask/{layer.name}": layer.kernel_mask for layer in self.pruned_layers}
        return {"network": np.array(json.dumps(config)), **weights, **priors, **masks}

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
        network.assign_arrays(_with_prefix("weight/", arrays))
        for weight in network._prior_weights():
            weight.assign(arrays["prior/" + weight.name.split(":")[0]])
        for name, mask in _with_prefix("mask/", arrays).items():
            network.get_layer(name).kernel_mask = mask
        return network

    def save(self, path):
        """Saves configuration and weights to one `.npz` file; `load_network` reads it."""
        arrays = self.to_arrays()
        with open(path, "wb") as file:
            np.savez(file, **arrays)


def read_arrays(path):
    """The arrays in a file that `Network.save` wrote, or in a record's checkpoint.

    Args:
      path: the `.npz` file.

    Returns:
      What `Network.to_arrays` returned.

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
    return arrays


def _with_prefix(prefix, arrays):
    return {name[len(prefix) :]: value for name, value in arrays.items() if name.startswith(prefix)}


def _layer_config(layer):
    config = layer.get_config()
    for name, value in config.items():
        if isinstance(value, tf_keras.initializers.Initializer):
            config[name] = tf_keras.initializers.serialize(value)
    return config
