"""Table 2 of Shridhar 2019 (section 5.5): accuracy on CIFAR-100.

Command: python -m experiments.shridhar.table2

Expected (accuracy in %):

  Bayesian AlexNet (VI)    36
  Frequentist AlexNet      38
  Bayesian LeNet-5 (VI)    31
  Frequentist LeNet-5      33

Run time: 12 runs (three seeds) of 100 epochs, hours each on two CPU cores. Where CIFAR-100 cannot be had, its cells say
so. The same command goes on where it stopped; --report_only writes the table from the records that are there.

Results are in <output_dir>/shridhar/table2/: table2.csv|md|tex, runs.csv; each run's record is where
`experiments.image_classification` keeps it.
"""

import sys

from experiments.comparison import study
from experiments.shridhar import published
from experiments.shridhar.networks import rows
from experiments.shridhar.shared import accuracy_table

NAME, DATASETS = "table2", ("cifar100",)
ROWS = rows(published.VI_ALEXNET, published.ALEXNET, published.VI_LENET, published.LENET)
REPORT = accuracy_table(NAME, "Table 2: accuracy in % on CIFAR-100", published.TABLE2)


main = study.point(NAME, __doc__, ROWS, DATASETS, REPORT)


if __name__ == "__main__":
    sys.exit(main())
