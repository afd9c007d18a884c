"""Which priors and hyperpriors have a name, for settings and flags. Light: no TensorFlow."""

PRIORS = ("normal", "laplace", "cauchy", "flat")
PROPER_PRIORS = ("normal", "laplace", "cauchy")
HYPERPRIORS = ("fixed", "half_normal", "half_cauchy", "inverse_gamma")
