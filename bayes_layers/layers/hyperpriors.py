"""Priors on the scale s of a prior (Zharikov, Isachenko & Bochkarev, "Hierarchical modelling").

As in ADVI (Kucukelbir et al. 2016), the positive scale is given a Normal variational posterior on its logarithm,
log s ~ N(loc, stddev^2). A density p(s) becomes p(e^z) e^z for z = log s, the last factor being the Jacobian of the
transformation, so that in nats

    KL[q(z) || p(z)] = -H[q] - E_q[log p(e^z)] - loc
"""

import math

import tensorflow as tf
import tensorflow_probability as tfp

from bayes_layers.layers import divergences
from bayes_layers.layers.prior_names import HYPERPRIORS

tfd = tfp.distributions


class Hyperprior:
    """A prior on a scale; the subclass gives E log p(s) under the log-Normal posterior."""

    def kl(self, scale):
        """KL[q || p] in nats of a `LogNormalScale`, a scalar."""
        return -divergences.normal_entropy(scale.stddev) - self.expected_log_density(scale) - scale.mean_log

    def expected_log_density(self, scale):
        """E log p(s), a scalar, for a `LogNormalScale`."""
        raise NotImplementedError

    def distribution(self):
        """The hyperprior as a TFP distribution."""
        raise NotImplementedError


class HalfNormal(Hyperprior):
    """p(s) = sqrt(2 / pi) / A exp(-s^2 / (2 A^2)); closed form."""

    def __init__(self, scale=1.0):
        self.scale = float(scale)

    def expected_log_density(self, scale):
        return 0.5 * math.log(2 / math.pi) - math.log(self.scale) - scale.mean_power(2) / (2 * self.scale**2)

    def distribution(self):
        return tfd.HalfNormal(self.scale)


class HalfCauchy(Hyperprior):
    """p(s) = 2 / (pi A (1 + s^2 / A^2)) (Gelman 2006); E log(1 + s^2 / A^2) by quadrature."""

    def __init__(self, scale=1.0):
        self.scale = float(scale)

    def expected_log_density(self, scale):
        def log_one_plus_square(z):
            return tf.nn.softplus(2.0 * (z - math.log(self.scale)))

        expected = divergences.quadrature(log_one_plus_square, scale.loc, scale.stddev)
        return math.log(2 / (math.pi * self.scale)) - expected

    def distribution(self):
        return tfd.HalfCauchy(0.0, self.scale)


class InverseGamma(Hyperprior):
    """p(s) = b^a / Gamma(a) s^(-a-1) exp(-b / s), of the scale itself, not of its square; closed form."""

    def __init__(self, scale=1.0, concentration=1.0):
        self.scale, self.concentration = float(scale), float(concentration)

    def expected_log_density(self, scale):
        a, b = self.concentration, self.scale
        return a * math.log(b) - math.lgamma(a) - (a + 1.0) * scale.mean_log - b * scale.mean_power(-1)

    def distribution(self):
        return tfd.InverseGamma(self.concentration, self.scale)


class GivenHyperprior(Hyperprior):
    """Any scalar TFP distribution on the positive numbers; by quadrature."""

    def __init__(self, distribution):
        self._distribution = distribution

    def expected_log_density(self, scale):
        return divergences.quadrature(lambda z: self._distribution.log_prob(tf.exp(z)), scale.loc, scale.stddev)

    def distribution(self):
        return self._distribution


NAMED = {"half_normal": HalfNormal, "half_cauchy": HalfCauchy, "inverse_gamma": InverseGamma}


def make_hyperprior(hyperprior, scale=1.0):
    """A `Hyperprior`, or None for a fixed scale.

    Args:
      hyperprior: "fixed", "half_normal", "half_cauchy", "inverse_gamma" (concentration 1), a `Hyperprior`, or a scalar
        TFP distribution on the positive numbers.
      scale: the scale of a named one.

    Raises:
      ValueError: for anything else.
    """
    if isinstance(hyperprior, Hyperprior) or hyperprior is None:
        return hyperprior
    if isinstance(hyperprior, tfd.Distribution):
        return GivenHyperprior(hyperprior)
    if hyperprior not in HYPERPRIORS:
        raise ValueError(f"hyperprior={hyperprior!r} is not valid: it takes one of {', '.join(HYPERPRIORS)}")
    return None if hyperprior == "fixed" else NAMED[hyperprior](scale)


def hyperprior_config(hyperprior):
    """The arguments of a layer that make a hyperprior (None: a fixed scale) again, JSON values.

    Raises:
      NotImplementedError: if it has no name.
    """
    if hyperprior is None:
        return {"hyperprior": "fixed", "hyperprior_scale": 1.0}
    for name, named in NAMED.items():
        if type(hyperprior) is named and vars(hyperprior) == vars(named(hyperprior.scale)):
            return {"hyperprior": name, "hyperprior_scale": hyperprior.scale}
    raise NotImplementedError("a hyperprior that has no name cannot be written down")
