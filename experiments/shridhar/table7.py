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
the records that are there.

Results are in <output_dir>/shridhar/table7/: table7.csv|md|tex, runs.csv; the records are where
`experiments.image_classification` and `experiments.pruning` keep them.
"""

import sys

from experiments import pruning
from experiments.comparison import study
from experiments.comparison.results import accuracy
from experiments.comparison.tables import Entry, write
from experiments.errors import UserError
from experiments.pruning import PruningConfig
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
            try:
                if (row.path / "checkpoint").exists():
                    pruning.make(pruning_config(study_config, row))
            except UserError as error:
                failures[f"pruning, {dataset}, seed {seed}"] = str(error)
    return failures


def fine_tuned(results, dataset, score, column):
    """Dict from seed to a column of stages.csv after fine-tuning, for the runs that were pruned."""
    found = {}
    for seed, row in results.runs(published.VI_ALEXNET, dataset).items():
        book = pruning.book_of(pruning_config(results.study, row))
        stages = book.rows("stages.csv") if book.is_made else []
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
