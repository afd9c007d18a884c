"""The configuration of a study: which runs it compares, and how they are launched. Light: no TensorFlow."""

import contextlib
import dataclasses

from bayes_layers.models.architectures import ARCHITECTURES
from bayes_layers.settings import SettingError, Settings, check, setting, valid_values
from experiments.active_learning import config as single
from experiments.active_learning.config import ActiveLearningConfig

# A dimension of a study, and the setting of one run that it varies. `--arch=CNN` is short for `--archs=CNN`.
DIMENSIONS = {
    "archs": "arch",
    "acquisitions": "acquisition",
    "mus": "mu_init",
    "kl_scales": "kl_scale",
    "loc_inits": "loc_init",
}


def check_not_both(changes, many, one, field=None):
    """Raises SettingError if a list and a single value of one dimension (a dataclass `field`) are given, and differ."""
    if many not in changes:
        return
    value = changes[many].strip()
    with contextlib.suppress(SettingError):
        value = check(field, value) if field else value
    if value != changes[one]:
        raise SettingError(
            f"--{one}={changes[one]} is not valid besides --{many}={changes[many]}: it takes one of the two"
        )


@dataclasses.dataclass(frozen=True)
class SweepSettings(Settings):
    """Runs (lists are separated by commas; --arch=CNN is short for --archs=CNN, and so on)"""

    chooses_runs = True

    @classmethod
    def takes(cls, field):
        """What a list takes, in words."""
        if field.name not in DIMENSIONS:
            return super().takes(field)
        one = ActiveLearningConfig.__dataclass_fields__[DIMENSIONS[field.name]]
        or_all = ", or all" if one.metadata["choices"] else ""
        return f"a list, separated by commas, of {valid_values(one)}{or_all}"

    archs: str = setting("all", "Architectures, or all.", result=False)
    acquisitions: str = setting(
        "random,max_entropy,var_ratios", "Acquisition functions, or all; the default is the paper's.", result=False
    )
    mus: str = setting("-3", "Values of --mu_init.", result=False)
    kl_scales: str = setting(
        "labels", "Values of --kl_scale; in a study each gets its own tables, figures and claims.", result=False
    )
    loc_inits: str = setting(
        "tfp", "Values of --loc_init; in a study each gets its own tables, figures and claims.", result=False
    )
    seeds: int = setting(3, "How many seeds: --seed and those that follow it.", minimum=1, maximum=10_000, result=False)


@dataclasses.dataclass(frozen=True)
class StudySettings(SweepSettings):
    """Study (lists are separated by commas; --arch=CNN is short for --archs=CNN, and so on)"""

    report_only: bool = setting(
        False,
        "Run nothing: tables, figures and claims from the records that are there (no TensorFlow needed).",
        result=False,
    )


@dataclasses.dataclass(frozen=True)
class LaunchSettings(Settings):
    """Launching"""

    launcher: str = setting(
        "local",
        "Where runs are made: local (this machine) or ray (a Ray cluster).",
        choices=("local", "ray"),
        result=False,
    )
    parallel: int = setting(
        1,
        "Processes on this machine, each with one run at a time.",
        minimum=1,
        maximum=1024,
        result=False,
    )
    retries: int = setting(
        3, "How often a run is begun again after its process or machine was lost.", minimum=0, result=False
    )
    ray_address: str = setting(
        "",
        "A Ray cluster's address, or auto; empty: RAY_ADDRESS, else one of this machine, started for the purpose.",
        result=False,
    )
    cpus_per_run: float = setting(1.0, "CPUs that a run takes on a Ray cluster.", above=0, maximum=10_000, result=False)
    gpus_per_run: float = setting(
        0.0,
        "GPUs that a run takes on a Ray cluster; 0.25 lets four runs share one.",
        minimum=0,
        maximum=1024,
        result=False,
    )


@dataclasses.dataclass(frozen=True)
class SweepConfig(SweepSettings, LaunchSettings, ActiveLearningConfig):
    """Every setting of a sweep: its own, and those of the runs that it is made of.

    Raises:
      SettingError: for a value that a setting does not take.
    """

    dimensions = DIMENSIONS
    report_only = False  # a sweep has no report

    def __post_init__(self):
        super().__post_init__()
        for name in DIMENSIONS:
            self.values(name)
        if self.replicas != 1:
            raise SettingError(
                f"--replicas={self.replicas} is not valid: a study makes its runs one by one (--seeds says how many), "
                "so it takes 1"
            )
        if self.gpus_per_run > 1 and self.gpus_per_run != int(self.gpus_per_run):
            raise SettingError(
                f"--gpus_per_run={self.gpus_per_run:g} is not valid: it takes a fraction below 1 or a whole number"
            )
        last = type(self).__dataclass_fields__["seed"].metadata["maximum"]
        if self.seed + self.seeds - 1 > last:
            raise SettingError(
                f"--seeds={self.seeds} is not valid: behind --seed={self.seed} it takes at most {last - self.seed + 1}"
            )
        self.run_config()

    def replace(self, **changes):
        """A copy with other values; one value of a dimension (`arch`) is a study of that value (`archs`).

        Of several values the first stands for all where settings are checked that depend on it.
        """
        for many, one in DIMENSIONS.items():
            field = ActiveLearningConfig.__dataclass_fields__[one]
            if one in changes:
                check_not_both(changes, many, one, field)
                changes[many] = str(changes[one])
            elif many in changes and changes[many].strip() != "all":
                with contextlib.suppress(SettingError):  # of a value that is none; `values` says it better
                    changes[one] = check(field, changes[many].split(",")[0].strip())
        return super().replace(**changes)

    def values(self, dimension):
        """The values of `archs`, `acquisitions`, `mus`, `kl_scales` or `loc_inits`, checked, without repetitions."""
        field = ActiveLearningConfig.__dataclass_fields__[DIMENSIONS[dimension]]
        text = getattr(self, dimension)
        if text.strip() == "all" and field.metadata["choices"]:
            return self.everything(dimension, field)
        try:
            return tuple(dict.fromkeys(check(field, part.strip()) for part in text.split(",")))
        except SettingError:
            takes = self.takes(type(self).__dataclass_fields__[dimension])
            raise SettingError(f"--{dimension}={text} is not valid: it takes {takes}") from None

    def everything(self, dimension, field):
        """What `all` means for a dimension; of architectures, those of Zeng et al."""
        return ARCHITECTURES if dimension == "archs" else field.metadata["choices"]

    def run_config(self, **changes):
        """The `ActiveLearningConfig` of one run of this study."""
        names = [field.name for field in dataclasses.fields(ActiveLearningConfig)]
        return ActiveLearningConfig(**{**{name: getattr(self, name) for name in names}, **changes})


@dataclasses.dataclass(frozen=True)
class StudyConfig(StudySettings, SweepConfig):
    """Every setting of a study: a sweep with a report."""


GROUPS = (StudySettings, LaunchSettings, *single.GROUPS)
SWEEP_GROUPS = (SweepSettings, *GROUPS[1:])
PRESETS = single.PRESETS
