"""Pruning a trained network: accuracy against sparsity, and a pruned and fine-tuned network that predicts.

Source: Shridhar 2019, sections 4.3 and 5.7.2 (L1 norm and a threshold, early stopping after 5 epochs, fine-tuning);
beyond it, the signal-to-noise ratio of the posterior (Blundell et al. 2015, section 5.1, where 95 % of the weights of
an MLP on MNIST go with hardly a loss).

Command: python -m experiments.pruning --record=runs/image_classification/mnist/lenet5/variational/seed0

Expected: Table 7 of the thesis reports 99 % on MNIST and 71 % on CIFAR-10 for AlexNet pruned by L1 (99 and 73 before),
without its threshold or sparsity. Run time: some minutes for LeNet-5 on MNIST on two CPU cores, most of it
fine-tuning.

For each score, (1) the curve: a share of all kernel weights, those with the lowest scores, is pruned and the network
evaluated, without any training; (2) the stages: training with the L1 norm as a penalty (score `magnitude`, --l1),
pruning at the largest sparsity that costs at most --tolerance points on the images kept for validation (or at
--threshold), and fine-tuning. Each training goes on until the validation accuracy has not risen for --patience epochs,
and goes back to its best epoch. The test set decides nothing. Interrupted, the same command goes on after the last
epoch, with the same result.

Results are in <output_dir>/pruning/<record>[/<setting>=<value>...]/: curve.csv|png, stages.csv, layers.csv (sparsity of
each layer at each stage), pruned_<score>.npz (`bayes_layers.load_network` reads it), settings.json.
"""

import dataclasses
import sys

from bayes_layers.settings import SettingError, Settings, names_in, setting
from experiments import entry
from experiments.errors import UserError
from experiments.examination.columns import CURVE, STAGES
from experiments.records import figures
from experiments.records.paths import wrapped
from experiments.records.small import SmallRecord
from experiments.records.trained import metrics_sha256, open_trained, place_of, source_for_report
from experiments.studies.render import to_markdown

TITLES = {"magnitude": "|mu|", "snr": "|mu| / sigma"}


@dataclasses.dataclass(frozen=True)
class PruningConfig(Settings):
    """Pruning"""

    record: str = setting("", "Directory of the image_classification record whose network is pruned.", result=False)
    scores: str = setting("all", "Scores by which weights are pruned: magnitude, snr, or all that the network has.")
    sparsities: str = setting(
        "0,0.25,0.5,0.6,0.7,0.75,0.8,0.85,0.9,0.95,0.98", "Shares of the kernel weights to prune, for the curve."
    )
    threshold: str = setting(
        "auto",
        "Weights with a lower score are pruned; auto: the largest sparsity of the curve within --tolerance.",
        minimum=0,
        maximum=1e30,
        or_words=("auto",),
    )
    tolerance: float = setting(
        1.0, "Points of validation accuracy that pruning may cost before fine-tuning.", minimum=0, maximum=100
    )
    l1: float = setting(
        1e-5, "Factor of the L1 norm of the kernels in the loss, before pruning by magnitude; 0: none.", minimum=0,
        maximum=1e30,
    )  # fmt: skip
    epochs: int = setting(20, "The most epochs of each training.", minimum=0, maximum=100_000)
    patience: int = setting(5, "Epochs without a better validation accuracy that end a training.", minimum=1)
    data_dir: str = setting(
        "",
        "Where TFDS keeps its data sets; empty: TFDS_DATA_DIR, else ~/tensorflow_datasets.",
        result=False,
        in_record=False,
    )
    output_dir: str = setting("runs", "Where results are kept.", result=False, in_record=False)
    report_only: bool = setting(False, "Draw the picture from what is there.", result=False, in_record=False)

    def __post_init__(self):
        super().__post_init__()
        self.names, self.shares  # noqa: B018

    @property
    def names(self):
        """The wanted scores' names."""
        return names_in("scores", self.scores, TITLES)

    @property
    def shares(self):
        """The sparsities of the curve, in ascending order."""
        try:
            shares = sorted({float(part) for part in self.sparsities.split(",")})
            if all(0 <= share <= 1 for share in shares):
                return shares
        except ValueError:
            pass
        raise SettingError(
            f"--sparsities={self.sparsities} is not valid: it takes numbers from 0 to 1, separated by commas"
        )


def book_of(config):
    """The `SmallRecord` of a pruning, made or not.

    Args:
      config: a `PruningConfig`.
    """
    return SmallRecord("pruning", config, place_of(config.record))


def make(config):
    """Prunes unless it is done.

    Args:
      config: a `PruningConfig`.

    Returns:
      The `SmallRecord`.

    Raises:
      UserError: if there is no trained network, or not of an image-classification run.
      RecordError: with `report_only`, if the record's network is not the one that was pruned.
      SettingError: if a score is asked for by name that the network does not have.
    """
    book = book_of(config)
    if config.report_only:
        book.make(None, source_for_report(config.record))
        return book
    trained = _open(config)

    def run(config):
        entry.start_tensorflow()
        from experiments.examination.pruning_stages import run_pruning

        return run_pruning(config, trained, book.path, lambda line: print(line, file=sys.stderr, flush=True))

    book.make(run, trained.sha256, metrics_sha256=metrics_sha256(config.record))
    return book


def _open(config):
    trained = open_trained(config.record)
    if trained.config.get("experiment") != "image_classification":
        raise UserError(
            f"{config.record} is no record of experiments.image_classification, which keeps images for validation; "
            "bayes_layers.pruning prunes any network"
        )
    if config.scores != "all" and "snr" in config.names and trained.settings["inference"] != "variational":
        raise SettingError(
            f"--scores={config.scores} is not valid: it takes all or magnitude for this record, whose network has no "
            "posterior"
        )
    return trained


def draw(curve, stages, title):
    """Accuracy against sparsity: a matplotlib figure from the rows of both tables (dicts of texts)."""
    figure, (left, right) = figures.pyplot().subplots(1, 2, figsize=(10, 4), layout="constrained")
    for i, score in enumerate(dict.fromkeys(row["score"] for row in curve)):
        mine = [row for row in curve if row["score"] == score]
        sparsity = [100 * float(row["sparsity"]) for row in mine]
        for axis, column in ((left, "test_accuracy"), (right, "test_nll")):
            axis.plot(
                sparsity, [float(row[column]) for row in mine], marker=".", color=f"C{i}", label=f"by {TITLES[score]}"
            )
            for row in (row for row in stages if row["score"] == score and row["stage"] == "fine-tuned"):
                axis.plot(
                    100 * float(row["sparsity"]),
                    float(row[column]),
                    "*",
                    ms=12,
                    color=f"C{i}",
                    label=f"by {TITLES[score]}, fine-tuned",
                )
    left.set(xlabel="pruned weights (%)", ylabel="test accuracy (%)")
    right.set(xlabel="pruned weights (%)", ylabel="test NLL (nats)", yscale="log")
    for axis in (left, right):
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    figure.suptitle(title)
    return figure


def summary(stages):
    """The stages as a Markdown table."""
    header = ["score", "stage", "epochs", "sparsity", "parameters", "validation", "test"]
    lines = [
        [
            TITLES[row["score"]],
            row["stage"],
            row["epochs"],
            f"{100 * float(row['sparsity']):.1f} %",
            f"{int(row['parameters']):,}",
            f"{float(row['val_accuracy']):.2f} %",
            f"{float(row['test_accuracy']):.2f} %",
        ]
        for row in stages
    ]
    return to_markdown(header, lines)


def work(config):
    """Prunes unless it is done, and draws the picture.

    Args:
      config: a `PruningConfig`.
    """
    if not config.record:
        raise SettingError("--record= is not valid: it takes the directory of a record with a trained network")
    book = make(config)
    stages = book.rows("stages.csv", STAGES)
    curve = book.rows("curve.csv", CURVE)
    book.write_figure("curve.png", draw(curve, stages, wrapped(place_of(config.record))))
    print(f"{summary(stages)}\nresults: {book.path}")


main = entry.point(work, PruningConfig, description=__doc__, unit="epoch")


if __name__ == "__main__":
    sys.exit(main())
