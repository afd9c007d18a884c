"""What dense and convolutional Bayesian layers share.

A stochastic layer of this package speaks one protocol, which prediction relies on:

- `layer(inputs, seed=seed)`: every example sees its own network (training; `sampling="image"`),
- `layer.draw(seed)`: one draw of what is random in the layer,
- `layer.apply_draw(inputs, draw)`: the layer with that draw, the same for all inputs.

A layer with a kernel also has `layer.mean_outputs(inputs)`, the part of its product that does not depend on the draw.

`seed` is an int64 tensor `[2]` (`bayes_layers.layers.randomness`). Called without one, a layer takes
the next value of a counter of its own, a non-trainable weight, so that plain `fit` works as well.
"""

import contextlib
import random

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from bayes_layers import streams
from bayes_layers.layers import posteriors, priors, randomness
from bayes_layers.layers.masks import MaskedKernel
from bayes_layers.layers.products import Products

tfd = tfp.distributions

OWN_CALLS = "calls"
PRIOR_NAMES = ("_prior_loc", "_prior_stddev")  # weights of priors that are trained posteriors
KERNEL_NAMES = ("kernel", "kernel_posterior_loc")
KERNEL, BIAS, SIGN_IN, SIGN_OUT, PRIOR = range(5)  # uses of a layer's seed


def kind_of(weight):
    """What a weight is to its layer: the last part of its name, such as `kernel_posterior_loc`."""
    return weight.name.split(":")[0].split("/")[-1]


def state_of(owner):
    """The weights of a layer or model that are its state: all but counters of seeds and priors that do not learn."""
    kinds = [(weight, kind_of(weight)) for weight in owner.weights]
    return [weight for weight, kind in kinds if kind != OWN_CALLS and not kind.endswith(PRIOR_NAMES)]


def kernel_weight(layer):
    """The variable of a layer's kernel, or of its posterior means; None without one."""
    return next((weight for weight in layer.weights if kind_of(weight) in KERNEL_NAMES), None)


class OwnSeeds:
    """Mixin: the seeds of a layer that is called without one."""

    def _init_own_seeds(self, seed):
        self.seed = seed
        self._own_key = random.getrandbits(63) if seed is None else streams.stream_key(seed, "layer")
        self._shared_draw = None

    def _build_own_seeds(self):
        self._own_calls = self.add_weight(
            name=OWN_CALLS, shape=(), dtype=tf.int64, initializer="zeros", trainable=False
        )

    def _seed_or_own(self, seed):
        if seed is not None:
            return seed
        return randomness.make_seed(self._own_key, self._own_calls.assign_add(1))


@contextlib.contextmanager
def sharing_draws(model, seed):
    """Within it, calls of a Keras model without seeds use one draw of all that is random in it, for all inputs.

    Args:
      model: a `tf_keras.Model`.
      seed: int64 tensor `[2]`; every layer's draw follows from it and the layer's place.
    """
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, OwnSeeds) and layer.is_stochastic]
    try:
        for place, layer in enumerate(layers):
            layer._shared_draw = layer.draw(randomness.fold_in(seed, place))
        yield
    finally:
        for layer in layers:
            layer._shared_draw = None


class MeanFieldLayer(OwnSeeds, MaskedKernel, Products):
    """Mixin for a tfp.layers variational layer with a factorised Normal posterior on its kernel.

    The subclass says what the layer does with a kernel (`_linear`) and how its output is perturbed
    (`_sampled_outputs`). The KL divergence KL[q || p] in nats is added raw, as a sum, by `add_loss`, as
    in tfp.layers; `kl()` computes the same number. Dividing it is the objective's business, unless there is none but
    Keras' `fit`: then `kl_weight` is its factor in `add_loss`.
    """

    def __init__(
        self,
        *args,
        mu_init=-3.0,
        sigma_init=0.1,
        loc_init="tfp",
        variance="softplus",
        variational_bias=False,
        prior="normal",
        prior_scale=1.0,
        hyperprior="fixed",
        hyperprior_scale=1.0,
        kl_samples=priors.KL_SAMPLES,
        kl_weight=1.0,
        seed=None,
        **kwargs,
    ):
        """Builds the layer.

        Args:
          *args: those of the tfp layer (units; or filters and kernel_size).
          mu_init: mean of the initial rho; the posterior standard deviation is softplus(rho).
          sigma_init: standard deviation of the initial rho.
          loc_init: initial posterior means, "tfp": N(0, 0.1^2), "glorot", or "normal": N(0, 1).
          variance: "softplus" or "alpha", how the posterior's variance is parameterised
            (`bayes_layers.layers.posteriors`).
          variational_bias: give the bias a Normal posterior and the prior too, instead of a
            point estimate without KL.
          prior: "normal", "laplace", "cauchy", "flat", any scalar TFP distribution on the whole real line, a function
            from a scale to one, or a `priors.Prior` (`bayes_layers.layers.priors`).
          prior_scale: the prior's scale; under a hyperprior, where the learned scale begins.
          hyperprior: the prior of that scale: "fixed" (it is not learned), "half_normal", "half_cauchy",
            "inverse_gamma", or a TFP distribution on the positive numbers.
          hyperprior_scale: the hyperprior's own scale.
          kl_samples: draws per weight where the KL has no closed form.
          kl_weight: the KL's factor in `add_loss`.
          seed: int, the seed of calls that are given none, another for every layer of a model: two layers of one seed
            have the same noise. None takes one from Python's `random`.
          **kwargs: other arguments of the tfp layer; `kernel_posterior_fn` and the like override ours
            (`bias_posterior_fn=None`: no bias; `kernel_divergence_fn=None`: no KL of the kernel).

        Raises:
          ValueError: for a prior that is none, or one besides a `kernel_prior_fn` or `kernel_divergence_fn`.
        """
        self._settings = {
            "mu_init": mu_init,
            "sigma_init": sigma_init,
            "loc_init": loc_init,
            "variance": variance,
            "variational_bias": variational_bias,
        }
        functions = {name: value for name, value in kwargs.items() if name.endswith("_fn")}
        self._custom = sorted(name for name, value in functions.items() if value is not None)
        self._left_out = sorted(name for name, value in functions.items() if value is None)
        self.kl_weight = float(kl_weight)
        self.prior = priors.make_prior(prior, prior_scale, hyperprior, hyperprior_scale, kl_samples)
        if "kernel_prior_fn" in kwargs:
            if prior != "normal" or hyperprior != "fixed":
                raise ValueError("a layer takes a prior or a kernel_prior_fn, not both")
            self.prior = None
        elif kwargs.get("kernel_divergence_fn") and not self.prior.has_tfp_kl:
            raise ValueError(
                f"{self.prior} brings its own divergence: a layer cannot take a kernel_divergence_fn besides"
            )
        posterior = (mu_init, sigma_init, loc_init, variance)
        ours = {
            "kernel_posterior_fn": posteriors.mean_field_normal(*posterior),
            "kernel_prior_fn": self.prior and self.prior.prior_fn,
        }
        if variational_bias:
            ours["bias_posterior_fn"] = posteriors.mean_field_normal(*posterior)
            ours["bias_prior_fn"] = self.prior.prior_fn if self.prior else posteriors.standard_normal_prior
        else:
            ours["bias_posterior_fn"] = posteriors.point_estimate(loc_init)
        super().__init__(*args, **{**ours, **kwargs})
        self._init_own_seeds(seed)

    def build(self, input_shape):
        super().build(input_shape)
        kernel = self.kernel_posterior
        if not (isinstance(kernel, tfd.Independent) and isinstance(kernel.distribution, tfd.Normal)):
            raise TypeError(
                f"{type(self).__name__} needs a kernel_posterior_fn that gives "
                f"tfd.Independent(tfd.Normal), got {kernel.name}"
            )
        if self.prior is not None and self.prior.hyperprior is not None:  # last, so that the others keep their places
            self._scale_weights = [
                self.add_weight(name=name, shape=(), initializer=initializer)
                for name, initializer in priors.scale_initializers(self.prior.scale).items()
            ]
        self._build_own_seeds()

    def add_variable(self, *args, **kwargs):
        """Keras' deprecated name of `add_weight`, by which tfp.layers calls it."""
        return self.add_weight(*args, **kwargs)

    @property
    def is_stochastic(self):
        """True: this layer is sampled at prediction too."""
        return True

    def call(self, inputs, seed=None, pool=None):
        """Applies the layer with weight noise of its own for every example.

        Called the Keras way, without a seed, the layer adds its KL by `add_loss`. Whoever passes a seed takes
        `kl()` as well: in a compiled loop, `losses` would be left with tensors of a graph that is gone.

        Args:
          inputs: `[B, ...]`.
          seed: int64 tensor `[2]`, or None for the next of the layer's own.
          pool: a max-pooling layer for the outputs, if the activation is monotone, or None.

        Returns:
          `[B, ...]`.
        """
        if self._shared_draw is not None and seed is None:
            return self.apply_draw(inputs, self._shared_draw, pool=pool)
        adds_loss = seed is None
        seed = self._seed_or_own(seed)
        outputs = self._finish(self._sampled_outputs(inputs, seed), self._bias(seed), pool)
        if adds_loss and (self.prior is not None or self.kernel_prior is not None or self.bias_prior is not None):
            self.add_loss(self.kl_weight * self.kl(seed))
        return outputs

    def draw(self, seed, apart=True):
        """One draw of the weights from the posterior, for `apply_draw`.

        Args:
          seed: int64 tensor `[2]`.
          apart: in a lower precision, whether the deviation will be multiplied apart from the mean in that
            precision, or the sum of both in float32.

        Returns:
          `(deviation, bias)`: the kernel's deviation from its mean, in the dtype in which it is multiplied,
          and the bias, or None without one.
        """
        deviation = self._kernel_noise(seed)
        dtype = self.product_dtype(deviation) if apart else tf.float32
        return tf.cast(deviation, dtype), self._bias(seed)

    def mean_outputs(self, inputs):
        """The product of inputs `[B, ...]` and the kernel's mean, float32, before bias and activation."""
        return tf.cast(self._linear(inputs, self.kernel_loc), tf.float32)

    def apply_draw(self, inputs, draw, mean_outputs=None, pool=None, row_scale=None):
        """Applies the layer with one draw of the weights for all inputs.

        In float32 the kernel is mean + deviation; in a lower precision both are multiplied apart, so that
        no rounding of the sum can hide the deviation.

        Args:
          inputs: `[B, ...]`.
          draw: what `draw` returned.
          mean_outputs: what `mean_outputs` returned for these inputs, or None.
          pool: a max-pooling layer for the outputs, if the activation is monotone, or None.
          row_scale: `[1, I]`, by which the inputs of a dense layer are to be multiplied, or None.

        Returns:
          `[B, ...]`.
        """
        deviation, bias = draw
        loc = tf.convert_to_tensor(self.kernel_loc)
        if row_scale is not None:
            loc, deviation = (k * tf.cast(row_scale[0][:, None], k.dtype) for k in (loc, deviation))
        if mean_outputs is None and deviation.dtype == tf.float32:
            return self._finish(self._linear(inputs, loc + deviation, tf.float32), bias, pool)
        if mean_outputs is None:
            mean_outputs = tf.cast(self._linear(inputs, loc), tf.float32)
        return self._finish(mean_outputs + tf.cast(self._linear(inputs, deviation), tf.float32), bias, pool)

    def kl(self, seed=None):
        """KL[q || p] of the layer in nats, a scalar: the sum over kernel, variational bias and the prior's scale.

        Args:
          seed: int64 tensor `[2]`, for a KL that is a Monte-Carlo estimate (`self.prior.needs_seed`); None for the
            next of the layer's own. The same seed gives the same bits; other priors ignore it.

        Returns:
          A scalar. With an improper prior it is no divergence, but minus the entropy of q.
        """
        if self.prior is not None and not self.prior.has_tfp_kl:
            own_seed = randomness.fold_in(self._seed_or_own(seed), PRIOR) if self.prior.needs_seed else None
            posteriors = list(self.normal_posteriors().values())
            return self.prior.kl(posteriors, self.scale_posterior, own_seed, self._kernel_mask)
        total = tf.constant(0.0)
        if self.kernel_prior is not None:
            total += self._kernel_kl()
        if self.bias_posterior is not None and self.bias_prior is not None:
            total += self.bias_divergence_fn(self.bias_posterior, self.bias_prior, None)
        return total

    def _kernel_kl(self):
        if self.kernel_divergence_fn is None:
            return tf.constant(0.0)
        if self._kernel_mask is None:
            return self.kernel_divergence_fn(self.kernel_posterior, self.kernel_prior, None)
        of_each = self.kernel_divergence_fn(self.kernel_posterior.distribution, self.kernel_prior.distribution, None)
        return tf.reduce_sum(self._kept(tf.ensure_shape(of_each, self.kernel_shape)))

    def normal_posteriors(self):
        """Means and standard deviations of what has a Normal posterior: a dict from "kernel", "bias" to pairs."""
        found = {"kernel": self.kernel_posterior, "bias": self.bias_posterior}
        return {
            name: (posterior.distribution.loc, posterior.distribution.scale)
            for name, posterior in found.items()
            if posterior is not None and isinstance(posterior.distribution, tfd.Normal)
        }

    @property
    def scale_posterior(self):
        """The `LogNormalScale` of the prior's scale under a hyperprior, else None."""
        if self.prior is None or self.prior.hyperprior is None:
            return None
        return priors.scale_from_weights(*self._scale_weights)

    @property
    def kernel_loc(self):
        """Posterior means of the kernel; 0 where a weight is pruned."""
        return self._kept(self.kernel_posterior.distribution.loc)

    @property
    def kernel_scale(self):
        """Posterior standard deviations of the kernel, a tensor of the kernel's shape; 0 where a weight is pruned."""
        return self._kept(tf.convert_to_tensor(self.kernel_posterior.distribution.scale))

    def initial_values(self, seed):
        """Fresh initial values of the trainable weights, in their order.

        Raises:
          ValueError: if the layer was built with posterior functions that are not ours.
        """
        if self._custom:
            raise ValueError(
                f"{self.name} was built with its own {', '.join(self._custom)}; its weights cannot be drawn anew"
            )
        posterior = [self._settings[name] for name in ("mu_init", "sigma_init", "loc_init", "variance")]
        loc, spread = posteriors.posterior_initializers(*posterior)
        point = posteriors.point_initializer(self._settings["loc_init"])
        values = []
        for number, weight in enumerate(self.trainable_weights):
            kind = kind_of(weight)
            is_point_bias = "bias" in kind and not self._settings["variational_bias"]
            is_spread = any(name in kind for name in posteriors.SPREADS.values())
            if kind in priors.SCALE_WEIGHTS:
                initializer = priors.scale_initializers(self.prior.scale)[kind]
            else:
                initializer = spread if is_spread else point if is_point_bias else loc
            values.append(initializer.values(weight.shape, randomness.fold_in(seed, number)))
        return values

    def _kernel_noise(self, seed):
        scale = self.kernel_scale
        return scale * randomness.normal(scale.shape, randomness.fold_in(seed, KERNEL))

    def _bias(self, seed):
        if self.bias_posterior is None:
            return None
        distribution = self.bias_posterior.distribution
        if isinstance(distribution, tfd.Deterministic):
            return tf.convert_to_tensor(distribution.loc)
        scale = tf.convert_to_tensor(distribution.scale)
        return distribution.loc + scale * randomness.normal(scale.shape, randomness.fold_in(seed, BIAS))

    def _sampled_outputs(self, inputs, seed):
        raise NotImplementedError

    def get_config(self):
        """The constructor's arguments, so that `from_config` builds the layer again.

        Raises:
          NotImplementedError: if the layer was built with functions that are not ours, or a prior that cannot be
            written down.
        """
        if self._custom:
            raise NotImplementedError(f"a layer with its own {', '.join(self._custom)} has no configuration")
        prior = {} if self._is_without_prior or self.prior is None else priors.config_of(self.prior)
        config = {**tf_keras.layers.Layer.get_config(self), **self._settings, **prior, "seed": self.seed}
        config["activation"] = tf_keras.activations.serialize(self.activation)
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = tf_keras.regularizers.serialize(self.activity_regularizer)
        if self.kl_weight != 1.0:
            config["kl_weight"] = self.kl_weight
        return {**config, **dict.fromkeys(self._left_out)}

    _is_without_prior = False

    @contextlib.contextmanager
    def without_prior(self):
        """Within it, `get_config` leaves the prior out, for a layer that shall have another."""
        self._is_without_prior = True
        try:
            yield
        finally:
            self._is_without_prior = False

    @classmethod
    def from_config(cls, config):
        return cls(**config)
