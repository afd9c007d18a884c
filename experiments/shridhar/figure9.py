"""Figure 9 of Shridhar 2019 (section 5.3): the posterior density of one weight of LeNet-5's first layer, on CIFAR-10.

Command: python -m experiments.shridhar.figure9

Expected: a Normal that moves and narrows over the epochs 1, 5, 20, 50 and 100. The thesis gives no numbers, and says of
the weight only that it was `taken randomly from the first layer`. Here the seed chooses it.

Run time: 3 runs (three seeds) of 100 epochs; with --preset=quick --seeds=1 a quarter of an hour on two CPU cores. The
same command goes on where it stopped; --report_only draws what the records that are there say.

Results are in <output_dir>/shridhar/figure9/: figure9.png, figure9.csv (mu and sigma), notes.md, runs.csv.
"""

import sys

import numpy as np
from scipy import stats

from experiments.comparison import curves, study
from experiments.records import figures
from experiments.shridhar import published
from experiments.shridhar.figure8 import by_layer
from experiments.shridhar.networks import rows
from experiments.shridhar.shared import TITLES, notes
from experiments.studies.render import to_csv

NAME, DATASETS = "figure9", ("cifar10",)
ROWS = rows(published.VI_LENET)


def densities(row):
    """`(layer, list of (epoch, mu, sigma))` of the traced weight of the first layer, at the epochs of the figure."""
    layer, values = next(iter(by_layer(row.run, "weights").items()))
    wanted = {*published.FIGURE_EPOCHS, int(values["epoch"][-1])}
    columns = (values["epoch"], values["mu"], values["sigma"])
    return layer, [(int(e), float(m), float(s)) for e, m, s in zip(*columns, strict=True) if int(e) in wanted]


def report(results):
    """The files of the figure: a panel per seed."""
    dataset = results.cells[0].dataset if results.cells else DATASETS[0]
    runs = results.runs(published.VI_LENET, dataset)
    figure, axes = curves.panels(max(1, min(3, len(runs))))
    lines = []
    for (seed, row), axis in zip(runs.items(), axes, strict=False):
        layer, found = densities(row)
        low, high = (edge(m + sign * 4 * s for _, m, s in found) for edge, sign in ((min, -1), (max, 1)))
        x = np.linspace(low, high, 500)
        for number, (epoch, mu, sigma) in enumerate(found):
            color = figures.pyplot().get_cmap("viridis")(number / max(1, len(found) - 1))
            axis.plot(x, stats.norm.pdf(x, mu, sigma), color=color, label=f"epoch {epoch}: sigma = {sigma:.4f}")
            lines.append({"seed": seed, "layer": layer, "epoch": epoch, "mu": mu, "sigma": sigma})
        axis.set(title=f"{layer}, seed {seed}", xlabel="weight", ylabel="density", ylim=(0, None))
        axis.legend(fontsize=7)
        axis.grid(alpha=0.3)
    if not runs:
        axes[0].set(title="not run", xlabel="weight", ylabel="density")
    figure.suptitle(f"Posterior of one weight of LeNet-5 on {TITLES[dataset]}")
    return {"figure9.png": figures.png(figure), "figure9.csv": to_csv(lines), **notes(NAME)}


main = study.point(NAME, __doc__, ROWS, DATASETS, report)


if __name__ == "__main__":
    sys.exit(main())
