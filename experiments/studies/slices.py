"""A slice of a study: the runs that share a KL divisor and initial means; it has its own tables, figures and claims."""

import dataclasses
import itertools

from experiments.active_learning.config import ActiveLearningConfig
from experiments.records.paths import text_of
from experiments.studies import grid
from experiments.studies.collect import Results


@dataclasses.dataclass(frozen=True)
class Slice:
    """The complete runs of one slice.

    Attributes:
      results: the `Results` of the whole study.
      kl_scale, loc_init: what its runs share.
      mu_init: the initial rho where a table has only one, else None.
      suffix: what its pictures' names end with; empty for the first slice of a study.
    """

    results: Results
    kl_scale: str
    loc_init: str
    mu_init: float | None
    suffix: str

    @property
    def title(self):
        """`mu_init = -3, kl_scale = labels, loc_init = tfp`."""
        parts = {"mu_init": self.mu_init, "kl_scale": self.kl_scale, "loc_init": self.loc_init}
        return ", ".join(f"{name} = {text_of(value)}" for name, value in parts.items() if value is not None)

    def cell(self, arch, acquisition, mu_init=None):
        """The `Cell` of an architecture and acquisition here."""
        return grid.cell_of(
            self.results.study.run_config(
                arch=arch,
                acquisition=acquisition,
                mu_init=self.mu_init if mu_init is None else mu_init,
                kl_scale=self.kl_scale,
                loc_init=self.loc_init,
            )
        )

    def errors(self, arch, acquisition, mu_init=None):
        """Dict from seed to final test error in %; empty for what is no part of the study."""
        if arch not in self.results.study.values("archs"):  # whose settings the study's may not fit
            return {}
        return self.results.errors(self.cell(arch, acquisition, mu_init))

    def mus_of(self, arch):
        """The values of `mu_init` that make a difference to an architecture: one if nothing is Bayesian."""
        mus = self.results.study.values("mus") if self.mu_init is None else (self.mu_init,)
        return mus if self.is_bayesian(arch) else (ActiveLearningConfig.mu_init,)

    def is_bayesian(self, arch):
        """Whether an architecture of the study has Bayesian layers."""
        study = self.results.study
        return study.run_config(arch=arch, acquisition=study.values("acquisitions")[0]).is_bayesian


def slices(results, by_mu):
    """The slices of a study.

    Args:
      results: its `Results`.
      by_mu: whether each value of `mu_init` has a slice of its own.
    """
    study = results.study
    mus = study.values("mus") if by_mu else (None,)
    found = []
    for kl_scale, loc_init, mu in itertools.product(study.values("kl_scales"), study.values("loc_inits"), mus):
        suffix = f",mu{text_of(mu)}" if by_mu and len(mus) > 1 else ""
        suffix += f",kl_scale={text_of(kl_scale)},loc_init={loc_init}"
        found.append(Slice(results, kl_scale, loc_init, mu, suffix if found else ""))
    return found
