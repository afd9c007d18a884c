"""The runs of a study, as a list of configs."""

import itertools
from typing import NamedTuple

from experiments.active_learning.config import ActiveLearningConfig

# What no run of a network without Bayesian layers depends on: it has no posterior to begin and no KL to scale.
_POSTERIOR_ONLY = ("mu_init", "sigma_init", "loc_init", "kl_scale")


class Cell(NamedTuple):
    """What a number of a table is about; the runs behind it differ in their seed only."""

    arch: str
    acquisition: str
    mu_init: float
    kl_scale: str
    loc_init: str


def canonical(config):
    """The config whose record a run shares: without Bayesian layers, their settings are at the defaults.

    So a CNN is run once, not once for each initial variance.
    """
    if config.is_bayesian:
        return config
    return config.replace(**{name: getattr(ActiveLearningConfig, name) for name in _POSTERIOR_ONLY})


def cell_of(config):
    """The `Cell` of a run's config."""
    config = canonical(config)
    return Cell(*(getattr(config, name) for name in Cell._fields))


def runs(study):
    """All runs of a study, each once: a whole table for the first seed, then for the next.

    Args:
      study: a `StudyConfig`.

    Returns:
      A list of `ActiveLearningConfig`.
    """
    dimensions = [study.values(name) for name in ("kl_scales", "loc_inits", "archs", "mus", "acquisitions")]
    found = {}
    for seed, values in itertools.product(seeds(study), itertools.product(*dimensions)):
        kl_scale, loc_init, arch, mu_init, acquisition = values
        config = canonical(
            study.run_config(
                seed=seed, kl_scale=kl_scale, loc_init=loc_init, arch=arch, mu_init=mu_init, acquisition=acquisition
            )
        )
        found.setdefault((cell_of(config), seed), config)
    return list(found.values())


def seeds(study):
    """The seeds of a study."""
    return range(study.seed, study.seed + study.seeds)
