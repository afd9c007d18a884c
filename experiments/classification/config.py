"""The configuration of an image-classification run, as one frozen dataclass. Light: no TensorFlow.

Defaults are the setting of the appendix of Shridhar's thesis (2019, sections 9.1 and 9.4), with what it leaves open or
says twice decided here:

- Its "(alpha mu^2)init of approximate posterior: -10" is no variance. Read as a log variance it is a standard
  deviation of exp(-5) = 0.0067, which softplus(rho) is at rho = -4.9966.
- Means of 0 (section 5.1.7) would have no variance alpha mu^2. They start as section 9.4 has it, "consistent with the
  Bayesian networks where initialization was Normal initialization (mean = 0 and variance = 1)", away from zero.
- "Sample size 10-25": 25, the number of "all other experiments" (section 5.5), of draws in each training step and in
  prediction. A frequentist network has one.
- "lambda in l2 normalisation: 0.0005", listed for the Bayesian networks only, is taken of the posterior means, besides
  what the KL to a Gaussian prior is already.
- The prior's variance (section 5.1.5) is not given: 1.
"""

import dataclasses

from bayes_layers.config import (
    PRIOR_SETTINGS,
    DeviceSettings,
    LayerSettings,
    NetworkSettings,
    ObjectiveSettings,
    PredictionSettings,
)
from bayes_layers.models.architectures import IMAGE_NETWORKS
from bayes_layers.settings import SettingError, Settings, check_directory, same_setting, setting
from experiments.active_learning.config import DataSettings, RunSettings


@dataclasses.dataclass(frozen=True)
class ModelName(Settings):
    """Model"""

    model: str = setting("lenet5", "The network (Shridhar's Tables 5, 11, 12 and 13).", choices=IMAGE_NETWORKS)


@dataclasses.dataclass(frozen=True)
class ModelSettings(LayerSettings, ModelName):
    """Network"""

    inference: str = same_setting(
        LayerSettings,
        "inference",
        "variational",
        "variational (all layers Bayesian), frequentist (none), or dropout (none, but dropout samples at prediction).",
    )
    weight_init: str = same_setting(LayerSettings, "weight_init", "normal")
    mu_init: float = same_setting(LayerSettings, "mu_init", -4.9966)
    sigma_init: float = same_setting(LayerSettings, "sigma_init", 0.0)
    loc_init: str = same_setting(LayerSettings, "loc_init", "normal")
    variance: str = same_setting(LayerSettings, "variance", "alpha")


@dataclasses.dataclass(frozen=True)
class ImageSettings(DataSettings):
    """Data"""

    dataset: str = same_setting(
        DataSettings,
        "dataset",
        "auto",
        "mnist, cifar10, cifar100 (TFDS), digits (embedded), or auto: mnist where it can be had, else digits with a "
        "warning.",
        choices=("auto", "mnist", "cifar10", "cifar100", "digits"),
    )
    validation: float = setting(
        0.1,
        "Share of the training images that is kept for validation: the same images in every run.",
        above=0,
        below=1,
    )


@dataclasses.dataclass(frozen=True)
class EpochSettings(ObjectiveSettings):
    """Training"""

    epochs: int = same_setting(
        ObjectiveSettings,
        "epochs",
        100,
        "Passes over the training images; a finished run continues when asked for more.",
        result=False,
    )
    batch_size: int = same_setting(ObjectiveSettings, "batch_size", 256)
    kl_scale: str = same_setting(
        ObjectiveSettings,
        "kl_scale",
        "labels",
        "Divisor of the KL: labels (the training images; the true ELBO), dataset (those and the images for "
        "validation), or a number.",
    )
    kl_schedule: str = same_setting(ObjectiveSettings, "kl_schedule", "blundell")
    train_samples: int = same_setting(ObjectiveSettings, "train_samples", 25)
    mean_decay: float = same_setting(ObjectiveSettings, "mean_decay", 0.0005)
    patience: int = setting(
        0,
        "Stop early when the validation error has not fallen for so many epochs; 0: never.",
        minimum=0,
        result=False,
    )


@dataclasses.dataclass(frozen=True)
class SampleSettings(PredictionSettings):
    """Posterior prediction"""

    num_samples: int = same_setting(PredictionSettings, "num_samples", 25)


@dataclasses.dataclass(frozen=True)
class EpochRunSettings(RunSettings):
    """Run"""

    test_every: int = same_setting(
        RunSettings, "test_every", 1, "Evaluate the test set every so many epochs, and at the last."
    )


GROUPS = (ModelSettings, ImageSettings, EpochSettings, SampleSettings, DeviceSettings, EpochRunSettings)

# What is settled by a network without Bayesian layers, or by one without others.
VARIATIONAL_ONLY = (
    *("mu_init", "sigma_init", "loc_init", "variance", "estimator"),
    *PRIOR_SETTINGS,
    *("kl_scale", "kl_schedule", "kl_warmup", "train_samples", "mean_decay"),
)
DETERMINISTIC_ONLY = ("weight_init", "weight_decay", "dropout_layers")

PRESETS = {
    "thesis": {},
    # A working setting for a CPU: a narrow start, softplus(-5) = 0.0067, around Glorot's means. The KL is that of the
    # true ELBO, spread as in the appendix. Adam divides by the size of recent gradients, so that bursts in the first
    # minibatches of an epoch move the posterior far less than the same KL spread evenly (--kl_schedule=constant).
    "quick": {
        "epochs": 20,
        "batch_size": 128,
        "variance": "softplus",
        "mu_init": -5.0,
        "loc_init": "glorot",
        "weight_init": "glorot",
        "train_samples": 1,
        "mean_decay": 0.0,
        "num_samples": 10,
    },
}


@dataclasses.dataclass(frozen=True)
class ClassificationConfig(
    ModelSettings, ImageSettings, EpochSettings, SampleSettings, DeviceSettings, EpochRunSettings
):
    """Every setting of `python -m experiments.image_classification`; the groups are its base classes.

    Raises:
      SettingError: for a value that a setting does not take.
    """

    def __post_init__(self):
        super().__post_init__()
        check_directory("output_dir", self.output_dir)
        _ = self.network  # checks what fits together

    @classmethod
    def preset(cls, name, **overrides):
        """The configuration of a named preset, single settings overridden."""
        if name not in PRESETS:
            raise SettingError(f"--preset={name} is not valid: it takes one of {', '.join(PRESETS)}")
        return cls().replace(**{**PRESETS[name], **overrides})

    @property
    def network(self):
        """The `NetworkSettings` of the model."""
        shared = {field.name: getattr(self, field.name) for field in dataclasses.fields(LayerSettings)}
        return NetworkSettings(arch=self.model, **shared)

    @property
    def meaningless(self):
        """Names of the settings that change nothing under this inference."""
        return DETERMINISTIC_ONLY if self.inference == "variational" else VARIATIONAL_ONLY


def objective(config):
    """What of the objective is for variational networks only: `(train_samples, mean_decay)`."""
    return (config.train_samples, config.mean_decay) if config.inference == "variational" else (1, 0.0)


def split_sizes(num_images, validation):
    """`(training images, images for validation)` of so many images.

    Raises:
      SettingError: if one of them is none, or training has fewer than validation.
    """
    held_out = round(num_images * validation)
    if not 0 < held_out <= num_images - held_out:
        raise SettingError(
            f"--validation={validation:g} is not valid: of {num_images} images it keeps {held_out}; it takes a share "
            "that keeps at least one and at most half of them"
        )
    return num_images - held_out, held_out
