"""The configuration of the comparison with NUTS. Light: no TensorFlow."""

import dataclasses

from bayes_layers.layers.prior_names import HYPERPRIORS, PROPER_PRIORS
from bayes_layers.settings import SettingError, Settings, names_in, setting
from experiments.priors import config as study
from experiments.records.paths import text_of

NUTS = "nuts"  # the directory of all comparisons with one study
QUICK = {"datasets": "moons", "draws": 100, "burn_in": 100, "chains": 2, "rounds": 1, "full_rank_steps": 300}


@dataclasses.dataclass(frozen=True)
class NutsSettings(Settings):
    """NUTS and full-rank ADVI"""

    draws: int = setting(500, "Draws of each chain and round.", minimum=10, maximum=1_000_000)
    burn_in: int = setting(300, "Draws before them, in which the step size adapts.", minimum=10, maximum=1_000_000)
    chains: int = setting(4, "Chains, from different starts.", minimum=2, maximum=256)
    max_rhat: float = setting(
        1.01, "Rounds are added until R-hat of all predictions is below this.", above=1, maximum=2
    )
    rounds: int = setting(20, "The most rounds.", minimum=1, maximum=1000)
    full_rank_steps: int = setting(5000, "Steps of the full-rank fit.", minimum=1, maximum=1_000_000)
    full_rank_rate: float = setting(0.003, "Its learning rate at the start.", above=0, maximum=1)


@dataclasses.dataclass(frozen=True)
class NutsComparisonConfig(NutsSettings, study.PriorStudyConfig):
    """Every setting of `python -m experiments.nuts_comparison`."""

    def __post_init__(self):
        super().__post_init__()
        if any(prior not in PROPER_PRIORS for prior in names_in("priors", self.priors, PROPER_PRIORS)):
            raise SettingError(f"--priors={self.priors} is not valid: it takes all, or {', '.join(PROPER_PRIORS)}")

    def replace(self, **changes):
        """A copy with other values; `quick` brings its own protocol where nothing else was given."""
        if changes.get("quick"):
            changes = {**QUICK, "hyperpriors": "fixed", **changes}
        return super().replace(**changes)

    @property
    def cells(self):
        """The chosen (prior, hyperprior) pairs, of proper priors."""
        priors = names_in("priors", self.priors, PROPER_PRIORS)
        return tuple((p, h) for p in priors for h in names_in("hyperpriors", self.hyperpriors, HYPERPRIORS))

    @property
    def nuts_protocol(self):
        """The settings of sampling and of the full-rank fit, as a dict."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(NutsSettings)}

    @property
    def nuts_records(self):
        """Where the records of these settings lie."""
        return self.records / NUTS / self.nuts_name

    @property
    def nuts_name(self):
        """A directory's name that tells them."""
        fields = dataclasses.fields(NutsSettings)
        own = [f"{f.name}={text_of(getattr(self, f.name))}" for f in fields if getattr(self, f.name) != f.default]
        return ",".join(own) or "default"
