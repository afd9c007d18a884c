"""Table 4 of Shridhar 2019 (section 5.6): aleatoric and epistemic uncertainty of LeNet-5 on MNIST and CIFAR-10.

Command: python -m experiments.shridhar.table4

Expected (means over the test images of the traces of both covariances, eq. 14):

                               aleatoric  epistemic
  Bayesian LeNet-5 (MNIST)        0.0096     0.0026
  Bayesian LeNet-5 (CIFAR-10)     0.1920     0.0404
  ratio                               20       15.5

Run time: 6 runs (three seeds) of 100 epochs; with --preset=quick --seeds=1 half an hour on two CPU cores. The same
command goes on where it stopped; --report_only writes the table from the records that are there.

Results are in <output_dir>/shridhar/table4/: table4.csv|md|tex, runs.csv; each run's record is where
`experiments.image_classification` keeps it.
"""

import sys

from experiments.comparison import study
from experiments.comparison.results import last
from experiments.comparison.tables import Entry, write
from experiments.shridhar import published
from experiments.shridhar.networks import rows
from experiments.shridhar.shared import TITLES

NAME, DATASETS = "table4", ("mnist", "cifar10")
ROWS = rows(published.VI_LENET)
PARTS = ("aleatoric", "epistemic")


def ratios(results, part):
    """Dict from seed to the ratio of an uncertainty on CIFAR-10 to that on MNIST."""
    numerator, denominator = (results.values(published.VI_LENET, name, last(part)) for name in ("cifar10", "mnist"))
    return {seed: value / denominator[seed] for seed, value in numerator.items() if denominator.get(seed)}


def report(results):
    """The files of the table."""
    entries = [
        Entry(f"{cell.row}, {TITLES[cell.dataset]}", part, results.values(cell.row, cell.dataset, last(part)),
              published.TABLE4.get((cell.dataset, part)), digits=4)
        for cell in results.cells
        for part in PARTS
    ]  # fmt: skip
    numbers = published.TABLE4
    thesis = {part: round(numbers["cifar10", part] / numbers["mnist", part], 1) for part in PARTS}
    entries += [Entry("CIFAR-10 / MNIST", part, ratios(results, part), thesis[part]) for part in PARTS]
    return write(
        NAME,
        "Table 4: aleatoric and epistemic uncertainty, means of the traces",
        entries,
        results,
        published.CONTRADICTIONS[NAME],
    )


main = study.point(NAME, __doc__, ROWS, DATASETS, report)


if __name__ == "__main__":
    sys.exit(main())
