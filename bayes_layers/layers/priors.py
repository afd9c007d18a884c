"""Priors p(w) over the weights of a layer, and KL[q || p] for a Normal posterior q.

A layer takes `prior=` a name, any scalar TFP distribution on the whole real line, a function from a scale to such a
distribution, or a `Prior`:

    DenseFlipout(10, prior="laplace", hyperprior="half_cauchy")
    DenseFlipout(10, prior=tfd.StudentT(3.0, 0.0, 1.0))
    DenseFlipout(10, prior=lambda scale: tfd.StudentT(3.0, 0.0, scale), hyperprior="inverse_gamma")
    DenseFlipout(10, prior=PosteriorPrior(trained_layer))

Under a hyperprior the scale s of a layer's prior, one for its kernel and, if variational, bias, has the variational
posterior log s ~ N(., .), learned with the weights; then

    KL[q(w) q(s) || p(w | s) p(s)] = E_q(s) E_q(w)[-log p(w | s)] - H[q(w)] + KL[q(s) || p(s)]

| prior | its part E[-log p(w | s)] |
| --- | --- |
| normal, laplace | closed form, with and without a hyperprior |
| cauchy, a TFP distribution without a KL from the Normal, a function | Monte Carlo with `kl_samples` draws per weight |
| flat | 0: improper. The "KL" is minus the entropy and the ELBO has no maximum: it grows with the posterior's width |
"""

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from bayes_layers.layers import divergences, initializers, randomness
from bayes_layers.layers.divergences import FixedScale, LogNormalScale
from bayes_layers.layers.hyperpriors import hyperprior_config, make_hyperprior
from bayes_layers.layers.prior_names import PRIORS

tfd = tfp.distributions

KL_SAMPLES = 4  # draws per weight and step, where there is no closed form
SCALE_WEIGHTS = ("prior_log_scale_loc", "prior_log_scale_rho")  # log s ~ N(loc, softplus(rho)^2)


class Prior:
    """A prior over all weights of a layer. It has no state: what is learned belongs to the layer.

    Attributes:
      is_proper: whether it can be normalised.
      has_tfp_kl: whether it is a Normal distribution, whose KL is TFP's.
      needs_seed: whether `kl` is a Monte-Carlo estimate.
      hyperprior: a `Hyperprior`, or None where nothing is learned.
      scale: its scale; the scale's initial value under a hyperprior.
    """

    is_proper = True
    has_tfp_kl = False
    needs_seed = False
    hyperprior = None
    scale = 1.0

    def prior_fn(self, dtype, shape, name, trainable, add_variable_fn):
        """The prior of one tensor of weights, as a `kernel_prior_fn` of tfp.layers; None if it is not fixed."""
        del name, trainable, add_variable_fn
        distribution = self.distribution(shape, dtype)
        return None if distribution is None else tfd.Independent(distribution, reinterpreted_batch_ndims=len(shape))

    def distribution(self, shape, dtype=tf.float32):
        """The distribution of weights of `shape`, elementwise, or None: improper, or its scale is learned."""
        raise NotImplementedError

    def cross_entropy(self, loc, stddev, scale, seed):
        """E[-log p(w | s)] of every weight.

        Args:
          loc, stddev: of the weights' Normal posterior, any shape.
          scale: a `FixedScale` or `LogNormalScale`.
          seed: int64 tensor `[2]` where `needs_seed`, else ignored.

        Returns:
          A tensor of the weights' shape, in nats.
        """
        raise NotImplementedError

    def kl(self, posteriors, scale=None, seed=None, kernel_mask=None):
        """KL[q || p] of a layer in nats, a scalar; minus the entropy of q if the prior is improper.

        Args:
          posteriors: list of `(loc, stddev)`, the kernel's and perhaps the bias's.
          scale: the `LogNormalScale` of the layer under a hyperprior, else None.
          seed: int64 tensor `[2]` where `needs_seed`.
          kernel_mask: float tensor, 0 for weights of the kernel that have no part in it (pruned ones), or None.

        Raises:
          ValueError: if a seed is needed and there is none.
        """
        if self.needs_seed and seed is None:
            raise ValueError(f"the KL to {self} is a Monte-Carlo estimate: it needs a seed")
        total = tf.constant(0.0) if self.hyperprior is None else self.hyperprior.kl(scale)
        scale = FixedScale(self.scale) if scale is None else scale
        for number, (loc, stddev) in enumerate(posteriors):
            loc, stddev = tf.convert_to_tensor(loc), tf.convert_to_tensor(stddev)
            own_seed = randomness.fold_in(seed, number) if self.needs_seed else None
            of_each = self.kl_of_weights(loc, stddev, scale, own_seed)
            total += tf.reduce_sum(of_each if number or kernel_mask is None else of_each * kernel_mask)
        return total

    def kl_of_weights(self, loc, stddev, scale, seed):
        """The cross entropy minus the entropy of every weight; arguments as of `cross_entropy`."""
        return self.cross_entropy(loc, stddev, scale, seed) - divergences.normal_entropy(stddev)

    def get_config(self):
        """The layer's arguments that make this prior again, JSON values.

        Raises:
          NotImplementedError: if it cannot be written down.
        """
        raise NotImplementedError(f"{self} cannot be written down, so a layer that has it cannot be saved")

    def __str__(self):
        return f"a {type(self).__name__}"


class NamedPrior(Prior):
    """A prior with a name: a family with a scale, which is fixed or has a hyperprior."""

    name = None

    def __init__(self, scale=1.0, hyperprior=None, samples=KL_SAMPLES):
        self.scale, self.hyperprior, self.samples = _positive("prior_scale", scale), hyperprior, int(samples)

    def get_config(self):
        return {"prior": self.name, "prior_scale": self.scale}

    def __str__(self):
        return f"a {self.name} prior"


class NormalPrior(NamedPrior):
    """N(0, s^2)."""

    name = "normal"

    @property
    def has_tfp_kl(self):
        return self.hyperprior is None

    def distribution(self, shape, dtype=tf.float32):
        if self.hyperprior is not None:
            return None
        return tfd.Normal(loc=tf.zeros(shape, dtype), scale=tf.constant(self.scale, dtype))

    def cross_entropy(self, loc, stddev, scale, seed):
        del seed
        quadratic = 0.5 * (loc**2 + stddev**2) * scale.mean_power(-2)
        return quadratic + 0.5 * math.log(2 * math.pi) + scale.mean_log


class LaplacePrior(NamedPrior):
    """exp(-|w| / s) / (2 s); the report's equivalent of l1 regularisation."""

    name = "laplace"

    def distribution(self, shape, dtype=tf.float32):
        if self.hyperprior is not None:
            return None
        return tfd.Laplace(loc=tf.zeros(shape, dtype), scale=tf.constant(self.scale, dtype))

    def cross_entropy(self, loc, stddev, scale, seed):
        del seed
        return divergences.mean_absolute(loc, stddev) * scale.mean_power(-1) + math.log(2.0) + scale.mean_log


class CauchyPrior(NamedPrior):
    """1 / (pi s (1 + w^2 / s^2))."""

    name = "cauchy"
    needs_seed = True

    def distribution(self, shape, dtype=tf.float32):
        if self.hyperprior is not None:
            return None
        return tfd.Cauchy(loc=tf.zeros(shape, dtype), scale=tf.constant(self.scale, dtype))

    def cross_entropy(self, loc, stddev, scale, seed):
        def log_one_plus_square(w, s):
            return tf.math.log1p((w / s) ** 2)

        expected = divergences.monte_carlo(log_one_plus_square, loc, stddev, scale, self.samples, seed)
        return expected + math.log(math.pi) + scale.mean_log


class FlatPrior(NamedPrior):
    """p(w) = const, improper."""

    name = "flat"
    is_proper = False

    def __init__(self, scale=1.0, hyperprior=None, samples=KL_SAMPLES):
        super().__init__(scale, hyperprior, samples)
        if hyperprior is not None:
            raise ValueError("a flat prior has no scale, so that it takes no hyperprior")

    def distribution(self, shape, dtype=tf.float32):
        return None

    def cross_entropy(self, loc, stddev, scale, seed):
        del stddev, scale, seed
        return tf.zeros_like(loc)


class FamilyPrior(Prior):
    """p(w | s) = `family(s)`, a function from a scale to a TFP distribution; Monte Carlo."""

    needs_seed = True

    def __init__(self, family, scale=1.0, hyperprior=None, samples=KL_SAMPLES):
        self.family, self.hyperprior, self.samples = family, hyperprior, int(samples)
        self.scale = _positive("prior_scale", scale)
        _check_support(family(self.scale))

    def distribution(self, shape, dtype=tf.float32):
        if self.hyperprior is not None:
            return None
        return _broadcast(self.family(tf.constant(self.scale, dtype)), shape)

    def cross_entropy(self, loc, stddev, scale, seed):
        def minus_log_prob(w, s):
            return -self.family(s).log_prob(w)

        return divergences.monte_carlo(minus_log_prob, loc, stddev, scale, self.samples, seed)


class GivenPrior(Prior):
    """A TFP distribution, of one weight or of batch shape that broadcasts with the weights.

    Its KL from a Normal is TFP's where there is one, else Monte Carlo.
    """

    def __init__(self, distribution, samples=KL_SAMPLES):
        _check_support(distribution)
        self._distribution, self.samples = distribution, int(samples)
        try:
            tfd.kl_divergence(tfd.Normal(0.0, 1.0), distribution)
        except NotImplementedError:
            self.needs_seed = True

    def distribution(self, shape, dtype=tf.float32):
        return _broadcast(self._distribution, shape)

    def kl_of_weights(self, loc, stddev, scale, seed):
        if self.needs_seed:
            return super().kl_of_weights(loc, stddev, scale, seed)
        return tf.broadcast_to(tfd.kl_divergence(tfd.Normal(loc, stddev), self._distribution), loc.shape)

    def cross_entropy(self, loc, stddev, scale, seed):
        def minus_log_prob(w, s):
            del s
            return -self._distribution.log_prob(w)

        return divergences.monte_carlo(minus_log_prob, loc, stddev, scale, self.samples, seed)

    def get_config(self):
        """The distribution's class and numbers, if there is nothing else to it."""
        name, parameters = type(self._distribution).__name__, {}
        for key, value in self._distribution.parameters.items():
            if isinstance(value, tf.Tensor | np.ndarray | np.generic):
                value = np.asarray(value).tolist()
            if not isinstance(value, bool | int | float | str | list | None):
                return super().get_config()
            parameters[key] = value
        if getattr(tfd, name, None) is not type(self._distribution):
            return super().get_config()
        return {"prior": {"distribution": name, "parameters": parameters}}

    def __str__(self):
        return f"the prior {self._distribution.name}"


class PosteriorPrior(Prior):
    """A trained layer's posterior as the prior of the next model's layer of the same shapes (transfer learning).

    Means and standard deviations become non-trainable weights of the new layer, with which a `Network` saves them.
    """

    has_tfp_kl = True

    def __init__(self, layer=None):
        """Takes the posterior of `layer`; None leaves the values to whoever loads them."""
        self._values = {}
        if layer is not None:
            for name, posterior in layer.normal_posteriors().items():
                self._values[name] = tuple(tf.convert_to_tensor(x).numpy() for x in posterior)

    def prior_fn(self, dtype, shape, name, trainable, add_variable_fn):
        del trainable
        part = name.split("_")[0]
        loc, stddev = self._values.get(part, (np.zeros(shape), np.ones(shape)))
        if np.shape(loc) != tuple(shape):
            raise ValueError(f"the posterior that is to be a prior has a {part} of {np.shape(loc)}, not {tuple(shape)}")
        weights = [
            add_variable_fn(
                name=f"{name}_{kind}",
                shape=shape,
                initializer=tf_keras.initializers.Constant(values),
                dtype=dtype,
                trainable=False,
            )
            for kind, values in (("loc", loc), ("stddev", stddev))
        ]
        return tfd.Independent(tfd.Normal(*weights), reinterpreted_batch_ndims=len(shape))

    def get_config(self):
        return {"prior": "posterior"}


NAMED = {cls.name: cls for cls in (NormalPrior, LaplacePrior, CauchyPrior, FlatPrior)}


def make_prior(prior="normal", scale=1.0, hyperprior="fixed", hyperprior_scale=1.0, samples=KL_SAMPLES):
    """A `Prior` of what a layer was given.

    Args:
      prior: "normal", "laplace", "cauchy", "flat", a TFP distribution, a function from a scale to one, a `Prior`, or
        what `Prior.get_config` gave.
      scale: of a named prior or a function; its initial value under a hyperprior.
      hyperprior: as of `make_hyperprior`.
      hyperprior_scale: of a named hyperprior.
      samples: draws per weight where a KL has no closed form.

    Returns:
      A `Prior`.

    Raises:
      ValueError: for anything else, or a hyperprior where there is no scale.
    """
    hyperprior = make_hyperprior(hyperprior, _positive("hyperprior_scale", hyperprior_scale))
    if not (isinstance(samples, int | np.integer) and samples > 0):
        raise ValueError(f"kl_samples={samples} is not valid: it is a whole number greater than 0")
    if isinstance(prior, str) and prior in NAMED:
        return NAMED[prior](scale, hyperprior, samples)
    if not isinstance(prior, str | dict | tfd.Distribution | Prior) and callable(prior):
        return FamilyPrior(prior, scale, hyperprior, samples)
    if hyperprior is not None:
        raise ValueError(
            f"a hyperprior needs a prior with a scale: {', '.join(PRIORS[:3])}, or a function of the scale"
        )
    if isinstance(prior, Prior):
        return prior
    if prior == "posterior":
        return PosteriorPrior()
    if isinstance(prior, dict):
        prior = getattr(tfd, prior["distribution"])(**prior["parameters"])
    if isinstance(prior, tfd.Distribution):
        return GivenPrior(prior, samples)
    raise ValueError(f"prior={prior!r} is not valid: it takes one of {', '.join(PRIORS)}, or a TFP distribution")


def config_of(prior):
    """The arguments of a layer that make its prior again; see `Prior.get_config`."""
    samples = {"kl_samples": getattr(prior, "samples", KL_SAMPLES)}
    return {**hyperprior_config(prior.hyperprior), **samples, **prior.get_config()}


def scale_initializers(scale):
    """Initialisers of the weights of a scale's posterior: log s starts near log(scale), its deviation near 0.13."""
    both = initializers.Normal(math.log(scale), 0.1), initializers.Normal(-2.0, 0.1)
    return dict(zip(SCALE_WEIGHTS, both, strict=True))


def scale_from_weights(loc, rho):
    """The `LogNormalScale` of the weights named in `SCALE_WEIGHTS`."""
    return LogNormalScale(loc, np.finfo(np.float32).tiny + tf.nn.softplus(rho))


def _positive(name, value):
    if not 0.0 < float(value) < math.inf:
        raise ValueError(f"{name}={value} is not valid: it is a finite number greater than 0")
    return float(value)


def _check_support(distribution):
    is_scalar = distribution.event_shape.rank == 0
    both_sides = tf.reshape(tf.constant([-30.0, 30.0]), [2, *[1] * distribution.batch_shape.rank])
    if not is_scalar or not np.all(np.isfinite(distribution.log_prob(both_sides))):
        raise ValueError(
            f"{distribution.name} is not a prior for weights: it takes distributions of single numbers (or batches of "
            "them) whose support is the whole real line"
        )


def _broadcast(distribution, shape):
    """The distribution with batch shape `shape`."""
    if distribution.batch_shape == tf.TensorShape(shape):
        return distribution
    try:
        return tfd.BatchBroadcast(distribution, with_shape=shape)
    except ValueError as error:
        raise ValueError(f"{distribution.name} does not broadcast with weights of {tuple(shape)}") from error
