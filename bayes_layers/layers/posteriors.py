"""Approximate posteriors q(w) over the weights of a layer."""

import functools

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from bayes_layers.layers import initializers

tfd = tfp.distributions

SPREADS = {"softplus": "untransformed_scale", "alpha": "log_alpha"}  # what is learned beside the means


def loc_initializer(loc_init):
    """A fresh initialiser of posterior means.

    Args:
      loc_init: "tfp" for N(0, 0.1^2), tfp.layers' default; "glorot" as in deterministic layers; "normal" for N(0, 1).

    Returns:
      A `StatelessInitializer`.

    Raises:
      ValueError: for another name.
    """
    if loc_init == "tfp":
        return initializers.Normal(0.0, 0.1)
    if loc_init == "glorot":
        return initializers.GlorotUniform()
    if loc_init == "normal":
        return initializers.Normal(0.0, 1.0)
    raise ValueError(f"loc_init={loc_init!r} is not valid: it takes tfp, glorot or normal")


def posterior_initializers(mu_init, sigma_init, loc_init, variance="softplus"):
    """Fresh initialisers of a mean-field posterior.

    Returns:
      `(loc, spread)`, two `StatelessInitializer`s: of the means, and of rho or log alpha.

    Raises:
      ValueError: for another name.
    """
    loc, rho = loc_initializer(loc_init), initializers.Normal(mu_init, sigma_init)
    if variance == "softplus":
        return loc, rho
    if variance == "alpha":
        return initializers.AwayFromZero(loc), initializers.LogAlpha(rho, loc)
    raise ValueError(f"variance={variance!r} is not valid: it takes {' or '.join(SPREADS)}")


def mean_field_normal(mu_init=-3.0, sigma_init=0.1, loc_init="tfp", variance="softplus"):
    """A factorised Normal posterior N(mu, sigma^2) as a `kernel_posterior_fn` of tfp.layers.

    variance="softplus": sigma = softplus(rho) with rho ~ N(mu_init, sigma_init^2) (Zeng et al. 2018, sections 3 and
    4.1, called "initial variance" there; in TFP, and here, softplus(rho) is the posterior's standard deviation).

    variance="alpha": sigma^2 = alpha mu^2 with one learned log alpha per weight (Shridhar 2019, section 4.1.1, eq. 7,
    after Kingma et al. 2015). The gradient passes through mu as well, and a weight of mean 0 has no variance. So means
    start away from zero (`initializers.AwayFromZero`), and log alpha starts where the layer's mean variance is
    softplus(rho)^2 (`initializers.LogAlpha`): mu_init says the same of both forms.

    Args:
      mu_init: mean of the initial rho.
      sigma_init: standard deviation of the initial rho.
      loc_init: initialisation of the means, "tfp", "glorot" or "normal".
      variance: "softplus" or "alpha".

    Returns:
      A function `(dtype, shape, name, trainable, add_variable_fn) -> tfd.Independent(tfd.Normal)`
      whose initialisers are its own.

    Raises:
      ValueError: for another name.
    """
    posterior_initializers(mu_init, sigma_init, loc_init, variance)

    def posterior_fn(dtype, shape, name, trainable, add_variable_fn):
        add = functools.partial(add_variable_fn, shape=shape, dtype=dtype, trainable=trainable)
        loc_values, spread_values = posterior_initializers(mu_init, sigma_init, loc_init, variance)
        loc = add(name=name + "_loc", initializer=loc_values)
        spread = add(name=f"{name}_{SPREADS[variance]}", initializer=spread_values)
        tiny = np.finfo(dtype.as_numpy_dtype).tiny
        if variance == "softplus":
            scale = tfp.util.DeferredTensor(spread, lambda rho: tiny + tf.nn.softplus(rho))
        else:
            scale = tfp.util.DeferredTensor(spread, lambda log_alpha: tiny + tf.exp(0.5 * log_alpha) * tf.abs(loc))
        return tfd.Independent(tfd.Normal(loc=loc, scale=scale), reinterpreted_batch_ndims=len(shape))

    return posterior_fn


def point_initializer(loc_init="tfp"):
    """A fresh initialiser of point estimates: zeros, as in deterministic layers, but for tfp."""
    return loc_initializer(loc_init) if loc_init == "tfp" else initializers.Zeros()


def point_estimate(loc_init="tfp"):
    """A point estimate (tfp.layers' default for biases) as a `bias_posterior_fn`; it has no KL."""

    def posterior_fn(dtype, shape, name, trainable, add_variable_fn):
        loc = add_variable_fn(
            name=name + "_loc", shape=shape, initializer=point_initializer(loc_init), dtype=dtype, trainable=trainable
        )
        return tfd.Independent(tfd.Deterministic(loc=loc), reinterpreted_batch_ndims=len(shape))

    return posterior_fn


def standard_normal_prior(dtype, shape, name, trainable, add_variable_fn):
    """The prior N(0, 1) for every weight, whatever the fan-in, as a `kernel_prior_fn`."""
    del name, trainable, add_variable_fn
    return tfd.Independent(
        tfd.Normal(loc=tf.zeros(shape, dtype), scale=tf.ones([], dtype)), reinterpreted_batch_ndims=len(shape)
    )
