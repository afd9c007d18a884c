"""The numbers to stand beside, and which runs may stand there. Light: no TensorFlow.

Zeng, Lesnikowski & Alvarez 2018, Tables 2 and 3: test error in % at 1,000 labels, mean of 3 runs. Their MC Dropout
column is quoted from Gal, Islam & Ghahramani 2017, whose protocol is another.
"""

from experiments.active_learning.config import ActiveLearningConfig, result_settings
from experiments.records.record import EARLIER

ARCHITECTURES = ("MC-Dropout", "BNN", "BNN-1", "BNN-2", "BNN-3", "BNN1", "BNN2", "BNN3", "CNN")
MUS = (-3.0, -5.0, -9.0, -11.0)  # what Table 3 chose from
QUOTED = "MC-Dropout"  # a column that the paper did not run


def _table(random, max_entropy, var_ratios):
    rows = {"random": random, "max_entropy": max_entropy, "var_ratios": var_ratios}
    return {(arch, name): value for name, row in rows.items() for arch, value in zip(ARCHITECTURES, row, strict=True)}


TABLE2 = _table(
    random=(4.66, 6.62, 5.58, 5.71, 6.37, 6.62, 6.44, 6.59, 6.90),
    max_entropy=(1.74, 3.67, 2.63, 3.22, 3.28, 7.50, 4.62, 3.58, 10.03),
    var_ratios=(1.64, 3.56, 2.40, 3.00, 3.34, 2.70, 2.84, 3.32, 6.48),
)
TABLE3 = _table(
    random=(4.66, 6.07, 5.36, 5.71, 5.88, 5.93, 5.76, 6.56, 6.90),
    max_entropy=(1.74, 3.28, 2.63, 3.15, 2.87, 7.50, 4.62, 3.44, 10.03),
    var_ratios=(1.64, 2.74, 2.38, 2.69, 2.89, 2.70, 2.59, 2.97, 6.29),
)

# The paper leaves these open (or they are what a table varies); everything else must be as it states.
_OPEN = (
    "arch",
    "acquisition",
    "mu_init",
    "seed",
    "dataset",
    "kl_scale",
    "loc_init",
    "balanced_init",
    "test_dropout",
    "sampling",
    "scoring",
    "precision",
    "jit_compile",
    "replicas",
    "warm_start",
)


def has_protocol(settings, dataset, labels):
    """Whether a run may stand beside a number of the paper.

    Args:
      settings: the settings in its `config.json`.
      dataset: the data set's name.
      labels: labelled images at the reported error.

    Returns:
      True if data set, labels and all settings that the paper states are the paper's, and the KL's divisor is one of
      the two that it may have meant.
    """
    paper = ActiveLearningConfig()
    stated = {name: value for name, value in result_settings(paper).items() if name not in _OPEN}
    stated["estimator"] = paper.noise_estimator  # records say what auto was
    settings = {**EARLIER, **settings}
    return (
        dataset == "mnist"
        and labels == paper.max_labels
        and settings.get("kl_scale") in ("labels", "dataset")
        and all(settings.get(name) == value for name, value in stated.items())
    )


def paper_error(table, cell, settings, dataset, labels):
    """The paper's number for a cell in %, or None where the run is of another protocol.

    Args:
      table: `TABLE2` or `TABLE3`.
      cell: a `Cell`.
      settings, dataset, labels: as in `has_protocol`.
    """
    if cell.arch == QUOTED or not has_protocol(settings, dataset, labels):
        return None
    if table is TABLE2 and cell.mu_init != ActiveLearningConfig.mu_init:
        return None
    return table.get((cell.arch, cell.acquisition))
