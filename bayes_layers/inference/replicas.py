"""Several seeds of one architecture, trained side by side in one computation.

Every tensor has a leading replica axis K: weights `[K, ...]`, activations `[K, B, ...]`, seeds `[K, 2]`. Products are
batched over it, so that a GPU sees K small networks as one that is large enough to fill it. A replica's labels,
minibatches and noise bits are those that it has alone; its gradients differ from those by rounding only, because its
loss depends on no other replica's weights.

This is the algebra of the layers of `bayes_layers.layers` once more, with an axis in front; the tests hold the two
together, layer by layer and step by step.
"""

import functools

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from bayes_layers.inference.elbo import mean_nll
from bayes_layers.inference.training import ElboTrainer, NonFiniteLossError, curve_of, minibatches
from bayes_layers.layers import randomness
from bayes_layers.layers.base import BIAS, KERNEL, PRIOR, SIGN_IN, SIGN_OUT, kind_of
from bayes_layers.layers.deterministic import DeterministicConvolution2D, DeterministicDense
from bayes_layers.layers.dropout import MonteCarloDropout
from bayes_layers.layers.flipout import Convolution2DFlipout, DenseFlipout
from bayes_layers.layers.local_reparameterization import (
    SMALLEST_VARIANCE,
    Convolution2DLocalReparameterization,
    DenseLocalReparameterization,
)
from bayes_layers.layers.priors import SCALE_WEIGHTS, PosteriorPrior, scale_from_weights
from bayes_layers.layers.products import multiplied
from bayes_layers.streams import stream_key

tfd = tfp.distributions

POINTWISE = (
    tf_keras.layers.MaxPooling2D,
    tf_keras.layers.Flatten,
    tf_keras.layers.AveragePooling2D,
    tf_keras.layers.ZeroPadding2D,
)
PRODUCTS = (
    DeterministicDense,
    DeterministicConvolution2D,
    DenseFlipout,
    Convolution2DFlipout,
    DenseLocalReparameterization,
    Convolution2DLocalReparameterization,
)


class ReplicaTrainer(ElboTrainer):
    """`ElboTrainer` for K networks of one architecture, which are trained in step.

    All replicas have the same number of images, hence of steps.
    """

    def __init__(self, network, replicas, **settings):
        """Prepares training.

        Args:
          network: a `Network`, the pattern of all replicas; its weights are not used.
          replicas: K.
          **settings: as of `ElboTrainer`.

        Raises:
          ValueError: if a layer has no form with a replica axis.
        """
        super().__init__(network, **settings)
        if self._train_samples > 1 or self._mean_decay or self._extra_penalty or self._nll is not mean_nll:
            raise ValueError(
                "train_samples, mean_decay, penalty and another nll have no form with a replica axis; train with "
                "--replicas=1"
            )
        for layer in network.stack:
            _check(layer)
        self.replicas = replicas
        self._stacked = [tf.Variable(tf.zeros([replicas, *weight.shape])) for weight in network.trainable_weights]
        self._decayed_stacks = [
            stack
            for stack, weight in zip(self._stacked, network.trainable_weights, strict=True)
            if any(weight is decayed for decayed in self._decayed)
        ]
        self._variables = self._stacked
        self._prepare((replicas,))

    def fit_all(self, networks, images, labels, *, epochs, kl_weight, seeds, cycle=0, capacity=0, progress=None):
        """Trains all replicas for some epochs.

        Args:
          networks: K networks of the pattern's layers, whose weights are read and written.
          images: K float32 arrays `[N, ...]`, one per replica.
          labels: K integer arrays `[N]`.
          epochs: passes over the images.
          kl_weight: the KL's factor, or that of every step.
          seeds: K ints, the runs' seeds.
          cycle, capacity, progress: as of `ElboTrainer.fit`.

        Returns:
          K dicts, each as `ElboTrainer.fit` returns it; instead of one, a `NonFiniteLossError` if the loss of that
          replica was nan or infinite. Its network is left as it was, the others' training is not disturbed.

        Raises:
          ValueError: if there are not K networks of the pattern's shapes.
        """
        shapes = [tuple(weight.shape) for weight in self.network.trainable_weights]
        if len(networks) != self.replicas or any(
            [tuple(weight.shape) for weight in network.trainable_weights] != shapes for network in networks
        ):
            raise ValueError(f"replicas are {self.replicas} networks of one architecture")
        for number, weight in enumerate(self._stacked):
            weight.assign(tf.stack([network.trainable_weights[number] for network in networks]))
        orders = [minibatches(seed, cycle, len(images[0]), epochs, self.batch_size) for seed in seeds]
        keys = [stream_key(seed, "noise", cycle) for seed in seeds]
        order = np.stack(orders, axis=1)
        self._errors = {}
        nll, kl = self._run(np.stack(images), np.stack(labels), order, epochs, kl_weight, keys, 0, capacity, progress)
        for k, network in enumerate(networks):
            if k not in self._errors:
                network.assign([weight[k] for weight in self._stacked])
        return [self._errors.get(k) or curve_of(nll[:, k], kl[:, k], kl_weight, epochs) for k in range(self.replicas)]

    def _check_losses(self, losses, start, steps):
        """Notes the first loss of each replica that is not finite; `losses` are `[count, K]`."""
        for k in range(self.replicas):
            try:
                super()._check_losses(losses[:, k], start, steps)
            except NonFiniteLossError as error:
                self._errors.setdefault(k, error)

    def gradients(self, images, labels, mask, kl_weight, seed):
        """The losses and their parts, `[K]`, and the gradients by the stacked weights, `[K, ...]`.

        Args:
          images: `[K, B, ...]`; labels: int `[K, B]`; mask: float `[K, B]`.
          kl_weight: scalar.
          seed: int64 `[K, 2]`.
        """
        with tf.GradientTape() as tape:
            logits = self.logits(images, seed)
            nll = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
            nll = tf.reduce_sum(nll * mask, axis=1) / tf.reduce_sum(mask, axis=1)
            kl = self.kl(seed)
            loss = nll + kl_weight * kl
            if self._weight_decay:
                squares = [_sum_per_replica(w**2) for w in self._decayed_stacks]
                loss += self._weight_decay * tf.add_n(squares or [tf.zeros_like(nll)])
        return loss, nll, kl, tape.gradient(loss, self._stacked)

    def logits(self, images, seeds):
        """Logits `[K, B, C]` in training, for images `[K, B, ...]` and seeds int64 `[K, 2]`."""
        outputs, weights = tf.convert_to_tensor(images), iter(self._stacked)
        for number, layer in enumerate(self.network.stack):
            mine = {_kind(weight): next(weights) for weight in layer.trainable_weights}
            folded = [randomness.fold_in(seed, number) for seed in tf.unstack(seeds)]
            outputs = self._apply_layer(layer, outputs, mine, folded)
        return outputs

    def kl(self, seeds):
        """KL[q || p] of every replica in nats, `[K]`, for seeds int64 `[K, 2]`."""
        total, weights = tf.zeros([self.replicas]), iter(self._stacked)
        for number, layer in enumerate(self.network.stack):
            mine = {_kind(weight): next(weights) for weight in layer.trainable_weights}
            if not hasattr(layer, "kl"):
                continue
            if layer.prior.has_tfp_kl:
                total += self._normal_kl(layer, mine)
            else:
                total += self._kl_one_by_one(layer, mine, [randomness.fold_in(s, number) for s in tf.unstack(seeds)])
        return total

    def _normal_kl(self, layer, weights):
        total = tf.zeros([self.replicas])
        for name in ("kernel", "bias"):
            prior = getattr(layer, f"{name}_prior", None)
            if prior is not None and _has_posterior(weights, name):
                q = tfd.Normal(weights[f"{name}_loc"], _scale(weights, name))
                total += _sum_per_replica(tfd.kl_divergence(q, prior.distribution))
        return total

    def _kl_one_by_one(self, layer, weights, seeds):
        """With another prior, every replica has draws, and perhaps a scale, of its own."""
        names = [name for name in ("kernel", "bias") if _has_posterior(weights, name)]
        stacked = [(tf.convert_to_tensor(weights[f"{name}_loc"]), _scale(weights, name)) for name in names]
        kls = []
        for k, seed in enumerate(seeds):
            posteriors = [(loc[k], stddev[k]) for loc, stddev in stacked]
            scale = None
            if layer.prior.hyperprior is not None:
                scale = scale_from_weights(*(weights[name][k] for name in SCALE_WEIGHTS))
            kls.append(layer.prior.kl(posteriors, scale, randomness.fold_in(seed, PRIOR)))
        return tf.stack(kls)

    def _apply_layer(self, layer, inputs, weights, seeds):
        if isinstance(layer, POINTWISE):
            return _as_one_batch(layer, inputs)
        if isinstance(layer, MonteCarloDropout):
            return inputs * self._masks(layer, inputs, seeds) if layer.rate else inputs
        if isinstance(layer, DeterministicDense | DeterministicConvolution2D):
            return _finish(layer, self._linear(layer, inputs, weights["kernel"]), weights.get("bias"))
        sampled = self._sampled(layer, inputs, weights, seeds)
        return _finish(layer, sampled, self._bias(layer, weights, seeds))

    def _sampled(self, layer, inputs, weights, seeds):
        loc, scale = weights["kernel_loc"], _scale(weights, "kernel")
        mean = self._linear(layer, inputs, loc)
        if isinstance(layer, DenseLocalReparameterization | Convolution2DLocalReparameterization):
            variance = self._linear(layer, tf.square(inputs), tf.square(scale))
            noise = tf.stack([randomness.normal(mean.shape[1:], randomness.fold_in(s, KERNEL)) for s in seeds])
            return mean + tf.sqrt(tf.maximum(variance, SMALLEST_VARIANCE)) * noise
        noise = tf.stack([randomness.normal(scale.shape[1:], randomness.fold_in(s, KERNEL)) for s in seeds])
        signs = [_signs_like(x, seeds, use) for x, use in ((inputs, SIGN_IN), (mean, SIGN_OUT))]
        return mean + self._linear(layer, inputs * signs[0], scale * noise) * signs[1]

    def _bias(self, layer, weights, seeds):
        if not _has_posterior(weights, "bias"):
            return weights.get("bias_loc")
        scale = _scale(weights, "bias")
        noise = tf.stack([randomness.normal(scale.shape[1:], randomness.fold_in(s, BIAS)) for s in seeds])
        return weights["bias_loc"] + scale * noise

    def _masks(self, layer, inputs, seeds):
        return tf.stack([layer._mask(inputs.shape[1:], seed) for seed in seeds])

    def _linear(self, layer, inputs, kernels):
        dtype = layer.product_dtype(kernels[0])
        if inputs.shape.rank == 3:
            product = tf.matmul
        elif self.jit_compile:
            product = functools.partial(_grouped_convolution, layer)
        else:  # TensorFlow's CPU kernels have no gradient of grouped convolutions
            product = functools.partial(_convolutions, layer)
        return tf.cast(multiplied(product, inputs, kernels, dtype), tf.float32)


def _convolutions(layer, inputs, kernels):
    """K convolutions one by one: `[K, B, H, W, C]` and `[K, h, w, C, F]` to `[K, B, H', W', F]`."""
    return tf.stack([layer._product(x, k) for x, k in zip(tf.unstack(inputs), tf.unstack(kernels), strict=True)])


def _grouped_convolution(layer, inputs, kernels):
    """The same as one convolution with K groups."""
    replicas, batch, height, width, channels = inputs.shape
    filters = kernels.shape[-1]
    merged = tf.reshape(tf.transpose(inputs, [1, 2, 3, 0, 4]), [batch, height, width, replicas * channels])
    kernel = tf.reshape(tf.transpose(kernels, [1, 2, 3, 0, 4]), [*kernels.shape[1:4], replicas * filters])
    outputs = tf.nn.conv2d(
        merged, kernel, strides=layer.strides, padding=layer.padding.upper(), dilations=layer.dilation_rate
    )
    outputs = tf.reshape(outputs, [*outputs.shape[:3], replicas, filters])
    return tf.transpose(outputs, [3, 0, 1, 2, 4])


def _finish(layer, outputs, bias):
    if bias is not None:
        outputs += tf.reshape(bias, [bias.shape[0], *[1] * (outputs.shape.rank - 2), bias.shape[1]])
    return outputs if layer.activation is None else layer.activation(outputs)


def _as_one_batch(layer, inputs):
    outputs = layer(tf.reshape(inputs, [-1, *inputs.shape[2:]]))
    return tf.reshape(outputs, [*inputs.shape[:2], *outputs.shape[1:]])


def _signs_like(x, seeds, use):
    shape = [x.shape[1], *[1] * (x.shape.rank - 3), x.shape[-1]]
    return tf.stack([randomness.signs(shape, randomness.fold_in(seed, use)) for seed in seeds])


def _has_posterior(weights, name):
    return f"{name}_rho" in weights or f"{name}_log_alpha" in weights


def _scale(weights, name):
    """Posterior standard deviations of "kernel" or "bias" (`bayes_layers.layers.posteriors`)."""
    if f"{name}_rho" in weights:
        scale = tf.nn.softplus(weights[f"{name}_rho"])
    else:
        scale = tf.exp(0.5 * weights[f"{name}_log_alpha"]) * tf.abs(weights[f"{name}_loc"])
    return np.finfo(np.float32).tiny + scale


def _kind(weight):
    """What a weight is to its layer: kernel, bias, kernel_loc, kernel_rho, kernel_log_alpha, bias_loc, ..."""
    return kind_of(weight).replace("_posterior", "").replace("_untransformed_scale", "_rho")


def _sum_per_replica(x):
    return tf.reduce_sum(x, axis=list(range(1, x.shape.rank)))


def _check(layer):
    has_own = bool(getattr(layer, "_custom", None)) or getattr(layer, "kernel_mask", None) is not None
    has_own |= isinstance(getattr(layer, "prior", None), PosteriorPrior) or not layer.trainable
    if has_own or not isinstance(layer, (*POINTWISE, *PRODUCTS, MonteCarloDropout)):
        raise ValueError(
            f"{layer.name} ({type(layer).__name__}) has no form with a replica axis; "
            "train this network with --replicas=1"
        )
