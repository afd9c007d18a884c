"""Table 6 of Shridhar 2019 (section 5.7.1): AlexNet with half of its filters.

Command: python -m experiments.shridhar.table6

Expected (accuracy in %):

                               MNIST  CIFAR-10  CIFAR-100
  Bayesian AlexNet (VI)           99        73         36
  Frequentist AlexNet             99        73         38
  Bayesian AlexNetHalf (VI)       99        79         38

Run time: 27 runs (three seeds) of 100 epochs; with --preset=quick --seeds=1 --datasets=mnist,cifar10 a few hours on two
CPU cores. Where CIFAR-100 cannot be had, its cells say so. The same command goes on where it stopped; --report_only
writes the table from the records that are there.

Results are in <output_dir>/shridhar/table6/: table6.csv|md|tex, runs.csv; each run's record is where
`experiments.image_classification` keeps it.
"""

import sys

from experiments.comparison import study
from experiments.shridhar import published
from experiments.shridhar.networks import rows
from experiments.shridhar.shared import accuracy_table

NAME, DATASETS = "table6", ("mnist", "cifar10", "cifar100")
ROWS = rows(published.VI_ALEXNET, published.ALEXNET, published.VI_HALF)
REPORT = accuracy_table(NAME, "Table 6: accuracy in % with half of the filters", published.TABLE6)


main = study.point(NAME, __doc__, ROWS, DATASETS, REPORT)


if __name__ == "__main__":
    sys.exit(main())
