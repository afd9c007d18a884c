"""What the records of an experiment hold: the one thing in which they differ. Light: no TensorFlow."""

import dataclasses
import os

from experiments.records import tables

FILES, CHECKPOINTS = ("config.json", "metrics.csv"), "checkpoint"  # any of them makes a directory a record
ARITHMETIC = ("precision", "jit_compile")  # settings that auto decides by the machine and the posterior's width


@dataclasses.dataclass(frozen=True)
class Layout:
    """The files of one kind of record.

    Attributes:
      experiment: its name: of the directory, and in `config.json`.
      unit: what ends with a commit, "cycle" or "epoch"; the first column of every table counts it.
      first: number of the first commit.
      columns: dict from a table's name to its columns.
      pictures: the pictures that a finished record has.
      changeable: settings that may differ when a record is continued.
      keeps_images: whether the record holds `acquired.npz`.
    """

    experiment: str
    unit: str
    first: int
    columns: dict
    pictures: tuple
    changeable: tuple
    keeps_images: bool

    def row(self, table, **values):
        """A row of a table as a dict of texts (`tables.row`)."""
        return tables.row(table, self.columns, **values)

    def empty_rows(self):
        """The rows of all tables before the first commit."""
        return {name: [] for name in self.columns}


ACTIVE_LEARNING = Layout(
    experiment="al_mnist",
    unit="cycle",
    first=0,
    columns=tables.COLUMNS,
    pictures=("learning_curve.png", "acquired.png"),
    changeable=("max_labels", "test_every"),
    keeps_images=True,
)

IMAGE_CLASSIFICATION = Layout(
    experiment="image_classification",
    unit="epoch",
    first=1,
    columns={
        "metrics": (
            "epoch",
            "train_error",
            "val_error",
            "test_error",
            "train_nll",
            "train_kl",
            "kl_weight",
            "val_nll",
            "test_nll",
            "test_brier",
            "test_ece",
            "aleatoric",
            "epistemic",
            "train_seconds",
            "predict_seconds",
        ),
        "posterior": ("epoch", "layer", "sigma_mean", "sigma_std", "snr_median", "kl"),
        "calibration": ("epoch", "bin", "count", "confidence", "accuracy"),
        "weights": ("epoch", "layer", "index", "mu", "sigma"),
    },
    pictures=("learning_curve.png",),
    changeable=("epochs", "test_every", "patience"),
    keeps_images=False,
)

LAYOUTS = {layout.experiment: layout for layout in (ACTIVE_LEARNING, IMAGE_CLASSIFICATION)}


def layout_of(config):
    """The `Layout` of a record by the content of its `config.json`; those of active learning do not name it."""
    return LAYOUTS[config.get("experiment", ACTIVE_LEARNING.experiment)]


def arithmetic_of(settings):
    """The arithmetic of a run by its settings, in words: `bfloat16`, or `float32 with XLA`."""
    precision, jit_compile = (settings.get(name) or "unknown" for name in ARITHMETIC)
    return precision + (" with XLA" if jit_compile == "true" else "")


def arithmetics_sentence(places, where=""):
    """A sentence on runs that differ in their arithmetic, None if they do not.

    Args:
      places: where each arithmetic was used, a dict from `arithmetic_of`'s words to words for a reader.
      where: what to add after the list.
    """
    if len(places) < 2:
        return None
    parts = "; ".join(f"{words} {place}" for words, place in sorted(places.items()))
    return (
        f"The runs differ in their arithmetic: {parts}{where}. A difference between runs of two arithmetics contains "
        "theirs."
    )


def devices_sentence(counts):
    """A sentence on runs of several processors, None if there is one.

    Args:
      counts: dict from the devices' names to the number of runs.
    """
    if len(counts) < 2:
        return None
    parts = ", ".join(f"{count} on {device or 'an unknown device'}" for device, count in sorted(counts.items()))
    return (
        f"The runs were made on several devices: {parts}. Each sums in its own order, and not all do the same of the "
        "products that are called bfloat16 in it: without matrix units, those behind the first stochastic layer are "
        "predicted in float32. A difference between runs of two devices contains that."
    )


def has_checkpoint(path):
    """Whether a record has a directory of checkpoints, which may be a link to one that is not there now."""
    return os.path.lexists(os.path.join(path, CHECKPOINTS))


def is_record(path):
    """Whether a directory is a record, whole or not; also if it is there and may not be looked into."""
    try:
        with os.scandir(path) as entries:
            return any(entry.name in FILES or (entry.name == CHECKPOINTS and entry.is_dir()) for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
