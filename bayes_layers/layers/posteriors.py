"""Approximate posteriors q(w) over the weights of a layer."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from bayes_layers.layers import initializers

tfd = tfp.distributions


def loc_initializer(loc_init):
    """A fresh initialiser of posterior means.

    Args:
      loc_init: "tfp" for N(0, 0.1^2), tfp.layers' default; "glorot" as in deterministic layers.

    Returns:
      A `StatelessInitializer`.

    Raises:
      ValueError: for another name.
    """
    if loc_init == "tfp":
        return initializers.Normal(0.0, 0.1)
    if loc_init == "glorot":
        return initializers.GlorotUniform()
    raise ValueError(f"loc_init={loc_init!r} is not valid: it takes tfp or glorot")


def mean_field_normal(mu_init=-3.0, sigma_init=0.1, loc_init="tfp"):
    """A factorised Normal posterior N(mu, softplus(rho)^2) as a `kernel_posterior_fn` of tfp.layers.

    Zeng et al. 2018, section 3 and 4.1: rho ~ N(mu_init, sigma_init^2), called "initial variance"
    there; in TFP, and here, softplus(rho) is the posterior's standard deviation.

    Args:
      mu_init: mean of the initial rho.
      sigma_init: standard deviation of the initial rho.
      loc_init: initialisation of the means, "tfp" or "glorot".

    Returns:
      A function `(dtype, shape, name, trainable, add_variable_fn) -> tfd.Independent(tfd.Normal)`
      whose initialisers are its own.
    """

    def posterior_fn(dtype, shape, name, trainable, add_variable_fn):
        loc = add_variable_fn(
            name=name + "_loc", shape=shape, initializer=loc_initializer(loc_init), dtype=dtype, trainable=trainable
        )
        rho = add_variable_fn(
            name=name + "_untransformed_scale",
            shape=shape,
            initializer=initializers.Normal(mu_init, sigma_init),
            dtype=dtype,
            trainable=trainable,
        )
        tiny = np.finfo(dtype.as_numpy_dtype).tiny
        scale = tfp.util.DeferredTensor(rho, lambda x: tiny + tf.nn.softplus(x))
        return tfd.Independent(tfd.Normal(loc=loc, scale=scale), reinterpreted_batch_ndims=len(shape))

    return posterior_fn


def point_estimate(loc_init="tfp"):
    """A point estimate (tfp.layers' default for biases) as a `bias_posterior_fn`; it has no KL."""

    def posterior_fn(dtype, shape, name, trainable, add_variable_fn):
        initializer = initializers.Zeros() if loc_init == "glorot" else loc_initializer(loc_init)
        loc = add_variable_fn(
            name=name + "_loc", shape=shape, initializer=initializer, dtype=dtype, trainable=trainable
        )
        return tfd.Independent(tfd.Deterministic(loc=loc), reinterpreted_batch_ndims=len(shape))

    return posterior_fn


def standard_normal_prior(dtype, shape, name, trainable, add_variable_fn):
    """The prior N(0, 1) for every weight, whatever the fan-in, as a `kernel_prior_fn`."""
    del name, trainable, add_variable_fn
    return tfd.Independent(
        tfd.Normal(loc=tf.zeros(shape, dtype), scale=tf.ones([], dtype)), reinterpreted_batch_ndims=len(shape)
    )
