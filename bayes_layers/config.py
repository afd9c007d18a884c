"""The settings of networks, training and prediction, as frozen dataclasses by theme.

Defaults are the protocol of Zeng, Lesnikowski & Alvarez 2018. Light: neither absl nor TensorFlow.
"""

import dataclasses

from bayes_layers.layers.prior_names import HYPERPRIORS, PRIORS
from bayes_layers.models.architectures import IMAGE_NETWORKS, INFERENCES, NETWORKS, is_bayesian
from bayes_layers.settings import SettingError, Settings, setting

AUTO_BOOL = ("auto", "true", "false")
KL_SCHEDULES = ("constant", "blundell")
ESTIMATORS = ("flipout", "local_reparameterization", "local_reparameterization_all")


PRIOR_SETTINGS = ("prior", "prior_scale", "hyperprior", "hyperprior_scale", "variational_bias", "kl_samples")


@dataclasses.dataclass(frozen=True)
class ArchitectureSettings(Settings):
    """Architecture"""

    arch: str = setting(
        "BNN",
        "Which layers are Bayesian (Table 1 of Zeng et al.); MC-Dropout is the CNN of Gal et al.; lenet5, alexnet and "
        "alexnet_half (Shridhar) are what --inference says.",
        choices=NETWORKS,
    )


@dataclasses.dataclass(frozen=True)
class LayerSettings(Settings):
    """Layers"""

    inference: str = setting(
        "variational",
        "Of lenet5, alexnet and alexnet_half: variational (all layers Bayesian), frequentist (none), or dropout (none, "
        "but dropout samples at prediction). The other networks say it by their names.",
        choices=INFERENCES,
    )
    dropout_layers: str = setting(
        "auto",
        "Dropout layers of lenet5, alexnet and alexnet_half: 0, 1 or 3, or all (one behind each hidden layer); auto: "
        "all with dropout, else 0.",
        choices=("auto", "0", "1", "3", "all"),
    )
    weight_init: str = setting(
        "glorot",
        "Initial kernels of the deterministic layers of lenet5, alexnet and alexnet_half: glorot, or normal, N(0, 1).",
        choices=("glorot", "normal"),
    )
    mu_init: float = setting(
        -3.0, "Mean of the initial rho; the posterior standard deviation is softplus(rho).", minimum=-100, maximum=100
    )
    sigma_init: float = setting(0.1, "Standard deviation of the initial rho.", minimum=0, maximum=100)
    loc_init: str = setting(
        "tfp",
        "Initial posterior means: tfp is N(0, 0.1^2), glorot is as in the deterministic layers, normal is N(0, 1).",
        choices=("tfp", "glorot", "normal"),
    )
    variance: str = setting(
        "softplus",
        "What is learned of the posterior variance: rho, where it is softplus(rho)^2, or log alpha, where it is "
        "alpha mu^2 and starts at softplus(rho)^2 on an average.",
        choices=("softplus", "alpha"),
    )
    estimator: str = setting(
        "auto",
        "How the noise of Bayesian layers is drawn in training: flipout; local_reparameterization of the outputs of "
        "dense layers (convolutions: flipout); local_reparameterization_all, of all layers. auto: flipout in the "
        "networks of Zeng et al., local_reparameterization_all in those of Shridhar.",
        choices=("auto", *ESTIMATORS),
    )
    prior: str = setting(
        "normal",
        "Prior of the weights of the Bayesian layers; flat is improper (its KL is minus the entropy).",
        choices=PRIORS,
    )
    prior_scale: float = setting(
        1.0, "The prior's scale; under a hyperprior, where the learned scale starts.", above=0, maximum=1e6
    )
    hyperprior: str = setting(
        "fixed",
        "Prior of the prior's scale, one per layer, which is then learned with the weights; fixed: it is not learned.",
        choices=HYPERPRIORS,
    )
    hyperprior_scale: float = setting(
        1.0, "The hyperprior's own scale (of the inverse-Gamma: with concentration 1).", above=0, maximum=1e6
    )
    variational_bias: bool = setting(
        False, "Give the biases of the Bayesian layers posterior and prior too, instead of point estimates."
    )
    kl_samples: int = setting(
        4, "Draws per weight and step for a KL without a closed form (the cauchy prior's).", minimum=1, maximum=10_000
    )


@dataclasses.dataclass(frozen=True)
class NetworkSettings(LayerSettings, ArchitectureSettings):
    """Network and initial posterior"""

    test_dropout: str = setting(
        "auto",
        "Does dropout sample at prediction? auto: in MC-Dropout, and with --inference=dropout, only.",
        choices=AUTO_BOOL,
    )

    def __post_init__(self):
        super().__post_init__()
        self._check_inference()
        if self.prior == "flat" and self.hyperprior != "fixed":
            raise SettingError(
                f"--hyperprior={self.hyperprior} is not valid: a flat prior has no scale, so that it takes fixed"
            )

    def _check_inference(self):
        own_words = {"inference": "variational", "dropout_layers": "auto", "weight_init": "glorot"}
        for name, word in own_words.items():
            if self.arch not in IMAGE_NETWORKS and getattr(self, name) != word:
                raise SettingError(
                    f"--{name}={getattr(self, name)} is not valid: it takes {word} with --arch={self.arch}, which says "
                    f"itself what its layers are; {', '.join(IMAGE_NETWORKS)} take others"
                )
        if self.inference == "variational" and self.dropout_layers not in ("auto", "0"):
            raise SettingError(
                f"--dropout_layers={self.dropout_layers} is not valid: it takes auto or 0 with --inference=variational"
            )

    @property
    def is_bayesian(self):
        """Whether any layer has a posterior over its weights."""
        return is_bayesian(self.arch, self.inference)

    @property
    def dropout_samples(self):
        """Whether dropout samples at prediction, with auto decided."""
        is_auto = self.arch == "MC-Dropout" or self.inference == "dropout"
        return is_auto if self.test_dropout == "auto" else self.test_dropout == "true"

    @property
    def noise_estimator(self):
        """One of `ESTIMATORS`: the estimator, with auto decided."""
        return self._usual_estimator if self.estimator == "auto" else self.estimator

    @property
    def is_estimator_usual(self):
        """Whether the estimator is what auto means for this network."""
        return self.noise_estimator == self._usual_estimator

    @property
    def _usual_estimator(self):
        return "local_reparameterization_all" if self.arch in IMAGE_NETWORKS else "flipout"


@dataclasses.dataclass(frozen=True)
class ObjectiveSettings(Settings):
    """Objective and optimiser"""

    epochs: int = setting(200, "Passes over the labelled images in each cycle.", minimum=1, maximum=100_000)
    batch_size: int = setting(64, "Images in a minibatch.", minimum=1, maximum=10_000)
    learning_rate: float = setting(0.001, "Adam's learning rate.", above=0, maximum=1e30)
    weight_decay: float = setting(
        0.0,
        "Adds weight_decay x the sum of squared kernel weights of the deterministic layers to the loss.",
        minimum=0,
        maximum=1e30,
    )
    kl_scale: str = setting(
        "labels",
        "Divisor of the KL: labels (the labelled images; the true ELBO), dataset (all images "
        "of the training set, as an old TFP example does), or a number.",
        minimum=1e-6,
        maximum=1e30,
        or_words=("labels", "dataset"),
    )
    kl_schedule: str = setting(
        "constant",
        "How the KL is spread over the minibatches of an epoch: constant, or blundell: the weight of minibatch i is "
        "proportional to 2^-i (Blundell et al. 2015). An epoch has the same weight on an average.",
        choices=KL_SCHEDULES,
    )
    kl_warmup: int = setting(
        0, "Epochs in which the KL's weight rises linearly from 0; 0: it is whole at once.", minimum=0, maximum=100_000
    )
    train_samples: int = setting(
        1,
        "Monte-Carlo draws of the weights in each training step, over which the loss is averaged.",
        minimum=1,
        maximum=1000,
    )
    mean_decay: float = setting(
        0.0,
        "Adds mean_decay x the sum of squared posterior means of the Bayesian kernels to the loss, besides the KL.",
        minimum=0,
        maximum=1e30,
    )


@dataclasses.dataclass(frozen=True)
class TrainingSettings(ObjectiveSettings):
    """Training"""

    warm_start: bool = setting(False, "Keep the weights from cycle to cycle instead of drawing new ones.")


@dataclasses.dataclass(frozen=True)
class PredictionSettings(Settings):
    """Posterior prediction"""

    num_samples: int = setting(100, "Monte-Carlo samples of the posterior predictive.", minimum=1, maximum=1_000_000)
    sampling: str = setting(
        "weights",
        "A sample is one draw of the weights for all images (weights) or one per image (image).",
        choices=("weights", "image"),
    )


@dataclasses.dataclass(frozen=True)
class DeviceSettings(Settings):
    """Device"""

    precision: str = setting(
        "auto",
        "Arithmetic of convolutions and matrix products; all else is float32. auto: bfloat16 on a processor that has "
        "it (AMX or AVX-512 BF16) and for mu_init from -6, else float32.",
        choices=("auto", "float32", "bfloat16"),
    )
    jit_compile: str = setting(
        "auto", "Compile training and prediction with XLA; auto: on a GPU only.", choices=AUTO_BOOL
    )


@dataclasses.dataclass(frozen=True)
class ComputeSettings(DeviceSettings):
    """Machine"""

    replicas: int = setting(
        1,
        "Seeds trained side by side in one computation, from --seed on, each with its own record: one small network "
        "does not fill a GPU.",
        minimum=1,
        maximum=256,
    )
