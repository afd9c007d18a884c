"""A stack of layers that knows where its randomness starts."""

import tensorflow as tf
import tf_keras

from bayes_layers.layers import dropout, initializers, randomness
from bayes_layers.layers.base import kernel_weight, kind_of
from bayes_layers.layers.products import PRECISIONS, ConvolutionProduct, DenseProduct, Products
from bayes_layers.models.storage import Storable, read_arrays
from bayes_layers.processor import has_matrix_units

MONOTONE_ACTIVATIONS = tuple(
    getattr(tf_keras.activations, name) for name in ("linear", "relu", "softplus", "tanh", "sigmoid", "elu")
)


class Network(Storable, tf_keras.Model):
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

        Raises:
          ValueError: if two layers have one name, or the layers do not take inputs of this shape.
        """
        super().__init__(**kwargs)
        self.stack = list(layers)
        names = [layer.name for layer in self.stack]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the names of layers must differ: there are several called {', '.join(twice)}")
        self.one_input_shape = tuple(int(size) for size in input_shape)
        self.description = dict(description or {})
        shape = tf.TensorShape((None, *self.one_input_shape))
        for layer in self.stack:
            with tf.name_scope(layer.name):
                layer.build(shape)
            shape = layer.compute_output_shape(shape)
            if any(size is not None and size < 1 for size in shape):
                raise ValueError(
                    f"inputs {self.one_input_shape} are too small: nothing is left of them behind {layer.name}"
                )
        self.num_classes = int(shape[-1])
        self.built = True
        self.precision = "float32"

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

    @property
    def pruned_layers(self):
        """The layers that have a mask on their kernel (`bayes_layers.pruning`), in order."""
        return [layer for layer in self.stack if getattr(layer, "kernel_mask", None) is not None]

    @property
    def precision(self):
        """Precision of convolutions and matrix products, "float32" or "bfloat16"; what makes the logits is float32.

        On an NVIDIA GPU TensorFlow takes TF32 for float32 unless the program says, as the package's own do,
        `tf.config.experimental.enable_tensor_float_32_execution(False)`.
        """
        return self._precision

    @precision.setter
    def precision(self, name):
        if name not in PRECISIONS:
            raise ValueError(f"precision={name} is not valid: it takes {' or '.join(PRECISIONS)}")
        self._precision = name
        products = [layer for layer in self.stack if isinstance(layer, Products)]
        for layer in products:
            layer.precision = name if layer is not products[-1] else "float32"

    @property
    def sampled_operations(self):
        """Floating-point operations per image and Monte-Carlo sample, of convolutions and matrix products."""
        return sum(operations(self)[self.split :])

    def features(self, inputs):
        """What all Monte-Carlo samples have in common.

        Args:
          inputs: `[B, ...]`.

        Returns:
          A tuple of tensors `[B, ...]`: the output of the deterministic layers before the split, in the
          dtype of the next product, and, if that product has a reduced precision, its part with the mean kernel.
        """
        outputs = self._apply(inputs, 0, self.split, False, None)
        product = self._first_product()
        if product is None or product.product_dtype(kernel_weight(product)) == tf.float32:
            return (outputs,)
        factor = tf.cast(outputs, product.product_dtype(kernel_weight(product)))
        is_first = product is self.stack[self.split] and hasattr(product, "mean_outputs")
        return (factor, product.mean_outputs(outputs)) if is_first else (factor,)

    def _first_product(self):
        """The layer that multiplies the features, if nothing but a shared dropout mask comes in between."""
        following = self.stack[self.split : self.split + 2]
        if following and not isinstance(following[0], Products):
            following = following[1:] if self._scales_rows(self.split) else []
        return following[0] if following else None

    def draw(self, seed):
        """One draw of everything that is random at prediction, for `apply_draw`.

        Args:
          seed: int64 tensor `[2]`.

        Returns:
          A tuple of the stochastic layers' draws.
        """
        draws = []
        for i, layer in enumerate(self.stack):
            if _is_stochastic(layer):
                # The first layer's mean is the same for all samples. Behind it, two products in bfloat16 are made of
                # one, which only matrix units do faster.
                arguments = {"apart": i == self.split or has_matrix_units()} if hasattr(layer, "mean_outputs") else {}
                draws.append(layer.draw(randomness.fold_in(seed, i), **arguments))
        return tuple(draws)

    def apply_draw(self, features, draws):
        """Logits `[B, C]` of inputs that share one draw (Zeng et al. 2018, appendix B).

        Args:
          features: what `features` returned.
          draws: what `draw` returned.

        Returns:
          Logits `[B, C]`.
        """
        outputs, draws, i, row_scale = features[0], list(draws), self.split, None
        while i < len(self.stack):
            layer, after = self.stack[i], self._after(i)
            arguments = {"pool": self.stack[i + 1]} if after > i + 1 else {}
            if row_scale is not None:
                arguments["row_scale"], row_scale = row_scale, None
            if not _is_stochastic(layer):
                outputs = layer(outputs, **arguments, **_inference_mode(layer))
            elif self._scales_rows(i):
                row_scale = draws.pop(0)
            else:
                if i == self.split and len(features) > 1:
                    arguments["mean_outputs"] = features[1]
                outputs = layer.apply_draw(outputs, draws.pop(0), **arguments)
            i = after
        return tf.cast(outputs, tf.float32)

    def sampled_logits(self, features, seed, sampling="weights"):
        """Logits `[B, C]` of one Monte-Carlo sample.

        Args:
          features: what `features` returned.
          seed: int64 tensor `[2]`.
          sampling: "weights" for one draw of the weights that all inputs share, "image" for one per input.

        Returns:
          Logits `[B, C]`.
        """
        if sampling == "image":
            return self._apply(tf.cast(features[0], tf.float32), self.split, len(self.stack), False, seed)
        return self.apply_draw(features, self.draw(seed))

    def _apply(self, outputs, first, last, training, seed):
        i = first
        while i < last:
            layer, after = self.stack[i], self._after(i, last)
            arguments = {"training": training} if layer._expects_training_arg else {}
            if after > i + 1:
                arguments["pool"] = self.stack[i + 1]
            if seed is not None and hasattr(layer, "draw"):
                arguments["seed"] = randomness.fold_in(seed, i)
            outputs = layer(outputs, **arguments)
            i = after
        return outputs

    def _after(self, i, last=None):
        """The layer after layer i: a convolution takes the max pooling that follows it along."""
        last = len(self.stack) if last is None else last
        layer = self.stack[i]
        is_fused = (
            i + 1 < last
            and isinstance(layer, ConvolutionProduct)
            and isinstance(self.stack[i + 1], tf_keras.layers.MaxPooling2D)
            and layer.activation in MONOTONE_ACTIVATIONS
        )
        return i + 2 if is_fused else i + 1

    def _scales_rows(self, i):
        """Whether layer i is dropout whose shared mask can multiply the next layer's kernel instead of its inputs."""
        layer = self.stack[i]
        is_followed = i + 1 < len(self.stack) and isinstance(self.stack[i + 1], DenseProduct)
        return is_followed and isinstance(layer, dropout.MonteCarloDropout) and len(layer.unit_shape) == 1

    def kl(self, seed=None):
        """KL[q || p] in nats, summed over all Bayesian layers; a scalar, 0 without any.

        Args:
          seed: int64 tensor `[2]`, for KLs that are Monte-Carlo estimates; None for the layers' own.
        """
        parts = []
        for i, layer in enumerate(self.stack):
            if hasattr(layer, "kl"):
                parts.append(layer.kl(None if seed is None else randomness.fold_in(seed, i)))
        return tf.add_n(parts or [tf.constant(0.0)])

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
    return Network.from_arrays(read_arrays(path))


def operations(network):
    """Floating-point operations of each layer's convolution or matrix product, for one image; 0 for other layers."""
    shape, counts = (1, *network.one_input_shape), []
    for layer in network.stack:
        shape = tuple(layer.compute_output_shape(shape))
        kernel = kernel_weight(layer)
        positions = shape[1] * shape[2] if len(shape) == 4 else 1
        counts.append(2 * positions * int(kernel.shape.num_elements()) if kernel is not None else 0)
    return counts


def _is_stochastic(layer):
    return bool(getattr(layer, "is_stochastic", False))


def _inference_mode(layer):
    return {"training": False} if layer._expects_training_arg else {}


def _initial_values(layer, seed):
    if hasattr(layer, "initial_values"):
        return layer.initial_values(seed)
    values = []
    for number, weight in enumerate(layer.trainable_weights):
        kind = kind_of(weight)
        initializer = getattr(layer, f"{kind}_initializer", None)
        if not isinstance(initializer, initializers.StatelessInitializer):
            raise ValueError(
                f"{layer.name}'s {kind} has no initialiser of bayes_layers.layers.initializers; "
                "it cannot be drawn anew from a seed"
            )
        values.append(initializer.values(weight.shape, randomness.fold_in(seed, number)))
    return values
