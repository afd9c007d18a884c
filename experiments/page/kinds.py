"""What the page has to know about each kind of record."""

import dataclasses
from collections.abc import Callable

from bayes_layers.inference.early_stopping import last_epoch
from bayes_layers.models.architectures import ARCHITECTURES, IMAGE_NETWORKS
from bayes_layers.uncertainty.acquisitions import ACQUISITIONS
from experiments.active_learning.config import ActiveLearningConfig
from experiments.classification.config import DETERMINISTIC_ONLY, VARIATIONAL_ONLY, ClassificationConfig
from experiments.page.text import plural
from experiments.records.layout import ACTIVE_LEARNING, ARITHMETIC, IMAGE_CLASSIFICATION, Layout, layout_of
from experiments.records.paths import text_of
from experiments.records.record import EARLIER

SCORES = (
    ("test_error", "Test error (%)", 100, 2),
    ("test_nll", "Negative log-likelihood (nats)", 1, 3),
    ("test_brier", "Brier score", 1, 3),
    ("test_ece", "Expected calibration error", 1, 3),
)
INFERENCES = ("variational", "frequentist", "dropout")


@dataclasses.dataclass(frozen=True, eq=False)
class Kind:
    """One kind of record.

    Attributes:
      layout: its files.
      title: of a page that shows only this kind.
      config_class: the config that its settings are of.
      network, column: the settings that are compared down and across a table.
      networks, columns: their values in the order of tables.
      compared: the title of the curves in which columns are compared.
      own: settings that only some columns have; where they tell runs of one column apart, these are several columns.
      x: the column of metrics that curves are drawn against; `x_words` says what it is.
      at, counted: of the words in which `where` says where a value was found.
      scores: (column of metrics, title, factor, digits) of each table of results.
      errors: (name, column of metrics) of the lines of a run's card of errors.
      stated: called with the settings of a `config.json` for those that tell protocols apart.
      counts, texts: settings that have to be whole numbers, and texts.
      missing: called with a `Run` for how much it has done, and how much it will have at its end.
    """

    layout: Layout
    title: str
    config_class: type
    network: str
    column: str
    networks: tuple
    columns: tuple
    compared: str
    own: tuple
    x: str
    x_words: str
    at: str
    counted: str
    scores: tuple
    errors: tuple
    stated: Callable
    counts: tuple
    texts: tuple
    missing: Callable

    @property
    def compares(self):
        """Settings that a page compares, or that may change within a run."""
        rows = (self.network, self.column, "mu_init", "dataset", "seed")
        return tuple(dict.fromkeys((*rows, *self.own, *ARITHMETIC, *self.layout.changeable)))

    def where(self, x):
        """`at 300 labels`, or `after 1 epoch`."""
        return f"{self.at} {plural(int(x), self.counted)}"

    @property
    def seconds(self):
        """Names of what takes time in each cycle or epoch; the column is `<name>_seconds`."""
        suffix = "_seconds"
        return [name.removesuffix(suffix) for name in self.layout.columns["metrics"] if name.endswith(suffix)]


def kind_of(config):
    """The `Kind` of a record by the content of its `config.json`."""
    return KINDS[layout_of(config).experiment]


def _stated_of_learning(settings):
    settings = {**EARLIER, **settings}
    if settings.get("estimator") == "flipout":
        settings["estimator"] = "auto"  # what auto means for these networks
    if settings.get("test_dropout") == str(settings["arch"] == "MC-Dropout").lower():
        settings["test_dropout"] = "auto"  # what auto means depends on the architecture
    return settings


def _stated_of_classification(settings):
    settings = dict(settings)
    if settings.get("estimator") == "local_reparameterization_all":
        settings["estimator"] = "auto"  # what auto means for these networks
    return settings


def _labels(run):
    settings = run.config["settings"]
    if settings["query_size"] < 1:
        raise ValueError("config.json says query_size < 1")
    steps = (settings["max_labels"] - settings["initial_labels"]) // settings["query_size"]
    return run.tables["metrics"]["labels"][-1], int(settings["initial_labels"] + steps * settings["query_size"])


def _epochs(run):
    settings, metrics = run.config["settings"], run.tables["metrics"]
    return len(metrics["epoch"]), last_epoch(metrics["val_error"], settings["epochs"], settings["patience"])


KINDS = {
    kind.layout.experiment: kind
    for kind in (
        Kind(
            layout=ACTIVE_LEARNING,
            title="Bayesian active learning",
            config_class=ActiveLearningConfig,
            network="arch",
            column="acquisition",
            networks=tuple(ARCHITECTURES),
            columns=tuple(ACQUISITIONS),
            compared="Acquisitions compared",
            own=(),
            x="labels",
            x_words="labelled images",
            at="at",
            counted="label",
            scores=SCORES,
            errors=(("test error", "test_error"),),
            stated=_stated_of_learning,
            counts=("seed", "max_labels", "initial_labels", "query_size"),
            texts=("arch", "acquisition", "dataset"),
            missing=_labels,
        ),
        Kind(
            layout=IMAGE_CLASSIFICATION,
            title="Bayesian image classification",
            config_class=ClassificationConfig,
            network="model",
            column="inference",
            networks=tuple(IMAGE_NETWORKS),
            columns=INFERENCES,
            compared="Inferences compared",
            own=(*VARIATIONAL_ONLY, *DETERMINISTIC_ONLY),
            x="epoch",
            x_words="epochs",
            at="after",
            counted="epoch",
            scores=(
                *SCORES,
                ("aleatoric", "Aleatoric uncertainty (mean trace)", 1, 4),
                ("epistemic", "Epistemic uncertainty (mean trace)", 1, 4),
            ),
            errors=(("test", "test_error"), ("validation", "val_error"), ("training", "train_error")),
            stated=_stated_of_classification,
            counts=("seed", "epochs", "patience"),
            texts=("model", "inference", "dataset"),
            missing=_epochs,
        ),
    )
}


def own_of(kind, settings):
    """The settings that only some columns have, as sorted pairs of texts."""
    settings = kind.stated(settings)
    return tuple((name, text_of(settings[name])) for name in sorted(kind.own) if name in settings)
