"""The configuration of an active-learning run, as one frozen dataclass. Light: no TensorFlow.

Defaults are the protocol of Zeng, Lesnikowski & Alvarez 2018.
"""

import dataclasses

from bayes_layers.config import ComputeSettings, NetworkSettings, PredictionSettings, TrainingSettings
from bayes_layers.settings import SettingError, Settings, check_directory, setting
from bayes_layers.uncertainty.acquisitions import ACQUISITIONS


@dataclasses.dataclass(frozen=True)
class DataSettings(Settings):
    """Data"""

    dataset: str = setting(
        "auto",
        "mnist (TFDS), digits (embedded, 1,797 images resampled to 28x28), or auto: mnist where it "
        "can be had, else digits with a warning.",
        choices=("auto", "mnist", "digits"),
    )
    data_dir: str = setting(
        "",
        "Where TFDS keeps its data sets; empty: TFDS_DATA_DIR, else ~/tensorflow_datasets.",
        result=False,
        in_record=False,
    )


@dataclasses.dataclass(frozen=True)
class AcquisitionSettings(Settings):
    """Active learning"""

    acquisition: str = setting(
        "var_ratios",
        "Acquisition function; var_ratios is 1 - max of the mean probability, hard_var_ratios counts votes.",
        choices=ACQUISITIONS,
    )
    initial_labels: int = setting(20, "Labelled images at the start.", minimum=1)
    balanced_init: bool = setting(True, "Draw the initial images evenly from the classes.")
    query_size: int = setting(10, "Images acquired in each cycle.", minimum=1)
    max_labels: int = setting(
        1000,
        "Stop before the labelled images would exceed this number; a finished run continues when asked for more.",
        minimum=1,
        result=False,
    )
    pool_subset: int = setting(0, "Score a random subset of this size in each cycle; 0: the whole pool.", minimum=0)
    scoring: str = setting(
        "race",
        "How the pool is scored: race drops images without a chance after a few samples, full gives every image all.",
        choices=("race", "full"),
    )


@dataclasses.dataclass(frozen=True)
class RunSettings(Settings):
    """Run"""

    seed: int = setting(0, "All randomness follows from this number.", minimum=0, maximum=2**31 - 1)
    output_dir: str = setting("runs", "Where records are kept.", result=False, in_record=False)
    test_every: int = setting(
        1, "Evaluate the test set every so many cycles, and at the last.", minimum=1, result=False
    )
    dry_run: bool = setting(
        False,
        "Print the resolved settings, the record's path and the expected work and memory; do nothing.",
        result=False,
        in_record=False,
    )


GROUPS = (
    NetworkSettings,
    AcquisitionSettings,
    DataSettings,
    TrainingSettings,
    PredictionSettings,
    ComputeSettings,
    RunSettings,
)

PRESETS = {
    "zeng": {},
    # Gal, Islam & Ghahramani 2017 and their released code: 50 epochs, minibatches of 128, a random 2,000
    # of the pool, votes, and an L2 penalty on the dense layers, which their code scales as 3.5 / labels
    # (here one number, its value at 1,000 labels).
    "gal": {
        "arch": "MC-Dropout",
        "acquisition": "hard_var_ratios",
        "epochs": 50,
        "batch_size": 128,
        "pool_subset": 2000,
        "sampling": "image",
        "weight_decay": 0.0035,
    },
    "quick": {"epochs": 100, "num_samples": 50, "max_labels": 200},
}


@dataclasses.dataclass(frozen=True)
class ActiveLearningConfig(
    NetworkSettings,
    AcquisitionSettings,
    DataSettings,
    TrainingSettings,
    PredictionSettings,
    ComputeSettings,
    RunSettings,
):
    """Every setting of `python -m experiments.al_mnist`; the groups are its base classes.

    Raises:
      SettingError: for a value that a setting does not take.
    """

    def __post_init__(self):
        super().__post_init__()
        check_directory("output_dir", self.output_dir)
        if self.max_labels < self.initial_labels:
            raise SettingError(
                f"--max_labels={self.max_labels} is not valid: it is at least --initial_labels={self.initial_labels}"
            )
        last_seed = self.seed + self.replicas - 1
        if last_seed > 2**31 - 1:
            raise SettingError(
                f"--replicas={self.replicas} is not valid: its last seed would be {last_seed}; seeds go to {2**31 - 1}"
            )
        for name, value in (("train_samples", 1), ("mean_decay", 0.0)):
            if self.replicas > 1 and getattr(self, name) != value:
                raise SettingError(
                    f"--replicas={self.replicas} is not valid: with --{name}={getattr(self, name):g} it takes 1"
                )
        if 0 < self.pool_subset < self.query_size:
            raise SettingError(
                f"--pool_subset={self.pool_subset} is not valid: it is 0 or at least --query_size={self.query_size}"
            )

    @classmethod
    def preset(cls, name, **overrides):
        """The configuration of a named preset, single settings overridden."""
        if name not in PRESETS:
            raise SettingError(f"--preset={name} is not valid: it takes one of {', '.join(PRESETS)}")
        return cls().replace(**{**PRESETS[name], **overrides})

    @property
    def last_cycle(self):
        """Number of the last cycle: the acquisitions that fit into max_labels."""
        return (self.max_labels - self.initial_labels) // self.query_size

    def labels_at(self, cycle):
        """Labelled images on which cycle `cycle` is fitted."""
        return self.initial_labels + cycle * self.query_size

    def is_tested(self, cycle):
        """Whether cycle `cycle` ends with a test."""
        return cycle % self.test_every == 0 or cycle == self.last_cycle

    def training_steps(self, first_cycle=0, last_cycle=None):
        """Adam steps from `first_cycle` to `last_cycle`, or to the last."""
        last_cycle = self.last_cycle if last_cycle is None else last_cycle
        return sum(
            self.epochs * -(-self.labels_at(cycle) // self.batch_size) for cycle in range(first_cycle, last_cycle + 1)
        )


def result_settings(config):
    """The settings that another result follows from, as a dict in the order of declaration."""
    return {field.name: getattr(config, field.name) for field in dataclasses.fields(config) if field.metadata["result"]}
