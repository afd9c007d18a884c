"""Figure 10 of Shridhar 2019 (section 5.5): training and test accuracy of AlexNet on CIFAR-100 over the epochs.

Command: python -m experiments.shridhar.figure10

Expected (Table 3, whose runs these are): without dropout or with one layer the frequentist AlexNet overfits (training
83 and 72 %, test 38 and 40 %); with three layers it does not (39 and 38 %), the Bayesian one little (54 and 37 %).

Run time: 15 runs (three seeds) of 100 epochs, those of 100 samples 100 times that of one; days on two CPU cores. Where
CIFAR-100 cannot be had, the figure says so; --datasets=cifar10 shows the same of another. The same command goes on
where it stopped; --report_only draws what the records that are there say.

Results are in <output_dir>/shridhar/figure10/: figure10.png, figure10.csv, notes.md, runs.csv.
"""

import sys

from experiments.comparison import curves, study
from experiments.records import figures
from experiments.shridhar.shared import TITLES, notes
from experiments.shridhar.table3 import DATASETS, ROWS

NAME = "figure10"
PANELS = {"training accuracy": "train_error", "test accuracy": "test_error"}


def report(results):
    """The files of the figure."""
    datasets = list(dict.fromkeys(cell.dataset for cell in results.cells))
    places = [(dataset, title, column) for dataset in datasets for title, column in PANELS.items()]
    figure, axes = curves.panels(len(places))
    lines = []
    for (dataset, title, column), axis in zip(places, axes, strict=True):
        drawn = []
        for number, cell in enumerate(cell for cell in results.cells if cell.dataset == dataset):
            runs = results.runs(cell.row, dataset)
            epochs, values = curves.series(runs.values(), column, curves.accuracy_of)
            drawn.append((cell.row, {"color": f"C{number}"}, epochs, values))
            lines.append(({"dataset": dataset, "network": cell.row, "what": title}, epochs, runs, values))
        curves.draw_bands(axis, drawn)
        axis.set(title=f"{TITLES[dataset]}: {title}", xlabel="epoch", ylabel=f"{title} (%)")
    figure.suptitle("Overfitting of AlexNet; mean over seeds, band from the least to the greatest")
    return {"figure10.png": figures.png(figure), "figure10.csv": curves.curves_csv(lines), **notes(NAME)}


main = study.point(NAME, __doc__, ROWS, DATASETS, report)


if __name__ == "__main__":
    sys.exit(main())
