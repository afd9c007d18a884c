"""Table 7 of Shridhar 2019 (section 5.7.2): AlexNet pruned by the L1 norm.

Command: python -m experiments.shridhar.table7

Expected (accuracy in %; threshold and number of remaining weights are not given):

                                        MNIST  CIFAR-10
  Bayesian AlexNet (VI)                    99        73
  Frequentist AlexNet                      99        73
  Bayesian AlexNet with L1 norm (VI)       99        71

The pruned networks are those of `experiments.pruning` at its defaults, made from the runs of the first row; pruning by
the posterior's signal-to-noise ratio stands beside them, and the sparsity of all.

Run time: 12 runs (three seeds) of 100 epochs, and up to 60 epochs of pruning for each of 6; with --preset=quick
--seeds=1 a few hours on two CPU cores. The same command goes on where it stopped; --report_only writes the table from
the records that are there. A pruning counts if it is of the network whose accuracy stands in the first row; others are
named and left out.

Results are in <output_dir>/shridhar/table7/: table7.csv|md|tex, runs.csv; the records are where
`experiments.image_classification` and `experiments.pruning` keep them.
"""

import functools
import sys

from experiments import pruning
from experiments.comparison import study
from experiments.comparison.results import accuracy
from experiments.comparison.tables import Entry, write
from experiments.errors import RecordError, RecordInUse, UserError
from experiments.examination.columns import STAGES
from experiments.pruning import PruningConfig
from experiments.records.load import load_tables
from experiments.records.trained import metrics_sha256, open_trained
from experiments.shridhar import published
from experiments.shridhar.networks import rows
from experiments.shridhar.shared import TITLES

NAME, DATASETS = "table7", ("mnist", "cifar10")
ROWS = rows(published.VI_ALEXNET, published.ALEXNET)
PRUNED = {published.VI_L1: "magnitude", "Bayesian AlexNet pruned by |mu| / sigma": "snr"}


def pruning_config(study_config, row):
    """The `PruningConfig` for a run (a `Row`)."""
    return PruningConfig(record=str(row.path), output_dir=study_config.output_dir, data_dir=study_config.data_dir)


def make_pruned(study_config, results):
    """Prunes the variational networks that are trained; a dict from failed ones to a line each."""
    failures = {}
    for dataset in dict.fromkeys(cell.dataset for cell in results.cells):
        for seed, row in results.runs(published.VI_ALEXNET, dataset).items():
            what = f"pruning, {dataset}, seed {seed}"
            try:
                if not (row.path / "checkpoint").exists():
                    continue
                if _is_longer(row):
                    print(f"not made: {what}: the record's network is of a later epoch", file=sys.stderr)
                    continue
                pruning.make(pruning_config(study_config, row))
            except RecordInUse as error:
                print(f"left to another process: {what}: {error}", file=sys.stderr)
            except UserError as error:
                failures[what] = str(error)
    return failures


def _is_longer(row):
    """Whether a record goes on behind the epochs of the table, so that its network is of a later one."""
    return load_tables(row.path).tables["metrics"]["epoch"][-1] != row.metrics["epoch"][-1]


def mismatch(book, row):
    """Why a pruning is not of the network whose accuracy a table shows.

    Args:
      book: the `SmallRecord` of the pruning.
      row: the `Row` of the run.

    Returns:
      A few words; empty if it is of that network.
    """
    if (row.path / "checkpoint").exists():
        is_same = book.source == open_trained(row.path).sha256
    else:
        is_same = book.stated("metrics_sha256") == metrics_sha256(row.path)
    if not is_same:
        return "it is of another state of the record, or does not say of which"
    if _is_longer(row):
        return f"it is of the record's last epoch, not of epoch {row.metrics['epoch'][-1]:.0f}"
    return ""


@functools.cache
def stages_of(results, dataset):
    """Dict from seed to the rows of stages.csv, for the runs whose network was pruned; what is left out is said."""
    found = {}
    for seed, row in results.runs(published.VI_ALEXNET, dataset).items():
        book = pruning.book_of(pruning_config(results.study, row))
        try:
            if not book.is_made:
                continue
            why = mismatch(book, row)
            if not why:
                found[seed] = book.rows("stages.csv", STAGES)
        except RecordError as error:
            why = str(error)
        if why:
            print(f"left out: pruning, {dataset}, seed {seed}: {why}", file=sys.stderr)
    return found


def fine_tuned(results, dataset, score, column):
    """Dict from seed to a column of stages.csv after fine-tuning, for the runs that were pruned."""
    found = {}
    for seed, stages in stages_of(results, dataset).items():
        mine = [row for row in stages if (row["score"], row["stage"]) == (score, "fine-tuned")]
        if mine:
            found[seed] = float(mine[-1][column])
    return found


def report(results):
    """The files of the table."""
    datasets = dict.fromkeys(cell.dataset for cell in results.cells)
    entries = [
        Entry(cell.row, TITLES[cell.dataset], results.values(cell.row, cell.dataset, accuracy),
              published.TABLE7.get((cell.row, cell.dataset)))
        for cell in results.cells
    ]  # fmt: skip
    for dataset in datasets:
        for row, score in PRUNED.items():
            values = fine_tuned(results, dataset, score, "test_accuracy")
            entries.append(Entry(row, TITLES[dataset], values, published.TABLE7.get((row, dataset))))
            shares = {seed: 100 * v for seed, v in fine_tuned(results, dataset, score, "sparsity").items()}
            entries.append(Entry(row, f"{TITLES[dataset]}, pruned weights", shares))
    return write(NAME, "Table 7: accuracy in % of pruned networks", entries, results, published.CONTRADICTIONS[NAME])


main = study.point(NAME, __doc__, ROWS, DATASETS, report, also=make_pruned)


if __name__ == "__main__":
    sys.exit(main())
