"""The configuration of a comparison: the runs of a table, with the same settings but for what it compares. Light."""

import dataclasses

from bayes_layers.models.architectures import IMAGE_NETWORKS, INFERENCES
from bayes_layers.settings import Settings, names_in, setting
from experiments.classification import config as single
from experiments.classification.config import ClassificationConfig
from experiments.studies.config import check_not_both

DATASETS = ("mnist", "cifar10", "cifar100", "digits")
# What a table compares, and the setting of one run that it varies. `--model=lenet5` is short for `--models=lenet5`.
DIMENSIONS = {"models": "model", "inferences": "inference", "datasets": "dataset"}


@dataclasses.dataclass(frozen=True)
class ComparisonSettings(Settings):
    """Comparison (--model=lenet5 is short for --models=lenet5, and so on)"""

    models: str = setting("all", "Networks of the table, separated by commas, or all.", result=False)
    inferences: str = setting("all", "Kinds of inference of the table, separated by commas, or all.", result=False)
    datasets: str = setting(
        "all", "Data sets, separated by commas; all: those of the table. Others have no number of the thesis.",
        result=False,
    )  # fmt: skip
    seeds: int = setting(3, "How many seeds: --seed and those that follow it.", minimum=1, maximum=10_000, result=False)
    report_only: bool = setting(
        False, "Run nothing: write the table from the records that are there (no TensorFlow needed).", result=False
    )


@dataclasses.dataclass(frozen=True)
class ComparisonConfig(ComparisonSettings, ClassificationConfig):
    """Every setting of a comparison: its own, and those of the runs that it is made of.

    Raises:
      SettingError: for a value that a setting does not take.
    """

    def __post_init__(self):
        super().__post_init__()
        names_in("models", self.models, IMAGE_NETWORKS)
        names_in("inferences", self.inferences, INFERENCES)
        names_in("datasets", self.datasets, DATASETS)
        self.run_config(seed=self.seed + self.seeds - 1)

    def replace(self, **changes):
        """A copy with other values; one value of a dimension (`model`) is a comparison of that value (`models`)."""
        for many, one in DIMENSIONS.items():
            if one in changes and changes[one] != "auto":
                check_not_both(changes, many, one)
                changes[many] = str(changes.pop(one))
        return super().replace(**changes)

    def chosen_datasets(self, of_table):
        """The data sets to compare on: the table's, unless others were asked for."""
        return tuple(of_table) if self.datasets == "all" else names_in("datasets", self.datasets, DATASETS)

    def is_chosen(self, changes):
        """Whether a run with these settings is of a chosen model and inference."""
        models = names_in("models", self.models, IMAGE_NETWORKS)
        return changes["model"] in models and changes["inference"] in names_in(
            "inferences", self.inferences, INFERENCES
        )

    def run_config(self, **changes):
        """The `ClassificationConfig` of one run."""
        names = [field.name for field in dataclasses.fields(ClassificationConfig)]
        return ClassificationConfig(**{**{name: getattr(self, name) for name in names}, **changes})


GROUPS = (ComparisonSettings, *single.GROUPS)
PRESETS = single.PRESETS
