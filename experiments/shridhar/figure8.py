"""Figure 8 of Shridhar 2019 (section 5.3): the posterior standard deviation of one weight of LeNet-5 on MNIST.

Command: python -m experiments.shridhar.figure8

Expected (the thesis): it falls from epoch to epoch (1, 5, 20, 50, 100 are marked), also when the accuracy has stopped
rising. The thesis gives no numbers, and says which weight only as `a random model parameter`. Here it is one of each
layer, chosen by the seed (weights.csv of each record); the means over all weights of a layer (posterior.csv) stand
beside it. Measured with --preset=quick (one run each): it rises from mu_init = -5 (0.0068 to 0.012 in 20 epochs), -4
and -3, and falls from mu_init = 0 (0.63 to 0.60 in 8 epochs, Dense1), where the network stays at 12 % accuracy.

Run time: 3 runs (three seeds) of 100 epochs; with --preset=quick --seeds=1 ten minutes on two CPU cores. The same
command goes on where it stopped; --report_only draws what the records that are there say.

Results are in <output_dir>/shridhar/figure8/: figure8.png, figure8.csv, notes.md, runs.csv.
"""

import sys

import numpy as np

from experiments.comparison import curves, study
from experiments.records import figures
from experiments.shridhar import published
from experiments.shridhar.networks import rows
from experiments.shridhar.shared import TITLES, notes
from experiments.studies.render import to_csv

NAME, DATASETS = "figure8", ("mnist",)
ROWS = rows(published.VI_LENET)
PANELS = {"weights": ("sigma", "one weight of each layer"), "posterior": ("sigma_mean", "mean over each layer")}


def by_layer(run, table):
    """Dict from each layer's name to its rows of a table: a dict of columns."""
    columns = run.tables[table]
    layers = np.array(columns["layer"])
    arrays = {name: values for name, values in columns.items() if name != "layer"}
    return {
        layer: {name: v[layers == layer] for name, v in arrays.items()} for layer in dict.fromkeys(columns["layer"])
    }


def report(results):
    """The files of the figure: of the first seed that is complete."""
    dataset = results.cells[0].dataset if results.cells else DATASETS[0]
    runs = results.runs(published.VI_LENET, dataset)
    (figure, axes), last = curves.panels(2), 0
    for axis, (table, (column, title)) in zip(axes, PANELS.items(), strict=True):
        for seed, row in list(runs.items())[:1]:
            for number, (layer, values) in enumerate(by_layer(row.run, table).items()):
                last = max(last, int(values["epoch"].max()))
                axis.plot(values["epoch"], values[column], color=f"C{number}", label=layer)
                marked = np.isin(values["epoch"], published.FIGURE_EPOCHS)
                axis.plot(values["epoch"][marked], values[column][marked], "o", color=f"C{number}", ms=4)
            axis.legend(fontsize=8, title=f"seed {seed}")
        axis.set(title=title if runs else f"{title}: not run", xlabel="epoch", ylabel="posterior standard deviation")
        axis.set_yscale("log")
        axis.grid(alpha=0.3, which="both")
    epochs = ", ".join(str(epoch) for epoch in published.FIGURE_EPOCHS if epoch <= last)
    words = f"; epochs {epochs} marked" if epochs else ""
    figure.suptitle(f"Posterior standard deviations of LeNet-5 on {TITLES[dataset]}{words}")
    return {"figure8.png": figures.png(figure), "figure8.csv": to_csv(_lines(runs)), **notes(NAME)}


def _lines(runs):
    return [
        {"seed": seed, "what": title, "layer": layer, "epoch": int(epoch), "sigma": float(sigma)}
        for seed, row in runs.items()
        for table, (column, title) in PANELS.items()
        for layer, values in by_layer(row.run, table).items()
        for epoch, sigma in zip(values["epoch"], values[column], strict=True)
    ]


main = study.point(NAME, __doc__, ROWS, DATASETS, report)


if __name__ == "__main__":
    sys.exit(main())
