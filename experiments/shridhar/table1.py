"""Table 1 of Shridhar 2019 (section 5.3): accuracy on MNIST and CIFAR-10 by kind of inference.

Command: python -m experiments.shridhar.table1

Expected (accuracy in %; the row of dropout is quoted there from Gal & Ghahramani, and was not reproduced):

                               MNIST  CIFAR-10
  Bayesian AlexNet (VI)           99        73
  Frequentist AlexNet             99        73
  Bayesian LeNet-5 (VI)           98        69
  Frequentist LeNet-5             98        68
  Bayesian LeNet-5 (dropout)    99.5        83

Run time: 30 runs (three seeds) of 100 epochs; with --preset=quick --seeds=1 --models=lenet5 about an hour on two CPU
cores. The same command goes on where it stopped; --report_only writes the table from the records that are there.

Results are in <output_dir>/shridhar/table1/: table1.csv|md|tex, runs.csv; each run's record is where
`experiments.image_classification` keeps it.
"""

import sys

from experiments.comparison import study
from experiments.shridhar import published
from experiments.shridhar.networks import rows
from experiments.shridhar.shared import accuracy_table

NAME, DATASETS = "table1", ("mnist", "cifar10")
ROWS = rows(
    published.VI_ALEXNET, published.ALEXNET, published.VI_LENET, published.LENET, published.DROPOUT_LENET
)  # fmt: skip
REPORT = accuracy_table(NAME, "Table 1: accuracy in % by kind of inference", published.TABLE1)


main = study.point(NAME, __doc__, ROWS, DATASETS, REPORT)


if __name__ == "__main__":
    sys.exit(main())
