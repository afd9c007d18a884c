"""The Bayesian layers that a network's settings ask for."""

import dataclasses
import functools

from bayes_layers.config import PRIOR_SETTINGS, NetworkSettings
from bayes_layers.layers import flipout, local_reparameterization

ESTIMATORS = {
    "flipout": (flipout.Convolution2DFlipout, flipout.DenseFlipout),
    "local_reparameterization": (
        flipout.Convolution2DFlipout,
        local_reparameterization.DenseLocalReparameterization,
    ),
    "local_reparameterization_all": (
        local_reparameterization.Convolution2DLocalReparameterization,
        local_reparameterization.DenseLocalReparameterization,
    ),
}


def bayesian_layers(settings):
    """Constructors of Bayesian layers with the posterior and prior that the settings describe.

    Args:
      settings: a `bayes_layers.config.NetworkSettings`.

    Returns:
      `(convolution, dense)`, called like the classes of the layers.
    """
    names = ("mu_init", "sigma_init", "loc_init", "variance", *PRIOR_SETTINGS)
    arguments = {name: getattr(settings, name) for name in names}
    return tuple(functools.partial(kind, **arguments) for kind in ESTIMATORS[settings.noise_estimator])


def description_of(settings):
    """The settings as a dict of JSON values, with the estimator decided; it is saved with a network."""
    description = {field.name: getattr(settings, field.name) for field in dataclasses.fields(NetworkSettings)}
    return {**description, "estimator": settings.noise_estimator}
