"""What a Bayesian network on MNIST is unsure of: Figures 4, 5 and 6 of Zharikov, Isachenko & Bochkarev's report.

Source: its section "Uncertainty in predictions on real data": a 5x5-convolutional tanh network, 50,000 images to learn
from and 10,000 to validate on, 100 posterior samples.

Command: python -m experiments.mnist_uncertainty          (--quick for a first look)

Expected: the report gives no numbers. Run time: about ten minutes on two CPU cores.

Each epoch ends with a commit; the same command goes on where it stopped. Results are in
<output_dir>/mnist_uncertainty/<dataset>/<settings>/: figure4.png (variance against expected error), figure5.png
(misclassified images with zero expected error), figure6.png (the least confident images), refused.png and .csv
(accuracy against the share of images that one refuses to classify), summary.csv. `experiments.mnist_errors.measures`
defines the measures.
"""

import dataclasses
import pathlib
import sys

from bayes_layers.config import NetworkSettings
from bayes_layers.settings import Settings, check_directory, setting
from experiments import datasets, entry
from experiments.active_learning.config import DataSettings
from experiments.errors import UserError
from experiments.records.paths import text_of

QUICK = {"epochs": 5, "batch_size": 20, "num_samples": 30}
OF_NETWORKS = ("mu_init", "sigma_init", "prior", "prior_scale", "hyperprior", "hyperprior_scale", "kl_samples")


@dataclasses.dataclass(frozen=True)
class UncertaintySettings(Settings):
    """Network and training"""

    loc_init: str = setting(
        "glorot",
        "Initial posterior means: glorot as in deterministic layers, tfp is N(0, 0.1^2).",
        choices=("glorot", "tfp"),
    )
    variational_bias: bool = setting(True, "Biases have posterior and prior too, as in the report.")
    epochs: int = setting(10, "Passes over the images.", minimum=1, maximum=100_000)
    batch_size: int = setting(100, "Images in a minibatch.", minimum=1, maximum=10_000)
    learning_rate: float = setting(0.001, "Adam's learning rate.", above=0, maximum=1e30)
    num_samples: int = setting(100, "Posterior samples.", minimum=2, maximum=100_000)
    seed: int = setting(0, "All randomness follows from this number.", minimum=0, maximum=2**31 - 1)


@dataclasses.dataclass(frozen=True)
class OutputSettings(Settings):
    """Output"""

    quick: bool = setting(
        False, "Five epochs in minibatches of 20, and 30 samples, where these are not given.", result=False
    )
    output_dir: str = setting("runs", "Where results are kept.", result=False)


def _of_networks():
    """The settings of networks that this one takes too, with the declarations that they have there."""
    declared = {field.name: field for field in dataclasses.fields(NetworkSettings)}
    fields = [(name, declared[name].type, _copy(declared[name])) for name in OF_NETWORKS]
    made = dataclasses.make_dataclass("PosteriorSettings", fields, bases=(Settings,), frozen=True)
    made.__doc__ = "Posterior and prior"
    return made


def _copy(field):
    return dataclasses.field(default=field.default, metadata=field.metadata)


PosteriorSettings = _of_networks()
GROUPS = (PosteriorSettings, UncertaintySettings, DataSettings, OutputSettings)


@dataclasses.dataclass(frozen=True)
class UncertaintyConfig(PosteriorSettings, UncertaintySettings, DataSettings, OutputSettings):
    """Every setting of this experiment.

    Raises:
      SettingError: for a value that a setting does not take.
    """

    def __post_init__(self):
        super().__post_init__()
        self.network_settings  # noqa: B018
        check_directory("output_dir", self.output_dir)

    def replace(self, **changes):
        """A copy with other values; `quick` brings its own protocol where nothing else was given."""
        return super().replace(**({**QUICK, **changes} if changes.get("quick") else changes))

    @property
    def network_settings(self):
        """The `NetworkSettings` of the layers."""
        names = (*OF_NETWORKS, "loc_init", "variational_bias")
        return NetworkSettings(estimator="local_reparameterization", **{name: getattr(self, name) for name in names})

    @property
    def identity(self):
        """The settings that a record belongs to, the data set's name aside."""
        own = ("dataset", "data_dir")
        fields = [field for field in dataclasses.fields(self) if field.metadata["result"] and field.name not in own]
        return {field.name: getattr(self, field.name) for field in fields}

    def directory(self, dataset):
        """Where the record and the results of a data set lie."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        other = sorted(n for n, value in self.identity.items() if n not in ("mu_init", "seed") and value != defaults[n])
        parts = [f"mu{text_of(self.mu_init)}", *(f"{name}={text_of(getattr(self, name))}" for name in other)]
        root = pathlib.Path(self.output_dir).expanduser() / "mnist_uncertainty" / dataset
        return root / ",".join(parts) / f"seed{self.seed}"


DESCRIPTION = """\
What a Bayesian network on MNIST is unsure of (Zharikov, Isachenko & Bochkarev).

  python -m experiments.mnist_uncertainty                            50,000 images, 100 posterior samples
  python -m experiments.mnist_uncertainty --dataset=digits --quick   a first look, without a download

Trains the report's network, predicts the validation images with posterior samples, and draws which of them it is unsure
of. Settings are given as --name=value; values below are the defaults."""


def work(config):
    """Trains and predicts, unless that is done, and draws.

    Args:
      config: an `UncertaintyConfig`.

    Raises:
      UserError: for whatever a user can mend.
    """
    name = datasets.resolve(config.dataset, config.data_dir)
    directory = config.directory(name)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output_dir={config.output_dir} cannot be used: {error.strerror}") from error
    entry.start_tensorflow()
    from experiments.mnist_errors import pictures, training
    from experiments.records import arrays, files
    from experiments.records.lock import RecordLock

    with RecordLock(directory):
        if arrays.read(directory / training.PREDICTIONS) is None:
            dataset = datasets.load(name, config.data_dir)
            network = training.train(config, dataset, directory, lambda line: print(line, file=sys.stderr, flush=True))
            training.predict(config, network, dataset, directory)
        head, predictions = arrays.read(directory / training.PREDICTIONS)
        files.write_files(directory, pictures.report(head, predictions))
    print(f"done: {100 * head['error']:.2f} % of {head['images']:,} images are wrong; see {directory}")


main = entry.point(work, UncertaintyConfig, description=DESCRIPTION, groups=GROUPS, unit="epoch")


if __name__ == "__main__":
    sys.exit(main())
