"""Choosing the initial variance: the paper's way, and one that does not report on the seeds it chose by.

Zeng et al. report in Table 3 the least of several test errors. The least of several noisy numbers is too low even where
nothing differs. Here each seed's mu_init is chosen by the mean error of all other seeds (leave one out), and the
error is that of the seed left out. Both choose on the test images, as the paper does; only the runs are apart.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Tuned:
    """Errors in % at a chosen mu_init.

    Attributes:
      honest: dict from seed to its error at the mu_init chosen on the other seeds; empty below two seeds.
      chosen: dict from seed to that mu_init.
      best_mu: the mu_init of the least mean error over all seeds (the paper's way), or None without runs.
      at_best: dict from seed to error at `best_mu`.
    """

    honest: dict
    chosen: dict
    best_mu: float | None
    at_best: dict


def tune(part, arch, acquisition):
    """Tunes one architecture with one acquisition.

    Args:
      part: a `Slice` over several mu_init.
      arch, acquisition: names.

    Returns:
      A `Tuned`, from the seeds that are complete at every mu_init.
    """
    by_mu = {mu: part.errors(arch, acquisition, mu) for mu in part.mus_of(arch)}
    seeds = sorted(set.intersection(*(set(errors) for errors in by_mu.values())))
    if not seeds:
        return Tuned({}, {}, None, {})
    best = _best(by_mu, seeds)
    at_best = {seed: by_mu[best][seed] for seed in seeds}
    if len(by_mu) == 1:  # nothing to choose
        return Tuned(at_best, dict.fromkeys(seeds, best), best, at_best)
    others = {seed: [other for other in seeds if other != seed] for seed in seeds}
    chosen = {seed: _best(by_mu, others[seed]) for seed in seeds if others[seed]}
    return Tuned({seed: by_mu[mu][seed] for seed, mu in chosen.items()}, chosen, best, at_best)


def _best(by_mu, seeds):
    """The mu_init of the least mean error; of equal ones the first."""
    return min(by_mu, key=lambda mu: round(np.mean([by_mu[mu][seed] for seed in seeds]), 9))  # 41 + 45 is 42 + 44
