"""How far mean-field and full-rank ADVI are from the true posterior of the toy networks, with NUTS as the judge.

Source: the question behind the first conclusion of Zharikov, Isachenko & Bochkarev's report ("variational inference
allows to approximate posterior distribution"), which compares with no exact posterior.

Command: python -m experiments.nuts_comparison          (--quick for a first look)

Expected: nothing is published. Run time: three to ten minutes for each cell and data set on one core.

The mean-field fits are those of split 0 of `python -m experiments.prior_study` (made if they are missing). Results are
in <output_dir>/nuts_comparison/: distances.csv and .md, <dataset>.png. Records hold the draws and all predictive grids.
"""

import dataclasses
import pathlib
import sys

from bayes_layers.layers.prior_names import HYPERPRIORS, PROPER_PRIORS
from bayes_layers.settings import SettingError, Settings, names_in, setting
from experiments import entry
from experiments.errors import UserError
from experiments.priors import config as study
from experiments.records.paths import text_of

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
    def nuts_name(self):
        """A directory's name that tells them."""
        fields = dataclasses.fields(NutsSettings)
        own = [f"{f.name}={text_of(getattr(self, f.name))}" for f in fields if getattr(self, f.name) != f.default]
        return ",".join(own) or "default"


GROUPS = (*study.GROUPS[:1], NutsSettings, *study.GROUPS[1:])

DESCRIPTION = """\
Mean-field and full-rank ADVI against NUTS on toy data.

  python -m experiments.nuts_comparison            every proper prior x hyperprior on moons and circles
  python -m experiments.nuts_comparison --quick    a first look, in minutes

Samples the posterior of the 5-5-2 network of `prior_study`, and says how far the approximations are from it. Settings
are given as --name=value; values below are the defaults."""


def work(config):
    """Makes the records that are missing, and the report from all of them.

    Args:
      config: a `NutsComparisonConfig`.

    Raises:
      UserError: for whatever a user can mend.
    """
    directory = pathlib.Path(config.output_dir).expanduser() / "nuts_comparison"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output_dir={config.output_dir} cannot be used: {error.strerror}") from error
    tf = entry.start_tensorflow()
    tf.get_logger().setLevel("ERROR")  # it takes each cell's own functions for one that is traced again and again
    from experiments.priors import comparison

    for cell in config.cells:
        missing = [d for d in config.dataset_names if comparison.read(config, d, cell) is None]
        comparer = comparison.Comparer(config, cell, _tell_round) if missing else None
        for dataset in missing:
            comparer.make(dataset)
            numbers, _ = comparison.read(config, dataset, cell)
            print(f"{dataset}, {', '.join(cell)}: R-hat {numbers['rhat']:.4f}", file=sys.stderr, flush=True)
            write_report(config, directory)
    print(f"done: {write_report(config, directory)} cells; see {directory}/distances.md")


def write_report(config, directory):
    """Writes tables and pictures of the cells that are there; returns how many they are."""
    from experiments.priors import comparison
    from experiments.records import files

    found = {(d, cell): comparison.read(config, d, cell) for d in config.dataset_names for cell in config.cells}
    found = {place: record for place, record in found.items() if record is not None}
    contents = comparison.tables(config, found)
    for dataset in config.dataset_names:
        mine = {cell: record for (name, cell), record in found.items() if name == dataset}
        if mine:
            contents[f"{dataset}.png"] = comparison.picture(dataset, mine)
    files.write_files(directory, contents)
    return len(found)


def _tell_round(dataset, rounds, rhat):
    print(f"  {dataset}: round {rounds}, R-hat {rhat:.4f}", file=sys.stderr, flush=True)


main = entry.point(work, NutsComparisonConfig, description=DESCRIPTION, groups=GROUPS, unit="cell")


if __name__ == "__main__":
    sys.exit(main())
