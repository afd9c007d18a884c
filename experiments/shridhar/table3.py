"""Table 3 of Shridhar 2019 (section 5.5): training and test accuracy of AlexNet on CIFAR-100, by kind of inference.

Command: python -m experiments.shridhar.table3

Expected (accuracy in %):

                                     training  validation
  Frequentist AlexNet (no dropout)         83          38
  Frequentist AlexNet (1 layer)            72          40
  Frequentist AlexNet (3 layers)           39          38
  Bayesian AlexNet (25 samples)            54          37
  Bayesian AlexNet (100 samples)           48          37

Samples are draws in each training step. The training accuracy is that of as many training images as are kept for
validation, predicted like the test images.

Run time: 15 runs (three seeds) of 100 epochs, those of 100 samples 100 times that of one; days on two CPU cores. Where
CIFAR-100 cannot be had, its cells say so; --datasets=cifar10 shows the same of another. The same command goes on where
it stopped; --report_only writes the table from the records that are there.

Results are in <output_dir>/shridhar/table3/: table3.csv|md|tex, runs.csv; each run's record is where
`experiments.image_classification` keeps it.
"""

import sys

from experiments.comparison import study
from experiments.comparison.results import accuracy, train_accuracy
from experiments.comparison.tables import Entry, write
from experiments.shridhar import published
from experiments.shridhar.networks import rows
from experiments.shridhar.shared import TITLES

NAME, DATASETS = "table3", ("cifar100",)
ROWS = rows(
    published.NO_DROPOUT,
    published.ONE_DROPOUT,
    published.THREE_DROPOUTS,
    published.SAMPLES_25,
    published.SAMPLES_100,
)
MEASURES = {"train": ("training", train_accuracy), "validation": ("test", accuracy)}


def report(results):
    """The files of the table."""
    entries = [
        Entry(
            cell.row,
            f"{TITLES[cell.dataset]}, {title}",
            results.values(cell.row, cell.dataset, measure),
            published.TABLE3[cell.row, name] if cell.dataset == "cifar100" else None,
        )
        for cell in results.cells
        for name, (title, measure) in MEASURES.items()
    ]
    return write(NAME, "Table 3: training and test accuracy in %", entries, results, published.CONTRADICTIONS[NAME])


main = study.point(NAME, __doc__, ROWS, DATASETS, report)


if __name__ == "__main__":
    sys.exit(main())
