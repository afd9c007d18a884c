"""Figure 7 of Shridhar 2019 (section 5.3): accuracy per epoch, Bayesian and frequentist, on MNIST and CIFAR-10.

Command: python -m experiments.shridhar.figure7

Expected: the Bayesian networks begin lower than the frequentist ones and end beside them (99 and 98 % on MNIST, 73 and
69 % on CIFAR-10 for AlexNet and LeNet-5; Table 1, whose runs these are).

Run time: 24 runs (three seeds) of 100 epochs; with --preset=quick --seeds=1 --models=lenet5 about an hour on two CPU
cores. The same command goes on where it stopped; --report_only draws what the records that are there say.

Results are in <output_dir>/shridhar/figure7/: figure7.png, figure7.csv, notes.md, runs.csv.
"""

import sys

from experiments.comparison import curves, study
from experiments.records import figures
from experiments.shridhar import published
from experiments.shridhar.networks import rows
from experiments.shridhar.shared import TITLES, notes

NAME, DATASETS = "figure7", ("mnist", "cifar10")
ROWS = rows(published.VI_ALEXNET, published.ALEXNET, published.VI_LENET, published.LENET)
STYLES = {
    published.VI_ALEXNET: {"color": "C0"},
    published.ALEXNET: {"color": "C0", "linestyle": "--"},
    published.VI_LENET: {"color": "C1"},
    published.LENET: {"color": "C1", "linestyle": "--"},
}


def report(results):
    """The files of the figure."""
    datasets = list(dict.fromkeys(cell.dataset for cell in results.cells))
    figure, axes = curves.panels(len(datasets))
    lines = []
    for dataset, axis in zip(datasets, axes, strict=True):
        drawn = []
        for cell in (cell for cell in results.cells if cell.dataset == dataset):
            runs = results.runs(cell.row, dataset)
            epochs, values = curves.series(runs.values(), "test_error", curves.accuracy_of)
            drawn.append((cell.row, STYLES[cell.row], epochs, values))
            lines.append(({"dataset": dataset, "network": cell.row}, epochs, runs, values))
        curves.draw_bands(axis, drawn)
        axis.set(title=TITLES[dataset], xlabel="epoch", ylabel="test accuracy (%)")
    figure.suptitle("Accuracy per epoch; mean over seeds, band from the least to the greatest")
    return {"figure7.png": figures.png(figure), "figure7.csv": curves.curves_csv(lines), **notes(NAME)}


main = study.point(NAME, __doc__, ROWS, DATASETS, report)


if __name__ == "__main__":
    sys.exit(main())
