"""The settings of networks, training and prediction, as frozen dataclasses by theme.

Defaults are the protocol of Zeng, Lesnikowski & Alvarez 2018. Light: neither absl nor TensorFlow.
"""

import dataclasses

from bayes_layers.layers.prior_names import HYPERPRIORS, PRIORS
from bayes_layers.models.architectures import ARCHITECTURES
from bayes_layers.settings import SettingError, Settings, setting

AUTO_BOOL = ("auto", "true", "false")


PRIOR_SETTINGS = ("prior", "prior_scale", "hyperprior", "hyperprior_scale", "variational_bias", "kl_samples")


@dataclasses.dataclass(frozen=True)
class NetworkSettings(Settings):
    """Network and initial posterior"""

    arch: str = setting(
        "BNN",
        "Which layers are Bayesian (Table 1 of Zeng et al.); MC-Dropout is the CNN of Gal et al.",
        choices=ARCHITECTURES,
    )
    mu_init: float = setting(
        -3.0, "Mean of the initial rho; the posterior standard deviation is softplus(rho).", minimum=-100, maximum=100
    )
    sigma_init: float = setting(0.1, "Standard deviation of the initial rho.", minimum=0, maximum=100)
    loc_init: str = setting(
        "tfp",
        "Initial posterior means: tfp is N(0, 0.1^2), glorot is as in the deterministic layers.",
        choices=("tfp", "glorot"),
    )
    estimator: str = setting(
        "flipout",
        "How the dense layers' noise is drawn in training: flipout, or local_reparameterization of their outputs "
        "(convolutions: always flipout).",
        choices=("flipout", "local_reparameterization"),
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
    test_dropout: str = setting(
        "auto", "Does dropout sample at prediction? auto: in MC-Dropout only.", choices=AUTO_BOOL
    )

    def __post_init__(self):
        super().__post_init__()
        if self.prior == "flat" and self.hyperprior != "fixed":
            raise SettingError(
                f"--hyperprior={self.hyperprior} is not valid: a flat prior has no scale, so that it takes fixed"
            )

    @property
    def dropout_samples(self):
        """Whether dropout samples at prediction, with auto decided."""
        return self.arch == "MC-Dropout" if self.test_dropout == "auto" else self.test_dropout == "true"


@dataclasses.dataclass(frozen=True)
class TrainingSettings(Settings):
    """Training"""

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
class ComputeSettings(Settings):
    """Machine"""

    precision: str = setting(
        "auto",
        "Arithmetic of convolutions and matrix products; all else is float32. auto: bfloat16 on a processor that has "
        "it (AMX or AVX-512 BF16) and for mu_init from -6, else float32.",
        choices=("auto", "float32", "bfloat16"),
    )
    jit_compile: str = setting(
        "auto", "Compile training and prediction with XLA; auto: on a GPU only.", choices=AUTO_BOOL
    )
    replicas: int = setting(
        1,
        "Seeds trained side by side in one computation, from --seed on, each with its own record: one small network "
        "does not fill a GPU.",
        minimum=1,
        maximum=256,
    )
